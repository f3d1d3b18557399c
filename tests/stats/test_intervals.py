import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from steelyard.errors import DataError
from steelyard.stats.clusters import Clusters
from steelyard.stats.intervals import Interval, interval, newcombe, wilson


@given(
    st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), st.sampled_from([0.8, 0.95, 0.99])
)
def test_wilson_equals_scipy(case: Any, confidence: float) -> None:
    successes, n = case
    reference = stats.binomtest(successes, n).proportion_ci(confidence, method="wilson")
    ours = wilson(successes, n, confidence)
    assert (ours.low, ours.high) == pytest.approx((reference.low, reference.high), abs=1e-12)
    assert 0 <= ours.low <= ours.estimate <= ours.high <= 1


def test_seven_of_eight() -> None:
    ours = wilson(7, 8)
    assert (round(100 * ours.low), round(100 * ours.high)) == (53, 98)
    assert str(ours) == "0.875 (0.529 to 0.978)"


def test_newcombe_reproduces_the_paper() -> None:
    # Newcombe 1998 (Statistics in Medicine 17:2635), table II, method 10, cells 36, 12, 2, 0.
    ours = newcombe(36, 12, 2, 0)
    assert (round(ours.estimate, 4), round(ours.low, 4), round(ours.high, 4)) == (0.2, 0.0569, 0.3404)


@given(*[st.integers(0, 60)] * 4)
def test_newcombe_contains_the_difference_and_mirrors(both: Any, only_a: Any, only_b: Any, neither: Any) -> None:
    one, other = newcombe(both, only_a, only_b, neither), newcombe(both, only_b, only_a, neither)
    if both + only_a + only_b + neither:
        assert -1 <= one.low <= one.estimate <= one.high <= 1
    assert (one.low, one.high) == pytest.approx((-other.high, -other.low), abs=1e-12)


@given(st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=40))
def test_an_interval_contains_its_mean(values: list[float]) -> None:
    one = interval(values)
    assert one.low <= one.estimate + 1e-9
    assert one.high >= one.estimate - 1e-9
    assert one.n == len(values)


def test_unbounded_means_are_students() -> None:
    x = np.random.default_rng(3).normal(5, 2, 30)
    reference = stats.ttest_1samp(x, 0).confidence_interval(0.95)
    ours = interval(x)
    assert ours.method == "student"
    assert (ours.low, ours.high) == pytest.approx((reference.low, reference.high), abs=1e-12)


def test_graded_means_are_wilsons_with_the_size_that_varies_as_much() -> None:
    x = np.random.default_rng(4).beta(2, 5, 200)
    ours = interval(x)
    p, g = x.mean(), 200
    ratio = (x.var(ddof=1) * g + 2 * p * (1 - p)) / (p * (1 - p) * (g + 2))
    z = stats.t.ppf(0.975, g - 1)
    assert ours.method == "effective"
    # The ends solve (p - end)^2 = z^2 end (1 - end) ratio / n, which defines the score interval.
    for end in (ours.low, ours.high):
        assert (p - end) ** 2 == pytest.approx(z**2 * end * (1 - end) * ratio / g, rel=1e-9)


def test_clusters_widen_a_mean() -> None:
    x = np.repeat([0.0, 1.0, 1.0, 0.0, 1.0, 0.0, 1.0, 1.0], 10)
    codes = Clusters(np.repeat(np.arange(8), 10), 80)
    assert interval(x, clusters=codes).high - interval(x, clusters=codes).low > 2 * (interval(x).high - interval(x).low)


def test_degenerate_cases() -> None:
    assert interval([1.0] * 8) == wilson(8, 8)
    assert interval([0.0, 1.0, 1.0]) == wilson(2, 3)
    assert interval([0.4] * 5).low < 0.3
    assert interval([0.4] * 5).high < 1
    assert interval([0.3]).low < 0.1
    assert interval([7.0]) == Interval(7.0, -math.inf, math.inf, 1, "none")
    empty = interval([])
    assert math.isnan(empty.estimate)
    assert (empty.low, empty.high, empty.n) == (0.0, 1.0, 0)
    assert math.isnan(interval([], bounded=False).low)
    same = interval([5.0, 5.0, 5.0])
    assert (same.low, same.high) == (5.0, 5.0)
    assert interval([0.1 + 0.2] * 3, bounded=True).estimate == pytest.approx(0.3)


def test_refusals() -> None:
    with pytest.raises(DataError, match="finite"):
        interval([0.5, math.nan])
    with pytest.raises(DataError, match="9 successes of 8"):
        wilson(9, 8)
