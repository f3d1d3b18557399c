"""The planner: order kept, budget kept, nobody starves."""

import math
import random
from collections import Counter, defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steelyard.serving.fair_queue import SHARE, SLACK, Batch, Lane, Planner, QueueFull, QueueLimits, Request

WIDE = QueueLimits(requests=10_000, tokens=10**9, client_share=1.0)
BUDGET = 50

requests = st.lists(
    st.builds(
        Request,
        id=st.just(0),
        client=st.sampled_from("abcd"),
        lane=st.sampled_from(Lane),
        group=st.sampled_from(["x", "y"]),
        costs=st.lists(st.integers(1, 80), min_size=1, max_size=12).map(tuple),
    ),
    max_size=25,
).map(lambda rs: [Request(i, r.client, r.lane, r.group, r.costs) for i, r in enumerate(rs)])


def planner_with(requests: list[Request], limits: QueueLimits = WIDE) -> Planner:
    planner = Planner(limits)
    for request in requests:
        planner.admit(request)
    return planner


def run(planner: Planner) -> list[Batch]:
    batches = []
    while (batch := planner.next_batch(lambda group: BUDGET)) is not None:
        batches.append(batch)
    return batches


@given(requests)
def test_every_item_runs_once_in_order_in_one_group_within_the_budget(waiting: list[Request]) -> None:
    by_id = {r.id: r for r in waiting}
    planner = planner_with(waiting)
    reached: dict[int, int] = defaultdict(int)
    for batch in run(planner):
        costs: list[int] = []
        for piece in batch.slices:
            request = by_id[piece.request]
            assert (request.group, request.lane) == (batch.group, batch.lane)
            assert piece.start == reached[piece.request] < piece.stop
            reached[piece.request] = piece.stop
            costs += request.costs[piece.start : piece.stop]
        assert batch.cost == sum(costs)
        assert batch.cost <= BUDGET or len(costs) == 1
    assert reached == {r.id: len(r.costs) for r in waiting}
    assert (len(planner), planner.tokens) == (0, 0)


@given(requests)
def test_requests_of_a_client_in_a_lane_start_in_the_order_they_came(waiting: list[Request]) -> None:
    started: dict[tuple[str, Lane], list[int]] = defaultdict(list)
    by_id = {r.id: r for r in waiting}
    for batch in run(planner_with(waiting)):
        for piece in batch.slices:
            if piece.start == 0:
                request = by_id[piece.request]
                started[request.client, request.lane].append(request.id)
    assert all(ids == sorted(ids) for ids in started.values())


@given(requests)
def test_bulk_waits_for_a_bounded_amount_of_queries(waiting: list[Request]) -> None:
    left = sum(r.lane is Lane.BULK for r in waiting and [x for x in waiting for _ in x.costs])
    between = 0
    for batch in run(planner_with(waiting)):
        if batch.lane is Lane.BULK:
            left -= sum(p.stop - p.start for p in batch.slices)
            between = 0
        elif left:
            between += batch.cost
            assert between <= SHARE * BUDGET + 2 * 80


@given(st.lists(st.integers(1, 40), min_size=20, max_size=40), st.integers(1, 40))
def test_two_busy_clients_get_the_same_share_of_tokens(greedy: list[int], modest: int) -> None:
    hog = [Request(i, "hog", Lane.BULK, "x", tuple(greedy)) for i in range(10)]
    small = Request(99, "small", Lane.BULK, "x", (modest,) * 5)
    planner = planner_with([*hog, small])
    served: Counter[str] = Counter()
    while 99 in planner:
        batch = planner.next_batch(lambda group: BUDGET)
        assert batch is not None
        for piece in batch.slices:
            request = small if piece.request == 99 else hog[0]
            served[request.client] += sum(request.costs[piece.start : piece.stop])
    assert served["hog"] <= served["small"] + BUDGET + 40


def test_a_query_overtakes_bulk_that_came_first() -> None:
    bulk = Request(1, "a", Lane.BULK, "x", (20,) * 50)
    query = Request(2, "b", Lane.QUERY, "q", (5,))
    planner = planner_with([bulk])
    planner.next_batch(lambda group: BUDGET)
    planner.admit(query)
    batch = planner.next_batch(lambda group: BUDGET)
    assert batch is not None
    assert [p.request for p in batch.slices] == [2]


def test_bulk_waits_little_longer_than_first_come_first_served_when_all_ask_again() -> None:
    draw, planner, made, done = random.Random(0), Planner(QueueLimits(10_000, 10**9)), dict[int, Request](), 0
    came: dict[int, tuple[int, int]] = {}
    waits: list[float] = []
    for number in range(4_000):
        bulk = draw.random() < 0.2
        request = Request(number, "all", Lane.BULK if bulk else Lane.QUERY, "x", (10,) * (16 if bulk else 1))
        made[number], came[number] = request, (done, planner.tokens)
        planner.admit(request)
        while len(planner) >= 200:
            batch = planner.next_batch(lambda group: BUDGET)
            assert batch is not None
            done += batch.cost
            ended = [p.request for p in batch.slices if p.stop == len(made[p.request].costs)]
            waits += [(done - came[i][0]) / (came[i][1] + 160) for i in ended if made[i].lane is Lane.BULK]
    assert len(waits) > 300
    assert max(waits) < SLACK + 0.3


