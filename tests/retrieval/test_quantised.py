"""Fewer bits: the arithmetic against a direct one, and what rescoring gives back."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from steelyard.errors import ExpressionError, UsageError
from steelyard.retrieval.builder import SystemBuilder
from steelyard.retrieval.exact import ExactIndex
from steelyard.retrieval.quantised import QuantisedIndex, quantised, signs
from steelyard.retrieval.resolve import read_system, read_systems
from steelyard.types import Document, Query, ranked


def unit(rng: Any, n: Any, d: Any) -> Any:
    rows = rng.standard_normal((n, d)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def names(n: Any) -> list[Any]:
    return [f"d{i:03}" for i in range(n)]


@given(st.integers(1, 40), st.integers(1, 70), st.integers(0, 9))
def test_binary_orders_by_hamming_distance(n: int, d: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    documents, queries = unit(rng, n, d), unit(rng, 3, d)
    found = QuantisedIndex(names(n), documents, "binary").search(["a", "b", "c"], queries, 7)
    for ranking, query in zip(found, queries, strict=True):
        distances = np.unpackbits(np.packbits(documents > 0, axis=1) ^ np.packbits(query > 0), axis=1).sum(axis=1)
        scores = {i: float(d - 2 * h) for i, h in zip(names(n), distances.tolist(), strict=True)}
        assert ranking == ranked(ranking.query_id, scores, 7)
        assert list(ranking.scores) == [scores[i] for i in ranking.document_ids]


@given(st.integers(1, 30), st.integers(1, 40), st.integers(0, 9))
def test_int8_is_off_by_half_a_step_at_most(n: int, d: int, seed: int) -> None:
    rows = unit(np.random.default_rng(seed), n, d)
    small = quantised(rows, "int8")
    steps = np.abs(rows).max(axis=0) / 127
    assert (np.abs(small - rows) <= steps * 0.501).all()
    for column, step in zip(small.T, steps, strict=True):
        assert len(np.unique(np.rint(column / step))) <= 255


def test_int8_of_a_dimension_without_values() -> None:
    rows = np.array([[1, 0], [-1, 0]], dtype=np.float32)
    assert (quantised(rows, "int8") == rows).all()
    assert quantised(rows[:0], "int8").shape == (0, 2)


def test_float32_is_left_alone() -> None:
    rng = np.random.default_rng(1)
    documents, queries = unit(rng, 50, 16), unit(rng, 4, 16)
    plain = ExactIndex(names(50), documents).search(list("abcd"), queries, 9)
    assert QuantisedIndex(names(50), documents, "float32", rescore=3).search(list("abcd"), queries, 9) == plain


@pytest.mark.parametrize("precision", ["int8", "binary"])
def test_rescoring_everything_gives_the_full_ranking_back(precision: str) -> None:
    rng = np.random.default_rng(2)
    documents, queries = unit(rng, 60, 24), unit(rng, 5, 24)
    plain = ExactIndex(names(60), documents).search(list("abcde"), queries, 10)
    assert QuantisedIndex(names(60), documents, precision, rescore=60).search(list("abcde"), queries, 10) == plain  # type: ignore[arg-type]


def test_rescoring_only_reorders_the_first_hits() -> None:
    rng = np.random.default_rng(3)
    documents, queries = unit(rng, 60, 24), unit(rng, 1, 24)
    rough = QuantisedIndex(names(60), documents, "binary").search(["a"], queries, 30)[0]
    fine = QuantisedIndex(names(60), documents, "binary", rescore=8).search(["a"], queries, 30)[0]
    assert fine.document_ids != rough.document_ids
    assert set(fine.document_ids[:8]) == set(rough.document_ids[:8])
    assert fine.document_ids[8:] == rough.document_ids[8:]
    assert (np.diff(fine.scores) <= 0).all()
    exact = {i: float(documents[names(60).index(i)] @ queries[0]) for i in fine.document_ids[:8]}
    assert sorted(exact, key=exact.get, reverse=True) == list(fine.document_ids[:8])  # type: ignore[arg-type]


def test_fewer_hits_than_rescored() -> None:
    rng = np.random.default_rng(4)
    found = QuantisedIndex(names(3), unit(rng, 3, 8), "binary", rescore=20).search(["a"], unit(rng, 1, 8), 2)
    assert len(found[0]) == 2


def test_signs_of_zero_are_negative() -> None:
    assert signs(np.array([[0.0, 0.1, -0.1]], dtype=np.float32)).tolist() == [[-1, 1, -1]]


def test_an_unknown_precision_is_refused() -> None:
    with pytest.raises(UsageError, match="int4"):
        quantised(np.zeros((1, 1), dtype=np.float32), "int4")  # type: ignore[arg-type]
    with pytest.raises(ExpressionError, match="one of float32, int8, binary"):
        read_systems(["e5-small[precision=int4]"])


def test_an_expression_asks_for_it() -> None:
    texts = ["申请退款的步骤", "今晚的月亮很圆", "利率下调了", "怎样煮面条"]
    documents = [Document(str(i), t) for i, t in enumerate(texts)]
    workshop = SystemBuilder()
    scores = {}
    for source in (
        "use-multilingual",
        "use-multilingual[precision=binary]",
        "use-multilingual[precision=binary,rescore=4]",
    ):
        system = workshop.build(read_system(source))
        system.index(documents)
        scores[source] = system.search([Query("q", "怎么退货")], 4)[0]
    full, binary, rescored = scores.values()
    assert all(float(s).is_integer() for s in binary.scores)
    assert rescored == full
    assert np.allclose(rescored.scores, full.scores)
