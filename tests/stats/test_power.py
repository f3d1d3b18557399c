from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from steelyard.errors import DataError, UsageError
from steelyard.stats.power import (
    Spread,
    critical_losses,
    decisive_queries,
    mcnemar_power,
    queries_needed,
    smallest_difference,
    smallest_mean_difference,
    superior_queries,
)


@given(st.integers(0, 3000), st.sampled_from([0.05, 0.01, 0.05 / 190]))
def test_critical_losses_are_the_last_significant_ones(m: int, alpha: Any) -> None:
    losses = int(critical_losses(np.array([m]), alpha)[0])
    assert losses == -1 or stats.binomtest(losses, m).pvalue <= alpha * (1 + 1e-9)
    if m:
        assert losses + 1 > m // 2 or stats.binomtest(losses + 1, m).pvalue > alpha * (1 - 1e-9)


@given(st.integers(1, 14), st.floats(0, 0.5), st.floats(0, 0.5))
def test_power_equals_enumeration(n: int, only_a: float, only_b: float) -> None:
    total = 0.0
    for wins in range(n + 1):
        for losses in range(n + 1 - wins):
            chance = stats.multinomial.pmf([wins, losses, n - wins - losses], n, [only_a, only_b, 1 - only_a - only_b])
            if wins + losses and stats.binomtest(wins, wins + losses).pvalue <= 0.05:
                total += chance
    assert mcnemar_power(n, only_a, only_b) == pytest.approx(total, abs=1e-6)


def test_power_agrees_with_simulation() -> None:
    rng = np.random.default_rng(0)
    draws = rng.multinomial(200, [0.15, 0.06, 0.79], size=1_500)
    p = [stats.binomtest(w, w + lo).pvalue for w, lo in draws[:, :2]]
    assert mcnemar_power(200, 0.15, 0.06) == pytest.approx(np.mean(np.array(p) <= 0.05), abs=0.03)


def test_the_published_eight_queries() -> None:
    assert smallest_difference(8).observed == 0.75
    assert smallest_difference(8).difference == pytest.approx(0.801, abs=0.001)
    needed = queries_needed(0.875, 1.0)
    assert needed.n == 62
    assert needed.discordance == pytest.approx(0.125)
    assert mcnemar_power(62, 0.125, 0) >= 0.8 > mcnemar_power(61, 0.125, 0)
    assert str(needed).startswith("62 queries are needed to tell 87.5 from 100.0")


def test_few_queries_show_nothing() -> None:
    assert smallest_difference(5).difference is None
    assert smallest_difference(5).observed is None
    assert smallest_difference(6).observed == 1.0
    assert "cannot show" in str(smallest_difference(0))


@settings(max_examples=25)
@given(st.integers(6, 400), st.floats(0.0, 1.0))
def test_smallest_difference_has_the_power_it_says(n: int, discordance: float) -> None:
    found = smallest_difference(n, discordance)
    d, c = found.difference, found.discordance
    assert d <= c + 1e-9
    assert mcnemar_power(n, (c + d) / 2, (c - d) / 2) >= 0.8 - 1e-6
    assert mcnemar_power(n, (c + d) / 2 - 0.02, (c - d) / 2 + 0.02) < 0.8 or d < 0.04 or d == c


@settings(max_examples=20)
@given(st.integers(1, 19), st.integers(1, 19), st.booleans())
def test_queries_needed_is_enough_and_symmetric(a: int, b: int, least: bool) -> None:
    if a == b:
        return
    discordance = abs(a - b) / 20 if least else None
    one, other = queries_needed(a / 20, b / 20, discordance), queries_needed(b / 20, a / 20, discordance)
    assert one.n == other.n
    up, down = (one.discordance + abs(a - b) / 20) / 2, (one.discordance - abs(a - b) / 20) / 2
    assert all(mcnemar_power(one.n + extra, up, max(0, down)) >= 0.8 for extra in range(30))


def test_tiny_differences_need_more_than_can_be_asked() -> None:
    assert queries_needed(0.5, 0.5 + 1e-6).n is None
    assert "more than" in str(queries_needed(0.5, 0.5 + 1e-6))


def test_graded_measures_agree_with_statsmodels() -> None:
    statsmodels = pytest.importorskip("statsmodels.stats.power")
    for n, alpha in ((8, 0.05), (30, 0.05 / 10), (416, 0.05)):
        ours = smallest_mean_difference(n, Spread(0.2), alpha=alpha)
        # statsmodels counts both tails; the other one's share is below 1e-4 here.
        effect = statsmodels.TTestPower().solve_power(None, nobs=n, alpha=alpha, power=0.8)
        assert ours == pytest.approx(0.2 * float(effect), rel=1e-3)
    assert smallest_mean_difference(1, Spread(0.2)) is None
    assert smallest_mean_difference(100, Spread(0.0)) is None


def test_clusters_have_fewer_degrees_of_freedom() -> None:
    alone, clustered = Spread(0.2), Spread(0.2, queries_a_unit=26)
    assert smallest_mean_difference(416, clustered) > smallest_mean_difference(416, alone)


@settings(max_examples=20)
@given(st.floats(0.0, 0.015), st.floats(0.05, 0.5), st.booleans())
def test_decisive_queries_have_the_power_asked_for(difference: float, deviation: float, binary: bool) -> None:
    spread = Spread(deviation, max(difference, deviation**2) if binary else None)
    count = decisive_queries(difference, spread, 0.02)
    worse = superior_queries(difference, spread)
    assert count <= (worse or count)
    # No worse is shown when the estimate lies above the margin by the interval's half width.
    z = stats.norm.ppf([0.975, 0.8]).sum()
    assert count <= 1.1 * (z * deviation / (0.02 - difference)) ** 2 + 12


def test_refusals() -> None:
    with pytest.raises(UsageError):
        queries_needed(0.5, 0.5)
    with pytest.raises(UsageError):
        queries_needed(0.5, 1.5)
    with pytest.raises(DataError, match=r"disagree on a share of 0\.1 to 0\.3"):
        queries_needed(0.9, 0.8, 0.5)
    with pytest.raises(UsageError):
        smallest_difference(-1)
    with pytest.raises(UsageError):
        smallest_difference(10, 1.5)
