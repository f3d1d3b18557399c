from itertools import combinations
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from steelyard.errors import DataError
from steelyard.stats.correction import holm
from steelyard.stats.groups import groups, letters

NAMES = [f"s{i}" for i in range(7)]
PAIRS = list(combinations(NAMES, 2))


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([]).shape == (0,)
    with pytest.raises(DataError):
        holm([1.2])
    with pytest.raises(DataError):
        holm([float("nan")])


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_holm_keeps_order_and_never_lowers(p: list[float]) -> None:
    corrected = holm(p)
    assert (corrected >= np.array(p)).all()
    assert (corrected <= 1).all()
    assert (np.diff(corrected[np.argsort(p, kind="stable")]) >= 0).all()
    # Not stricter than Bonferroni.
    assert (corrected <= np.minimum(1, np.array(p) * len(p)) + 1e-12).all()


@given(st.sets(st.sampled_from(PAIRS)))
def test_systems_share_a_letter_exactly_when_they_do_not_differ(different: Any) -> None:
    shown = letters(NAMES, different)
    found = groups(NAMES, different)
    for a, b in PAIRS:
        assert bool(set(shown[a]) & set(shown[b])) == ((a, b) not in different)
        assert any(a in g and b in g for g in found) == ((a, b) not in different)
    assert all(shown.values())
    assert not any(set(g) < set(h) for g in found for h in found)


def test_letters_start_with_the_best() -> None:
    assert letters(["x", "y", "z"], [("z", "x")]) == {"x": "a", "y": "ab", "z": "b"}
    assert groups(["x", "y", "z"], [("x", "z")]) == (("x", "y"), ("y", "z"))
    assert groups([], []) == ()


def test_many_groups_run_past_z() -> None:
    names = [f"s{i}" for i in range(30)]
    shown = letters(names, list(combinations(names, 2)))
    assert shown["s25"] == "z"
    assert shown["s26"] == "aa"


def test_sixty_systems_in_overlapping_bands() -> None:
    names = [f"s{i}" for i in range(60)]
    different = [(a, b) for (i, a), (j, b) in combinations(enumerate(names), 2) if j - i > 5]
    assert len(groups(names, different)) == 55
