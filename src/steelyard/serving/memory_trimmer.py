"""Memory that calls have freed, given back to the system.

An engine takes and frees megabytes for every batch, and keeps a few small things, such as a kernel for a number of
tokens that it met for the first time. glibc puts both on one heap, where what stays keeps what was freed before it from
going back: after batches of 17 sizes 110 MB lay idle beside 40 MB of kernels, and each rare size adds a step.
"""

from __future__ import annotations

import ctypes
import sys
import time
from collections.abc import Callable

SECONDS = 30.0


class MemoryTrimmer:
    """Gives freed memory back at most every ``seconds``, and only after something has run.

    Args:
        give: what gives it back; called from the thread that calls :meth:`tidy`.
        seconds: between two times.
        clock: seconds, as :func:`time.monotonic` gives them.
    """

    def __init__(
        self, give: Callable[[], object], seconds: float = SECONDS, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._give, self._seconds, self._clock = give, seconds, clock
        self._last, self._used = clock(), False

    def used(self) -> None:
        """Something has run."""
        self._used = True

    def due_in(self) -> float | None:
        """Seconds until there is something to give back; None when nothing has run since."""
        return max(self._last + self._seconds - self._clock(), 0.0) if self._used else None

    def tidy(self) -> None:
        """Gives back what is due."""
        if self.due_in() == 0.0:
            self._give()
            self._last, self._used = self._clock(), False


def give_back() -> bool:
    """glibc's ``malloc_trim``, some milliseconds; False where there was nothing to give or the C library lacks it."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None
    return trim is not None and bool(trim(0))
