"""Waiting for what must come, instead of for a time that must pass."""

from __future__ import annotations

import time
from collections.abc import Callable


def until(true: Callable[[], object], seconds: float = 60) -> None:
    """Returns as soon as it is so; the limit only ends a test that would hang, so it is far above what is needed."""
    ends = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < ends, "waited in vain"
        time.sleep(0.002)
