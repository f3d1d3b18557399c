"""Times of calls: one after the other, and many at once. The clock is given, so that tests need not wait."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

Clock = Callable[[], float]


@dataclass(frozen=True, slots=True)
class Latencies:
    """Percentiles of single calls, in milliseconds: the least time that so many per cent of the calls kept.

    Attributes:
        count: calls made.
    """

    p50: float
    p95: float
    p99: float
    count: int


def percentile(sorted_values: Sequence[float], percent: float) -> float:
    """Nearest rank: a value that was measured, never one in between."""
    rank = math.ceil(percent / 100 * len(sorted_values))
    return sorted_values[max(rank, 1) - 1]


def latencies(milliseconds: Sequence[float]) -> Latencies:
    """Percentiles of at least one call."""
    ordered = sorted(milliseconds)
    p50, p95, p99 = (percentile(ordered, p) for p in (50, 95, 99))
    return Latencies(p50, p95, p99, len(ordered))


def time_calls(
    call: Callable[[int], object], count: int, seconds: float, warm_up: int = 3, clock: Clock = time.perf_counter
) -> Latencies:
    """Makes calls one after the other and times each.

    Args:
        call: called with 0, 1, 2, ...; the warm-up takes the last numbers, so that a timed call repeats none of them
            where ``count`` is large enough.
        count: calls at the most.
        seconds: no call begins after so long, but one is made at least.
        warm_up: calls before, not counted.
        clock: seconds.
    """
    for i in range(min(warm_up, count)):
        call(count - 1 - i)
    taken: list[float] = []
    end = clock() + seconds
    for i in range(count):
        start = clock()
        if taken and start >= end:
            break
        call(i)
        taken.append((clock() - start) * 1e3)
    return latencies(taken)


def rate(
    call: Callable[[int], int], seconds: float, most: int = 1_000_000, clock: Clock = time.perf_counter
) -> tuple[float, int]:
    """Units of work a second, and units done.

    Args:
        call: called with 0, 1, 2, ... and returns the units that it did (texts, tokens).
        seconds: no call begins after so long, but one is made at least.
        most: calls at the most.
        clock: seconds.
    """
    done = 0
    start = now = clock()
    for i in range(most):
        done += call(i)
        now = clock()
        if now - start >= seconds:
            break
    return done / max(now - start, 1e-9), done
