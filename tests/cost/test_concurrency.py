"""Load on an endpoint: found saturation, failures kept as findings. Time is counted, not waited for."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from steelyard.cost.concurrency import Level, saturation, sweep
from steelyard.cost.latency import Latencies

TICK = 0.02


class Server:
    """Serves ``room`` requests at once, each in a tick of its own clock; clients go in step, so figures are exact.

    Args:
        room: requests of a round that take one tick; the next so many take two, and so on.
        refuse: whether requests beyond the room are refused instead.
    """

    def __init__(self, room: int, *, refuse: bool = False) -> None:
        self.room, self.refuse = room, refuse
        self.seen: list[int] = []
        self.now = 0.0
        self._opened = 0
        self._lock = threading.Lock()
        self._taken = 0
        self._round = threading.Barrier(1)

    def clock(self) -> float:
        return self.now

    def client(self) -> Callable[[int], object]:
        self._opened += 1
        self._round = threading.Barrier(self._opened, self._tick)

        def call(number: int) -> None:
            with self._lock:
                self.seen.append(number)
                self._taken += 1
                refused = self.refuse and self._taken > self.room
            self._round.wait(60)
            if refused:
                raise ConnectionError("429 too many requests")

        return call

    def _tick(self) -> None:
        self.now += TICK * (1 if self.refuse else -(-self._taken // self.room))
        self._taken = 0


def test_saturation_is_where_more_clients_bring_nothing() -> None:
    server = Server(room=4)
    levels = sweep(server.client, 10 * TICK, clock=server.clock)
    assert [(level.clients, round(level.calls_per_second)) for level in levels] == [
        (1, 50),
        (2, 100),
        (4, 200),
        (8, 200),
    ]
    assert saturation(levels) == 4
    assert [level.latency and round(level.latency.p50) for level in levels] == [20, 20, 20, 40]


def test_no_two_requests_are_alike() -> None:
    server = Server(room=8)
    sweep(server.client, 10 * TICK, levels=(1, 2, 4), clock=server.clock)
    assert len(server.seen) == len(set(server.seen)) > 10


def test_a_refusal_under_load_is_a_finding() -> None:
    server = Server(room=2, refuse=True)
    levels = sweep(server.client, TICK / 2, clock=server.clock)  # a round each: who was refused does not come again
    assert [level.clients for level in levels] == [1, 2, 4]
    assert levels[-1].failed == 2
    assert "429" in levels[-1].trouble
    assert saturation(levels) == 2


def level(clients: int, rate: float, failed: int = 0) -> Level:
    return Level(clients, rate, Latencies(1, 1, 1, 1), failed)


@pytest.mark.parametrize(
    ("levels", "wanted"),
    [
        ([level(1, 10)], None),
        ([level(1, 10), level(2, 20)], None),
        ([level(1, 10), level(2, 20), level(4, 21)], 2),
        ([level(1, 10), level(2, 10.5)], 1),
        ([level(1, 10, failed=3)], None),
        ([level(1, 10), level(2, 18), level(4, 30, failed=1)], 2),
    ],
)
def test_saturation_of_given_levels(levels: list[Level], wanted: int | None) -> None:
    assert saturation(levels) == wanted
