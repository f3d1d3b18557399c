from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from steelyard.engines.builtin.batching import padded_batches

lengths_and_budget = (st.lists(st.integers(0, 600), max_size=80), st.integers(1, 2000))


@given(*lengths_and_budget)
def test_padded_batches_hold_every_text_once_within_the_budget(lengths: Any, budget: Any) -> None:
    batches = padded_batches(lengths, budget)
    assert sorted(i for b in batches for i in b) == list(range(len(lengths)))
    for batch in batches:
        assert len(batch) == 1 or len(batch) * max(lengths[i] for i in batch) <= budget


def test_batches_are_filled() -> None:
    assert len(padded_batches([10] * 100, 100)) == 10
