import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from steelyard.retrieval.order import TieOrder
from steelyard.types import ranked_arrays

ids = st.lists(st.text(max_size=4), unique=True, min_size=1, max_size=30)


@given(ids, st.data())
def test_is_the_one_sort_rule(ids, data):
    scores = data.draw(
        st.lists(st.sampled_from([-1.0, -0.0, 0.0, 0.5, 1e30]), min_size=len(ids), max_size=len(ids)),
    )
    k = data.draw(st.integers(1, 40))
    values = np.array(scores, dtype=np.float32)
    ours = TieOrder(ids).ranking("q", np.arange(len(ids)), values, k)
    wanted = ranked_arrays("q", ids, values, k)
    assert ours == wanted
    assert (ours.scores == wanted.scores).all()


def test_nan_is_refused():
    with pytest.raises(ValueError, match="NaN"):
        TieOrder(["a"]).ranking("q", np.array([0]), np.array([np.nan], dtype=np.float32), 1)
