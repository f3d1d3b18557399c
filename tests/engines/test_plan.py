"""Every text is planned once, no batch is over its budget, and nothing fits that was left out."""

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steelyard.engines.plan import common_prefix, plan, runs

LENGTHS = st.lists(st.integers(1, 60), max_size=80)


@given(LENGTHS, st.integers(1, 100))
def test_every_text_once_and_no_batch_over_budget(lengths: Any, budget: int) -> None:
    batches = plan(lengths, budget)
    assert sorted(i for batch in batches for i in batch) == list(range(len(lengths)))
    for batch in batches:
        assert sum(lengths[i] for i in batch) <= budget or len(batch) == 1


@given(LENGTHS, st.integers(1, 100))
def test_texts_come_longest_first_and_equal_ones_in_their_order(lengths: Any, budget: int) -> None:
    flat = [i for batch in plan(lengths, budget) for i in batch]
    assert flat == sorted(range(len(lengths)), key=lambda i: (-lengths[i], i))


@given(LENGTHS, st.integers(1, 100))
def test_no_two_neighbouring_batches_would_fit_in_one(lengths: Any, budget: int) -> None:
    batches = plan(lengths, budget)
    for one, next_one in itertools.pairwise(batches):
        assert sum(lengths[i] for i in one) + lengths[next_one[0]] > budget


def test_a_text_over_the_budget_runs_alone() -> None:
    assert plan([5, 3000, 5], 2048) == [[1], [0, 2]]


@pytest.mark.parametrize(("lengths", "budget"), [([0], 5), ([1], 0)])
def test_what_cannot_be_planned_is_refused(lengths: list[int], budget: int) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        plan(lengths, budget)


@given(LENGTHS)
def test_runs_cover_the_pack_without_gap(lengths: Any) -> None:
    found = runs(lengths)
    assert [run.length for run in found for _ in range(run.count)] == lengths
    at = 0
    for run in found:
        assert run.start == at
        at = run.stop
    assert at == sum(lengths)
    assert all(a.length != b.length for a, b in itertools.pairwise(found))


@given(st.lists(st.lists(st.integers(0, 2), min_size=1, max_size=8), min_size=1, max_size=6))
def test_common_prefix_is_shared_longest_and_leaves_a_token(rows: list[list[int]]) -> None:
    n = common_prefix(rows)
    assert all(row[:n] == rows[0][:n] for row in rows)
    assert all(len(row) > n for row in rows)
    assert n + 1 == min(map(len, rows)) or len({tuple(row[: n + 1]) for row in rows}) > 1


def test_no_rows_share_nothing() -> None:
    assert common_prefix([]) == 0
