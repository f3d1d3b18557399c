"""Cold starts: files put out of the page cache one by one, without privilege, and without harm to other processes."""

from __future__ import annotations

import ctypes
import mmap
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import cast

import numpy as np

_COLD = 0.02  # what may stay resident of a file that counts as cold


def evict(paths: Iterable[Path]) -> bool:
    """Asks the kernel to drop files from its page cache and checks that it did.

    Returns:
        True where hardly a page of any of them is left. False where there is no file, the system has no such call,
        or pages stayed (another process has them mapped, the file system is memory): a start is then a warm one.
    """
    files = [p for p in paths if p.is_file() and p.stat().st_size]
    if not files or not hasattr(os, "posix_fadvise"):
        return False
    try:
        for path in files:
            _drop(path)
        return all(resident_share(p) <= _COLD for p in files)
    except (OSError, ValueError):
        return False


def resident_share(path: Path) -> float:
    """The share of a file's pages that are in memory.

    Raises:
        OSError: the file cannot be read, or the system does not tell.
    """
    size = path.stat().st_size
    if not size:
        return 0.0
    pages = -(-size // mmap.PAGESIZE)
    states = (ctypes.c_ubyte * pages)()
    with path.open("rb") as file, mmap.mmap(file.fileno(), size, access=mmap.ACCESS_READ) as view:
        start = np.frombuffer(view, dtype=np.uint8)
        address = start.ctypes.data
        failed = _mincore()(ctypes.c_void_p(address), ctypes.c_size_t(size), states)
        del start  # the map cannot be closed while an array looks into it
    if failed:
        raise OSError(ctypes.get_errno(), f"mincore failed on {path}")
    return sum(state & 1 for state in states) / pages


def _mincore() -> Callable[..., int]:
    try:
        call = ctypes.CDLL(None, use_errno=True).mincore
    except AttributeError as wrong:
        raise OSError("this system has no mincore") from wrong
    call.restype = ctypes.c_int
    return cast("Callable[..., int]", call)


def _drop(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(handle)