def test_one_large_bulk_request_never_goes_before_queries() -> None:
    planner = planner_with([Request(0, "bulk", Lane.BULK, "x", (10,) * 3_000)])
    for number in range(1, 1_000):
        planner.next_batch(lambda group: BUDGET)
        if number % 3 == 0:
            planner.admit(Request(number, "asks", Lane.QUERY, "q", (5,)))
            batch = planner.next_batch(lambda group: BUDGET)
            assert batch is not None
            assert batch.lane is Lane.QUERY


@given(requests, st.data())
def test_what_is_dropped_never_runs_and_frees_the_queue(waiting: list[Request], data: st.DataObject) -> None:
    planner = planner_with(waiting)
    for _ in range(data.draw(st.integers(0, 3))):
        planner.next_batch(lambda group: BUDGET)
    gone = {r.id for r in waiting if data.draw(st.booleans()) and planner.drop(r.id)}
    assert not any(map(planner.drop, gone))
    assert not gone & {p.request for b in run(planner) for p in b.slices}
    assert (len(planner), planner.tokens) == (0, 0)


def test_a_late_request_is_dropped_and_named() -> None:
    planner = planner_with([Request(1, "a", Lane.BULK, "x", (1,), deadline=5.0), Request(2, "a", Lane.BULK, "x", (1,))])
    assert planner.expire(4.9) == []
    assert planner.expire(5.0) == [1]
    assert [p.request for b in run(planner) for p in b.slices] == [2]
    assert planner.expire(math.inf) == []


def test_the_bounds_of_the_queue() -> None:
    planner = Planner(QueueLimits(requests=4, tokens=100))
    planner.admit(Request(1, "a", Lane.BULK, "x", (500,)))
    with pytest.raises(QueueFull, match="500 tokens are waiting"):
        planner.admit(Request(2, "b", Lane.BULK, "x", (1,)))
    planner.drop(1)
    planner.admit(Request(3, "a", Lane.BULK, "x", (40,)))
    with pytest.raises(QueueFull, match="40 tokens of yours"):
        planner.admit(Request(4, "a", Lane.BULK, "x", (11,)))
    planner.admit(Request(5, "b", Lane.BULK, "x", (30,)))
    planner.admit(Request(6, "c", Lane.BULK, "x", (20,)))
    planner.admit(Request(7, "c", Lane.BULK, "x", (1,)))
    with pytest.raises(QueueFull, match="4 requests"):
        planner.admit(Request(8, "d", Lane.BULK, "x", (1,)))


def test_one_client_cannot_take_all_places_with_requests_that_cost_nothing() -> None:
    planner = Planner(QueueLimits(requests=8, tokens=10**6))
    for i in range(4):
        planner.admit(Request(i, "greedy", Lane.QUERY, "x", (1,)))
    with pytest.raises(QueueFull, match="4 requests of yours"):
        planner.admit(Request(4, "greedy", Lane.QUERY, "x", (1,)))
    planner.admit(Request(5, "modest", Lane.QUERY, "x", (1,)))
    planner.drop(0)
    planner.admit(Request(6, "greedy", Lane.QUERY, "x", (1,)))
    while planner.next_batch(lambda _: 1) is not None:
        pass
    for i in range(10, 14):
        planner.admit(Request(i, "greedy", Lane.QUERY, "x", (1,)))


def test_a_stream_of_newcomers_does_not_starve_an_old_client() -> None:
    planner = planner_with([Request(0, "old", Lane.BULK, "x", (10,) * 20)])
    for i in range(1, 3000):
        if 0 not in planner:
            break
        planner.admit(Request(i, f"new {i}", Lane.BULK, "x", (BUDGET,)))
        planner.next_batch(lambda group: BUDGET)
    assert i < 60


def test_memory_of_clients_is_bounded() -> None:
    planner = planner_with([Request(0, "always", Lane.BULK, "x", (1,) * 5000)])
    for i in range(1, 2000):
        planner.admit(Request(i, f"client {i}", Lane.BULK, "x", (1,)))
        planner.next_batch(lambda group: 1)
    assert len(planner._lanes[Lane.BULK].served) < 200


def test_memory_of_promises_to_bulk_is_bounded_when_only_bulk_comes() -> None:
    planner = Planner(QueueLimits(100, 10_000))
    for i in range(2000):
        planner.admit(Request(i, "a", Lane.BULK, "x", (1,)))
        planner.drop(i) if i % 2 else planner.next_batch(lambda group: BUDGET)
    assert len(planner._due) < 200
    assert (len(planner), planner.tokens, planner._held) == (0, 0, {})
