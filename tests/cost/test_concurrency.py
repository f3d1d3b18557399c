"""Load on an endpoint: found saturation, failures kept as findings."""

import threading
import time

import pytest

from steelyard.cost.concurrency import Level, saturation, sweep
from steelyard.cost.latency import Latencies


class Server:
    """Serves ``room`` requests at once, each in some milliseconds."""

    def __init__(self, room, milliseconds=10):
        self.room = threading.Semaphore(room)
        self.seconds = milliseconds / 1e3
        self.seen = []

    def client(self):
        def call(number):
            self.seen.append(number)
            with self.room:
                time.sleep(self.seconds)

        return call


def test_saturation_is_where_more_clients_bring_nothing():
    server = Server(room=4, milliseconds=20)
    levels = sweep(server.client, seconds=0.4)
    assert saturation(levels) == 4
    assert levels[-1].clients == 8
    assert levels[0].calls_per_second < 51
    assert levels[-1].latency.p99 > 1.5 * levels[0].latency.p50


def test_no_two_requests_are_alike():
    server = Server(room=8, milliseconds=1)
    sweep(server.client, seconds=0.05, levels=(1, 2, 4))
    assert len(server.seen) == len(set(server.seen)) > 10


def test_a_refusal_under_load_is_a_finding():
    busy = threading.Semaphore(2)

    def client():
        def call(number):
            if not busy.acquire(blocking=False):
                raise ConnectionError("429 too many requests")
            time.sleep(0.02)
            busy.release()

        return call

    levels = sweep(client, seconds=0.2)
    assert levels[-1].failed
    assert "429" in levels[-1].trouble
    assert levels[-1].clients == 4
    assert saturation(levels) in (1, 2)


def level(clients, rate, failed=0):
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
def test_saturation_of_given_levels(levels, wanted):
    assert saturation(levels) == wanted
