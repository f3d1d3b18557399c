"""How an endpoint bears load: more and more clients at once, until more of them bring nothing."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from steelyard.cost.latency import Clock, Latencies, latencies

LEVELS = (1, 2, 4, 8, 16, 32, 64)
GAIN = 1.1
"""A level that brings less than this over the best one before it is beyond saturation."""


@dataclass(frozen=True, slots=True)
class Level:
    """One number of clients.

    Attributes:
        clients: at once, each sending its next request when the last one is answered.
        calls_per_second: answered, over all of them.
        latency: of one request; None where none was answered.
        failed: requests that raised an error.
        trouble: the first error's text.
    """

    clients: int
    calls_per_second: float
    latency: Latencies | None
    failed: int = 0
    trouble: str = ""


def sweep(
    open_client: Callable[[], Callable[[int], object]],
    seconds: float,
    levels: Sequence[int] = LEVELS,
    clock: Clock = time.perf_counter,
) -> list[Level]:
    """Measures one level after the other, and stops after the first that is beyond saturation or mostly fails.

    Args:
        open_client: makes a client of its own for every thread: a call that is given a number, distinct over all
            clients and levels, and returns when its request is answered.
        seconds: how long each level lasts; requests that are under way then are still counted.
        levels: numbers of clients, ascending.
        clock: seconds.
    """
    clients: list[Callable[[int], object]] = []
    done: list[Level] = []
    for round_, count in enumerate(levels):
        clients += [open_client() for _ in range(count - len(clients))]
        done.append(_level(clients[:count], seconds, round_ * 1_000_000, clock))
        if done[-1].failed or _gain(done) < GAIN:
            break
    return done


def saturation(levels: Sequence[Level]) -> int | None:
    """The fewest clients that bring (nearly) all that there is; None where the sweep ended before that."""
    working = [level for level in levels if not level.failed]
    if len(levels) < 2 or not working or (levels[-1] in working and _gain(levels) >= GAIN):
        return None
    best = max(level.calls_per_second for level in working)
    return next(level.clients for level in working if level.calls_per_second * GAIN >= best)


def _gain(levels: Sequence[Level]) -> float:
    if len(levels) < 2:
        return float("inf")
    before = max(level.calls_per_second for level in levels[:-1])
    return levels[-1].calls_per_second / before if before else 0.0


def _level(clients: Sequence[Callable[[int], object]], seconds: float, offset: int, clock: Clock) -> Level:
    taken: list[float] = []
    wrong: list[str] = []
    start = clock()

    def work(index: int) -> None:
        number = offset + index
        while True:
            begun = clock()
            try:
                clients[index](number)
            except Exception as error:  # noqa: BLE001 - whatever a client raises under load is the finding
                wrong.append(f"{type(error).__name__}: {error}")
                return
            taken.append((clock() - begun) * 1e3)
            number += len(clients)
            if clock() - start >= seconds:
                return

    threads = [threading.Thread(target=work, args=(i,), daemon=True) for i in range(len(clients))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    elapsed = max(clock() - start, 1e-9)
    found = latencies(taken) if taken else None
    return Level(len(clients), len(taken) / elapsed, found, len(wrong), wrong[0] if wrong else "")
