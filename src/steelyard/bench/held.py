"""Vectors of a run kept in memory, so that systems that differ behind the encoder share one pass over the texts."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

from steelyard.bench.cached import CachedEncoder, CacheUse
from steelyard.engines.protocol import EngineInfo
from steelyard.types import Role, Vectors

HELD_BYTES = 512 << 20
Key = tuple[Role, str | None, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class _Held:
    rows: Vectors
    warned: tuple[Warning, ...]


class HeldEncoder:
    """Same numbers as ``inner``; a call with the same texts is answered from memory, warnings included.

    Args:
        inner: what is asked otherwise.
        use: what is answered from memory counts as found.
        max_bytes: of vectors; when it is reached, further calls are passed on and not held.
    """

    def __init__(self, inner: CachedEncoder, use: CacheUse, max_bytes: int = HELD_BYTES) -> None:
        self._inner = inner
        self._use = use
        self._room = max_bytes
        self._held: dict[Key, _Held] = {}

    @property
    def info(self) -> EngineInfo:
        """The inner encoder's."""
        return self._inner.info

    def count_tokens(self, texts: Sequence[str], role: Role, instruction: str | None = None) -> list[int] | None:
        """The inner encoder's."""
        return self._inner.count_tokens(texts, role, instruction)

    def encode(self, texts: Sequence[str], role: Role, instruction: str | None = None) -> Vectors:
        """float32[n, d]; the array is shared between calls and must not be written to."""
        key = (role, instruction if role is Role.QUERY else None, tuple(texts))
        held = self._held.get(key)
        if held is None:
            return self._ask(key, texts, role, instruction)
        self._use.found += len(set(texts))
        _warn(held.warned)
        return held.rows

    def close(self) -> None:
        """Closes the inner encoder and forgets what was held."""
        self._held.clear()
        self._inner.close()

    def _ask(self, key: Key, texts: Sequence[str], role: Role, instruction: str | None) -> Vectors:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            rows = self._inner.encode(texts, role, instruction)
        warned = tuple(w.message for w in caught if isinstance(w.message, Warning))
        _warn(warned)
        if rows.nbytes <= self._room:
            self._room -= rows.nbytes
            rows.setflags(write=False)
            self._held[key] = _Held(rows, warned)
        return rows


def _warn(warned: Sequence[Warning]) -> None:
    for warning in warned:
        warnings.warn(warning, stacklevel=3)
