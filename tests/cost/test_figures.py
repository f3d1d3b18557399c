"""Figures with their spread, storage, prices, percentiles: arithmetic that must be exact."""

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steelyard.cost.figure import Figure, differ, figure, luck, optional_figure
from steelyard.cost.gemm import peak_share, sgemm_gflops
from steelyard.cost.latency import latencies, percentile, rate, time_calls
from steelyard.cost.price import Price, bill
from steelyard.cost.storage import bytes_of, grid, storage
from steelyard.errors import UsageError

positive = st.floats(1e-6, 1e6)


class Clock:
    """Goes on by the given steps, the last one for ever."""

    def __init__(self, *steps: Any) -> None:
        self.now = 0.0
        self.steps = list(steps)

    def __call__(self) -> Any:
        self.now += self.steps.pop(0) if len(self.steps) > 1 else self.steps[0]
        return self.now


@given(st.lists(positive, min_size=1, max_size=9))
def test_a_figure_lies_within_its_spread(values: list[Any]) -> None:
    f = figure(values)
    assert f.low == min(values) <= f.value <= f.high == max(values)
    assert f.rounds == len(values)
    assert f.spread >= 0


def test_spreads_that_touch_hide_the_difference() -> None:
    a, b = figure([1.0, 1.1, 1.2, 1.3]), figure([1.4, 1.5, 1.6, 1.7])
    assert differ(a, b)
    assert differ(b, a)
    assert not differ(a, figure([1.3, 1.5, 1.6, 1.7]))
    assert not differ(a, a)


def test_three_rounds_tell_nothing() -> None:
    assert not differ(figure([1, 1, 1]), figure([9, 9, 9, 9]))


def test_luck_is_the_share_of_orders_that_separate() -> None:
    rounds = 4
    ranks = range(2 * rounds)
    apart = [c for c in itertools.combinations(ranks, rounds) if max(c) == rounds - 1 or min(c) == rounds]
    assert luck(rounds, rounds) == len(apart) / len(list(itertools.combinations(ranks, rounds)))


def test_a_figure_of_nothing_is_none() -> None:
    assert optional_figure([None, None]) is None
    assert optional_figure([None, 2.0]) == Figure(value=2.0, low=2.0, high=2.0, rounds=1)


@given(st.lists(positive, min_size=1, max_size=300))
def test_percentiles_were_measured_and_never_fall(values: list[Any]) -> None:
    found = latencies(values)
    assert {found.p50, found.p95, found.p99} <= set(values)
    assert found.p50 <= found.p95 <= found.p99
    assert sum(v <= found.p95 for v in values) >= 0.95 * len(values)


def test_percentile_by_nearest_rank() -> None:
    assert [percentile(list(range(1, 101)), p) for p in (50, 95, 99, 100)] == [50, 95, 99, 100]
    assert percentile([7.0], 99) == 7.0


def test_calls_end_when_their_time_is_over() -> None:
    made: list[int] = []
    found = time_calls(made.append, count=100, seconds=1.0, warm_up=2, clock=Clock(0.25))
    assert made[:2] == [99, 98]
    assert found.count == len(made) - 2 == 2
    assert found.p99 == pytest.approx(250)


def test_one_call_is_made_however_short_the_time() -> None:
    assert time_calls(lambda i: None, count=5, seconds=0.0, clock=Clock(1.0)).count == 1


def test_rate_counts_units_over_time() -> None:
    per_second, done = rate(lambda i: 10, seconds=2.0, clock=Clock(0.0, 0.5))
    assert done == 40
    assert per_second == pytest.approx(20)
    per_second, done = rate(lambda i: 3, seconds=100, most=4, clock=Clock(0.0, 1.0))
    assert per_second == pytest.approx(3.0)
    assert done == 12


def test_storage_by_hand() -> None:
    assert bytes_of(1024, "float32", 1_000_000) == 4_096_000_000
    assert bytes_of(1024, "int8", 1_000_000) == 1_024_000_000 + 4 * 1024
    assert bytes_of(1024, "binary", 1_000_000) == 128_000_000
    assert bytes_of(33, "binary", 1) == 5
    assert storage(64, "binary", rescored=True).rescore_bytes_per_million == 256_000_000
    assert storage(64, "float32", rescored=True).rescore_bytes_per_million == 0
    assert [s.bytes_per_million for s in grid([32, 64], ["float32"])] == [128_000_000, 256_000_000]


def test_a_machine_by_the_hour() -> None:
    speed = figure([100.0, 90.0, 110.0])
    out = bill(Price(per_hour=3.6), speed, tokens_per_text=50)
    assert out.million_texts.value == pytest.approx(10.0)
    assert out.million_texts.low == pytest.approx(1000 / 110)
    assert out.million_tokens.value == pytest.approx(0.2)


def test_an_endpoint_by_the_token() -> None:
    out = bill(Price(per_million_tokens=0.1), None, tokens_per_text=40)
    assert out.million_texts.value == pytest.approx(4.0)
    assert bill(Price(per_million_tokens=0.1), None, None).million_texts is None


@pytest.mark.parametrize("price", [Price(), Price(per_hour=1, per_million_tokens=1), Price(per_hour=-1)])
def test_one_price_or_none(price: Any) -> None:
    with pytest.raises(UsageError, match="one price"):
        bill(price, figure([1.0]), None)


def test_free_machines_cost_nothing() -> None:
    assert bill(Price(per_hour=0), figure([5.0]), 10).million_texts.value == 0


def test_the_machine_multiplies() -> None:
    assert sgemm_gflops(seconds=0.0, side=64) > 0.01
    assert sgemm_gflops(seconds=0.0, side=100, clock=Clock(0.0, 0.001)) == pytest.approx(2.0)
    assert peak_share(1000, 50_000_000, 200) == pytest.approx(0.5)
