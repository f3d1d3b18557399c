"""Files and folders that appear whole or not at all, whoever else writes them and whenever a process is killed.

Only downloads do it their own way (:mod:`steelyard.models.hub`): what came of them is kept, to go on from.
"""

from __future__ import annotations

import os
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_ABANDONED = 3600.0
"""Seconds after which a half-written folder belongs to no living process."""


def write_atomic(path: Path, content: str | bytes) -> None:
    """Writes a file whole, text as UTF-8, in place of one that is there.

    Raises:
        OSError: it cannot be written; the file that was there is as before.
    """
    with atomic_path(path) as part:
        part.write_bytes(content.encode("utf-8") if isinstance(content, str) else content)


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """The place to write a file to, in the folder of ``path``; when the block ends it is synced and moved to ``path``.

    Raises:
        OSError: it cannot be written; the file that was there is as before.
    """
    part = path.with_name(f".{secrets.token_hex(8)}.part")
    try:
        yield part
        with part.open("r+b") as written:
            os.fsync(written.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def atomic_folder(final: Path) -> Iterator[Path]:
    """An empty folder beside ``final`` to write to; when the block ends it is moved to ``final``.

    Where another process was quicker its folder stays and this one is dropped: use it for content that is the same
    whoever makes it. Parents are made; what killed processes left of the same folder is removed.

    Raises:
        OSError: it cannot be written.
    """
    final.parent.mkdir(parents=True, exist_ok=True)
    _remove_abandoned(final)
    part = final.with_name(f".{final.name}.{secrets.token_hex(8)}")
    part.mkdir()
    try:
        yield part
        try:
            part.rename(final)
        except OSError:
            if not final.is_dir():
                raise
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _remove_abandoned(final: Path) -> None:
    for left in final.parent.glob(f".{final.name}.*"):
        with suppress(OSError):
            if time.time() - left.stat().st_mtime > _ABANDONED:
                shutil.rmtree(left, ignore_errors=True)
