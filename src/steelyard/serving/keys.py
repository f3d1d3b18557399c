"""Keys of a server: read from a file, kept as digests, compared in constant time."""

from __future__ import annotations

import hashlib
import hmac
from pathlib import Path

from steelyard.errors import DataError


class Keys:
    """Who may come in.

    Args:
        keys: name of each key -> the key.
    """

    def __init__(self, keys: dict[str, str]) -> None:
        self._digests = tuple((name, _digest(key)) for name, key in keys.items())

    @classmethod
    def read(cls, path: Path) -> Keys:
        """One key a line, ``NAME KEY`` or the key alone; lines that begin with ``#`` are comments.

        Raises:
            DataError: no such file, no key in it; a key that occurs twice, is shorter than 16 characters or not ASCII.
        """
        try:
            lines = path.read_text(encoding="utf-8-sig").splitlines()
        except (OSError, UnicodeDecodeError) as wrong:
            raise DataError(f"{path}: the keys cannot be read: {wrong}") from None
        keys: dict[str, str] = {}
        for number, line in enumerate(lines, start=1):
            words = line.split()
            if not words or words[0].startswith("#"):
                continue
            name, key = (f"key {number}", words[0]) if len(words) == 1 else (words[0], words[-1])
            if len(words) > 2 or len(key) < 16:
                raise DataError(f"{path}:{number}: write NAME KEY, the key of 16 characters or more")
            if not key.isascii():
                raise DataError(f"{path}:{number}: a key goes into an HTTP header: write it in ASCII")
            if name in keys or key in keys.values():
                raise DataError(f"{path}:{number}: this name or key is there already")
            keys[name] = key
        if not keys:
            raise DataError(f"{path}: holds no key; write one a line, NAME KEY")
        return cls(keys)

    def name_of(self, key: str) -> str | None:
        """The name of a key, or None; takes as long for a wrong key as for any right one."""
        given, found = _digest(key), None
        for name, digest in self._digests:
            if hmac.compare_digest(given, digest):
                found = name
        return found


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()
