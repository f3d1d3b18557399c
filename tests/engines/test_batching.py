import pytest
from hypothesis import given
from hypothesis import strategies as st

from steelyard.engines.batching import packed_batches, padded_batches

lengths_and_budget = (st.lists(st.integers(0, 600), max_size=80), st.integers(1, 2000))


@given(*lengths_and_budget)
def test_padded_batches_hold_every_text_once_within_the_budget(lengths, budget):
    batches = padded_batches(lengths, budget)
    assert sorted(i for b in batches for i in b) == list(range(len(lengths)))
    for batch in batches:
        assert len(batch) == 1 or len(batch) * max(lengths[i] for i in batch) <= budget


@given(*lengths_and_budget)
def test_packed_batches_hold_every_text_once_in_order(lengths, budget):
    batches = packed_batches(lengths, budget)
    assert [i for b in batches for i in b] == list(range(len(lengths)))
    for batch in batches:
        assert len(batch) == 1 or sum(lengths[i] for i in batch) <= budget


@pytest.mark.parametrize("plan", [packed_batches, padded_batches])
def test_batches_are_filled(plan):
    assert len(plan([10] * 100, 100)) == 10
