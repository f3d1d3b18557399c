"""What a server keeps is bounded: freed memory goes back to the system, and clients cannot add to its metrics."""

from __future__ import annotations

import asyncio
import platform
import threading

import httpx
import pytest

from steelyard.cost.memory import current_rss
from steelyard.serving.fair_queue import Lane, QueueLimits
from steelyard.serving.memory_trimmer import MemoryTrimmer, give_back
from steelyard.serving.scheduler import Ask, Group, Scheduler
from waiting import until


def test_it_is_given_back_once_for_what_ran() -> None:
    now, given = [100.0], list[float]()
    spare = MemoryTrimmer(lambda: given.append(now[0]), 30.0, lambda: now[0])
    assert spare.due_in() is None
    spare.tidy()
    spare.used()
    assert spare.due_in() == 30.0
    spare.tidy()
    assert not given
    now[0] = 131.0
    assert spare.due_in() == 0.0
    spare.tidy()
    assert given == [131.0]
    assert spare.due_in() is None
    spare.used()
    now[0] = 160.0
    assert spare.due_in() == 1.0


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library has no malloc_trim")
def test_the_c_library_gives_back_what_was_freed_below_something_that_stays() -> None:
    blocks = [bytearray(b"x" * 65536) for _ in range(1000)]  # on the heap: glibc maps only larger ones by themselves
    kept = blocks[-1]
    del blocks
    before = current_rss()
    assert give_back()
    assert before - current_rss() > 30_000_000
    assert len(kept) == 65536


def test_a_scheduler_gives_back_when_nothing_comes_any_more() -> None:
    given = threading.Event()
    spare = MemoryTrimmer(given.set, 0.01)
    scheduler = Scheduler(lambda group, texts: texts, QueueLimits(10, 1000), spare=spare)
    try:
        asyncio.run(scheduler.run(Ask("a", Lane.QUERY, Group("m"), ["x"], (1,))))
        assert given.wait(10)
        until(lambda: spare.due_in() is None)  # nothing has run since
        assert asyncio.run(scheduler.run(Ask("a", Lane.QUERY, Group("m"), ["y"], (1,)))) == ["y"]
    finally:
        scheduler.close()


def test_what_clients_make_up_adds_no_series_to_the_metrics(http: httpx.Client) -> None:
    def make_up(number: int) -> None:
        http.get(f"/nowhere/{number}")
        http.get(f"/v1/models/none-{number}")
        http.post("/v1/embeddings", json={"model": f"none-{number}", "input": "x"})
        http.post("/v1/embeddings", json={"model": "fake", "input": f"text {number}", "user": f"user {number}"})

    make_up(0)
    http.get("/metrics")
    before = len(http.get("/metrics").text.splitlines())
    for number in range(1, 20):
        make_up(number)
    assert len(http.get("/metrics").text.splitlines()) == before
