import pytest
from hypothesis import given
from hypothesis import strategies as st

from steelyard.stats.pareto import dominates

POINTS = st.lists(st.tuples(*[st.integers(0, 3)] * 3), min_size=1, max_size=8)


@given(POINTS)
def test_it_is_a_strict_order_with_a_front_that_is_never_empty(points: list[tuple[int, int, int]]) -> None:
    for a in points:
        assert not dominates(a, a)
        for b in points:
            assert not (dominates(a, b) and dominates(b, a))
            assert all(dominates(a, c) for c in points if dominates(a, b) and dominates(b, c))
    front = {p for p in points if not any(dominates(o, p) for o in points)}
    assert max(points) in front
    assert all(p in front or any(dominates(f, p) for f in front) for p in points)


def test_points_of_different_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="longer"):
        dominates((1.0,), (1.0, 2.0))
