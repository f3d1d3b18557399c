from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from steelyard.errors import DataError
from steelyard.stats.paired import paired_test, paired_tests

grades = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=9)


def by_hand(a: Any, b: Any) -> Any:
    """All sign assignments in exact integers."""
    d = [x - y for x, y in zip(a, b, strict=True)]
    sums = [abs(sum(s * x for s, x in zip(signs, d, strict=True))) for signs in product((1, -1), repeat=len(d))]
    return sum(s >= abs(sum(d)) for s in sums) / len(sums)


@given(grades)
def test_small_cases_equal_enumeration(pairs: Any) -> None:
    a, b = zip(*pairs, strict=True)
    test = paired_test(a, b)
    assert test.p == pytest.approx(by_hand(a, b), abs=1e-12)
    assert test.method in ("binomial", "enumerated")


@given(grades)
def test_swapping_the_systems_mirrors(pairs: Any) -> None:
    a, b = map(np.array, zip(*pairs, strict=True))
    a, b = np.tile(a / 4, 5), np.tile(b / 4, 5)
    one, other = paired_test(a, b), paired_test(b, a)
    assert one.p == pytest.approx(other.p, abs=1e-12)
    assert one.difference == pytest.approx(-other.difference, abs=1e-12)


@given(st.integers(0, 400), st.integers(0, 400))
def test_binary_outcomes_are_mcnemar_exact_at_any_size(wins: int, losses: int) -> None:
    a, b = [1.0] * wins + [0.0] * losses + [1.0, 0.0], [0.0] * wins + [1.0] * losses + [1.0, 0.0]
    test = paired_test(a, b)
    expected = stats.binomtest(wins, wins + losses).pvalue if wins + losses else 1.0
    assert test.p == pytest.approx(expected, rel=1e-9)
    assert test.method == "binomial"
    assert test.differing == wins + losses


def test_seven_against_eight_of_eight() -> None:
    test = paired_test([1] * 8, [1] * 7 + [0])
    assert test.p == 1.0
    assert test.difference == 0.125


def test_the_saddlepoint_is_close_to_scipys_permutations_and_reaches_far_out() -> None:
    rng = np.random.default_rng(5)
    x = rng.normal(0.25, 1, 40)
    reference = stats.permutation_test(
        (x,), np.mean, permutation_type="samples", n_resamples=40_000, random_state=2, vectorized=True
    ).pvalue
    ours = paired_test(x, np.zeros(40))
    assert ours.method == "saddlepoint"
    assert ours.p == pytest.approx(reference, abs=4 * np.sqrt(reference / 40_000))
    clear = paired_test(np.arange(1, 41), np.zeros(40))
    assert clear.p == 2.0**-39


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from(["normal", "halves", "skewed"]))
def test_the_saddlepoint_against_all_sign_assignments(seed: int, kind: str) -> None:
    """The whole distribution of 17 and 18 differences, which the test itself does not go through."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(17, 19))
    signs = rng.choice([-1.0, 1.0], n, p=[0.3, 0.7])
    sizes = {
        "normal": np.abs(rng.normal(size=n)),
        "halves": rng.integers(1, 5, n) / 4,
        "skewed": rng.exponential(size=n),
    }
    x = signs * sizes[kind]
    codes = np.arange(2 ** (n - 1))[:, None]
    sums = np.abs((1.0 - 2.0 * ((codes >> np.arange(n)) & 1)) @ x)
    exact = float((sums >= abs(x.sum()) - 1e-9).mean())
    test = paired_test(x, np.zeros(n))
    if test.method == "saddlepoint" and exact <= 0.2:
        # A step of the exact distribution is up to 2 ** -(n - 1) times a few ties; beyond, a relative error.
        assert test.p == pytest.approx(exact, rel=0.25, abs=8 * 2.0 ** -(n - 1))


def test_p_is_about_uniform_when_nothing_differs() -> None:
    rng = np.random.default_rng(8)
    tests = paired_tests(rng.normal(size=(800, 30)))
    p = np.array([test.p for test in tests])
    assert stats.kstest(p, "uniform").pvalue > 0.01
    assert 0.03 <= (p <= 0.05).mean() <= 0.07


def test_rounding_is_no_win() -> None:
    assert paired_test([0.1 + 0.2], [0.3]).differing == 0
    test = paired_test([0.1 + 0.2, 0.5, 0.6], [0.3, 0.5, 0.6])
    assert test.p == 1.0


def test_same_p_alone_or_among_many() -> None:
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(5, 40))
    many = paired_tests(rows)
    assert [t.p for t in many] == [paired_tests(row[None, :])[0].p for row in rows]


def test_refusals_and_nothing() -> None:
    with pytest.raises(DataError, match="same queries"):
        paired_test([1.0], [1.0, 0.0])
    with pytest.raises(DataError, match="finite"):
        paired_test([float("nan")], [0.0])
    assert paired_test([], []).p == 1.0
