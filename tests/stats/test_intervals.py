import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from steelyard.errors import DataError
from steelyard.stats.intervals import Interval, bootstrap_means, interval, newcombe, wilson


@given(
    st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), st.sampled_from([0.8, 0.95, 0.99])
)
def test_wilson_equals_scipy(case, confidence):
    successes, n = case
    reference = stats.binomtest(successes, n).proportion_ci(confidence, method="wilson")
    ours = wilson(successes, n, confidence)
    assert (ours.low, ours.high) == pytest.approx((reference.low, reference.high), abs=1e-12)
    assert 0 <= ours.low <= ours.estimate <= ours.high <= 1


def test_seven_of_eight():
    ours = wilson(7, 8)
    assert (round(100 * ours.low), round(100 * ours.high)) == (53, 98)
    assert str(ours) == "0.875 (0.529 to 0.978)"


def test_newcombe_reproduces_the_paper():
    # Newcombe 1998 (Statistics in Medicine 17:2635), table II, method 10, cells 36, 12, 2, 0.
    ours = newcombe(36, 12, 2, 0)
    assert (round(ours.estimate, 4), round(ours.low, 4), round(ours.high, 4)) == (0.2, 0.0569, 0.3404)


@given(*[st.integers(0, 60)] * 4)
def test_newcombe_contains_the_difference_and_mirrors(both, only_a, only_b, neither):
    one, other = newcombe(both, only_a, only_b, neither), newcombe(both, only_b, only_a, neither)
    if both + only_a + only_b + neither:
        assert -1 <= one.low <= one.estimate <= one.high <= 1
    assert (one.low, one.high) == pytest.approx((-other.high, -other.low), abs=1e-12)


@given(st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=40), st.integers(0, 5))
def test_bootstrap_contains_its_mean_and_repeats(values, seed):
    one = interval(values, seed=seed)
    assert one == interval(values, seed=seed)
    assert one.low <= one.estimate + 1e-9
    assert one.high >= one.estimate - 1e-9
    assert one.n == len(values)


def test_bootstrap_is_close_to_scipy_on_skewed_values():
    x = np.random.default_rng(3).exponential(size=60)
    reference = stats.bootstrap((x,), np.mean, method="BCa", n_resamples=20_000, random_state=1).confidence_interval
    low, high = bootstrap_means(x[None, :], resamples=20_000)[0]
    assert (low, high) == pytest.approx((reference.low, reference.high), abs=0.02)


def test_bootstrap_covers_about_as_often_as_it_says():
    rng = np.random.default_rng(11)
    rows = rng.beta(2, 5, size=(400, 50))
    ends = bootstrap_means(rows, resamples=1_000)
    covered = ((ends[:, 0] <= 2 / 7) & (ends[:, 1] >= 2 / 7)).mean()
    assert 0.90 <= covered <= 0.98


def test_degenerate_cases():
    assert interval([1.0] * 8) == wilson(8, 8)
    assert interval([0.0, 1.0, 1.0]) == wilson(2, 3)
    assert interval([0.4] * 5).method == "wilson"
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


def test_refusals():
    with pytest.raises(DataError, match="finite"):
        interval([0.5, math.nan])
    with pytest.raises(DataError, match="9 successes of 8"):
        wilson(9, 8)
