from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from steelyard.retrieval.order import NO_KEY, TieOrder
from steelyard.types import ranked_arrays

ids = st.lists(st.text(max_size=4), unique=True, min_size=1, max_size=30)


@given(ids, st.data())
def test_is_the_one_sort_rule(ids: Any, data: st.DataObject) -> None:
    scores = data.draw(
        st.lists(st.sampled_from([-1.0, -0.0, 0.0, 0.5, 1e30]), min_size=len(ids), max_size=len(ids)),
    )
    k = data.draw(st.integers(1, 40))
    values = np.array(scores, dtype=np.float32)
    ours = TieOrder(ids).ranking("q", np.arange(len(ids)), values, k)
    wanted = ranked_arrays("q", ids, values, k)
    assert ours == wanted
    assert (ours.scores == wanted.scores).all()


def test_nan_is_refused() -> None:
    with pytest.raises(ValueError, match="NaN"):
        TieOrder(["a"]).ranking("q", np.array([0]), np.array([np.nan], dtype=np.float32), 1)


@given(st.data())
def test_keys_rank_as_the_one_rule_does(data: st.DataObject) -> None:
    ids = data.draw(st.lists(st.text(min_size=1, max_size=3), min_size=1, max_size=20, unique=True))
    finite = st.floats(width=32, allow_nan=False)
    few = st.one_of(finite, st.sampled_from([0.0, -0.0, 1.0, float("inf"), float("-inf")]))
    values = np.array(data.draw(st.lists(few, min_size=len(ids), max_size=len(ids))), dtype=np.float32)
    order = TieOrder(ids)
    keys = np.append(order.keys(np.arange(len(ids)), values), NO_KEY)[None]
    (ours,) = order.rankings(["q"], keys)
    wanted = ranked_arrays("q", ids, values)
    assert ours == wanted
    np.testing.assert_array_equal(ours.scores, wanted.scores)


def test_keys_refuse_a_score_that_is_nan() -> None:
    with pytest.raises(ValueError, match="NaN"):
        TieOrder(["a"]).keys(np.array([0]), np.array([[np.nan]], dtype=np.float32))
