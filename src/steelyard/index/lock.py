"""One writer at a time, whichever process or thread it is in; readers need no lock."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from steelyard.errors import StoreError

FILE = "writer.lock"
WAIT_SECONDS = 30.0
_PAUSE = 0.05


@contextmanager
def writer(folder: Path, wait: float = WAIT_SECONDS) -> Iterator[None]:
    """Holds the lock of an index; the kernel frees it when the process ends, however it ends.

    Raises:
        StoreError: another writer holds it for longer than ``wait`` seconds; names its process.
    """
    with (folder / FILE).open("a+", encoding="ascii") as file:
        _acquire(file.fileno(), folder, wait)
        os.truncate(file.fileno(), 0)
        file.write(str(os.getpid()))
        file.flush()
        yield


def _acquire(handle: int, folder: Path, wait: float) -> None:
    until = time.monotonic() + wait
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= until:
                holder = (folder / FILE).read_text(encoding="ascii", errors="replace").strip() or "unknown"
                raise StoreError(
                    f"{folder} is being written to by process {holder}; an index has one writer at a time. "
                    "Wait for it, or stop it: what it committed stays"
                ) from None
            time.sleep(_PAUSE)
        else:
            return
