from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from steelyard.errors import UsageError
from steelyard.retrieval.exact import ExactIndex
from steelyard.types import ranked_arrays


def brute(ids: Any, documents: Any, query_ids: Any, queries: Any, k: Any) -> list[Any]:
    scores = (queries.astype(np.float64)[:, None, :] * documents.astype(np.float64)[None]).sum(axis=2)
    return [ranked_arrays(i, ids, s.astype(np.float32), k) for i, s in zip(query_ids, scores, strict=True)]


def assert_same(ours: Any, wanted: Any) -> None:
    assert ours == wanted
    for a, b in zip(ours, wanted, strict=True):
        np.testing.assert_array_equal(a.scores, b.scores)


@given(st.data())
def test_ties_follow_the_one_rule_across_blocks_and_at_the_edge(data: st.DataObject) -> None:
    n, q, d = data.draw(st.integers(1, 40)), data.draw(st.integers(1, 4)), data.draw(st.integers(1, 3))
    values = st.integers(-1, 1)
    documents = data.draw(arrays(np.int8, (n, d), elements=values)).astype(np.float32)
    queries = data.draw(arrays(np.int8, (q, d), elements=values)).astype(np.float32)
    k, block = data.draw(st.integers(1, 45)), data.draw(st.integers(1, 45))
    ids = [f"d{i * 7919 % 101}" for i in range(n)]
    query_ids = [f"q{i}" for i in range(q)]
    ours = ExactIndex(ids, documents, block_rows=block).search(query_ids, queries, k)
    assert_same(ours, brute(ids, documents, query_ids, queries, k))


@pytest.mark.parametrize("k", [1, 10, 3000])
def test_real_vectors_with_twins_in_other_blocks(k: int) -> None:
    rng = np.random.default_rng(7)
    distinct = rng.standard_normal((900, 96)).astype(np.float32)
    documents = np.concatenate([distinct, distinct[::-1], distinct[:37]])
    queries = rng.standard_normal((270, 96)).astype(np.float32)
    ids = [f"d{i:05d}" for i in rng.permutation(len(documents))]
    query_ids = [f"q{i}" for i in range(len(queries))]
    wanted = brute(ids, documents, query_ids, queries, k)
    for block in (100, 8192):
        assert_same(ExactIndex(ids, documents, block_rows=block).search(query_ids, queries, k), wanted)


def test_nearly_equal_scores_are_told_apart_exactly() -> None:
    rng = np.random.default_rng(3)
    base = rng.standard_normal(512).astype(np.float32)
    documents = np.tile(base, (2000, 1))
    documents += rng.integers(-3, 4, documents.shape).astype(np.float32) * np.spacing(np.abs(documents))
    ids = [f"d{i}" for i in range(2000)]
    ours = ExactIndex(ids, documents, block_rows=333).search(["q"], base[None], 25)
    assert_same(ours, brute(ids, documents, ["q"], base[None], 25))


def test_a_mapped_file_is_searched_like_an_array(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    documents, queries = (rng.standard_normal((rows, 8)).astype(np.float32) for rows in (500, 3))
    path = tmp_path / "vectors.bin"
    documents.tofile(path)
    mapped = np.memmap(path, dtype=np.float32, mode="r", shape=documents.shape)
    ids = [str(i) for i in range(500)]
    seen = []
    ours = ExactIndex(ids, mapped, block_rows=200).search(["a", "b", "c"], queries, 4, lambda *p: seen.append(p))
    assert_same(ours, brute(ids, documents, ["a", "b", "c"], queries, 4))
    assert seen == [("search", 200, 500), ("search", 400, 500), ("search", 500, 500)]


def test_nothing_to_search() -> None:
    empty = ExactIndex([], np.zeros((0, 4), dtype=np.float32))
    assert [len(r) for r in empty.search(["q"], np.zeros((1, 4), dtype=np.float32), 5)] == [0]
    some = ExactIndex(["a"], np.ones((1, 4), dtype=np.float32))
    assert some.search([], np.zeros((0, 4), dtype=np.float32), 5) == []


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(UsageError, match="2 ids do not fit"):
        ExactIndex(["a", "b"], np.ones((1, 4), dtype=np.float32))
    index = ExactIndex(["a"], np.ones((1, 4), dtype=np.float32))
    with pytest.raises(UsageError, match=r"shape \(1, 3\)"):
        index.search(["q"], np.ones((1, 3), dtype=np.float32), 1)
    with pytest.raises(UsageError, match="at least 1"):
        index.search(["q"], np.ones((1, 4), dtype=np.float32), 0)
    with pytest.raises(ValueError, match="NaN"):
        index.search(["q"], np.full((1, 4), np.nan, dtype=np.float32), 1)


@pytest.mark.parametrize("k", [5, 40, 400])
def test_vectors_that_are_nearly_all_alike(k: int) -> None:
    rng = np.random.default_rng(11)
    common = rng.standard_normal(48).astype(np.float32)
    documents = common + rng.standard_normal((3000, 48)).astype(np.float32) * np.float32(1e-6)
    queries = common + rng.standard_normal((6, 48)).astype(np.float32) * np.float32(1e-3)
    ids = [f"d{i}" for i in range(len(documents))]
    wanted = brute(ids, documents, list("abcdef"), queries, k)
    for block in (700, 8192):
        assert_same(ExactIndex(ids, documents, block_rows=block).search(list("abcdef"), queries, k), wanted)


@given(st.integers(0, 2**32 - 1), st.integers(1, 90), st.integers(1, 64), st.integers(1, 100), st.integers(1, 100))
def test_signs_need_no_second_look(seed: int, n: int, d: int, k: int, block: int) -> None:
    rng = np.random.default_rng(seed)
    documents, queries = (rng.choice([-1, 1], (rows, d)).astype(np.float32) for rows in (n, 3))
    ids = [f"d{i * 7919 % 101}" for i in range(n)]
    ours = ExactIndex(ids, documents, block_rows=block, signs=True).search(list("abc"), queries, k)
    assert_same(ours, brute(ids, documents, list("abc"), queries, k))


@given(st.integers(0, 2**32 - 1), st.integers(1, 300), st.sampled_from([0.0, 1e-30, 1e-6, 1.0, 1e20]))
def test_orders_of_magnitude_make_no_difference(seed: int, n: int, spread: float) -> None:
    rng = np.random.default_rng(seed)
    documents = rng.standard_normal((n, 7)).astype(np.float32) * np.float32(spread)
    documents[rng.random(documents.shape) < 0.4] = 0
    queries = rng.standard_normal((4, 7)).astype(np.float32)
    ids = [f"d{i}" for i in range(n)]
    ours = ExactIndex(ids, documents, block_rows=64).search(list("abcd"), queries, 3)
    assert_same(ours, brute(ids, documents, list("abcd"), queries, 3))
