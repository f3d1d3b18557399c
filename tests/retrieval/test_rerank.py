from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from retrieval_fakes import FixedRetriever, LengthReranker

from steelyard.errors import UsageError
from steelyard.retrieval.rerank import RerankedRetriever
from steelyard.types import Document, Query, ranked_arrays

SCORES = {"a": 5.0, "b": 4.0, "c": 3.0, "d": 2.0, "e": 1.0}
DOCUMENTS = [Document(i, t) for i, t in zip("abcde", ("xxx", "x", "xx", "", "xxxx"), strict=True)]


def search(top: Any, k: Any, instruction: Any = None) -> tuple[Any, ...]:
    first, reranker = FixedRetriever(SCORES), LengthReranker()
    retriever = RerankedRetriever(first, reranker, top, instruction)
    retriever.index(DOCUMENTS)
    return retriever.search([Query("q", "text")], k)[0], first, reranker


def test_the_head_is_reranked_and_the_tail_keeps_its_order() -> None:
    ranking, _, reranker = search(top=3, k=5)
    assert ranking.document_ids == ("b", "c", "a", "d", "e")
    assert list(ranking.scores[:3]) == [-1, -2, -3]
    assert reranker.calls == [("text", ("xxx", "x", "xx"), None)]


def test_all_of_the_head_is_seen_even_where_less_is_asked_for() -> None:
    ranking, first, _ = search(top=4, k=1, instruction="find")
    assert ranking.document_ids == ("d",)
    assert first.asked == [4]


def test_the_instruction_reaches_the_reranker() -> None:
    assert search(top=1, k=1, instruction="find")[2].calls[0][2] == "find"


def test_no_hits_stay_none() -> None:
    retriever = RerankedRetriever(FixedRetriever({}), LengthReranker())
    retriever.index(DOCUMENTS)
    assert len(retriever.search([Query("q", "text")], 5)[0]) == 0


@pytest.mark.parametrize("top", [0, -1])
def test_a_head_of_nothing_is_refused(top: int) -> None:
    with pytest.raises(UsageError, match="at least one"):
        RerankedRetriever(FixedRetriever({}), LengthReranker(), top)


@given(
    st.dictionaries(st.text("abcdef", min_size=1, max_size=3), st.floats(-9, 9, width=32), max_size=30),
    st.integers(1, 35),
    st.integers(1, 35),
)
def test_scores_say_the_order_that_is_shown(scores: Any, top: int, k: int) -> None:
    retriever = RerankedRetriever(FixedRetriever(scores), LengthReranker(), top)
    retriever.index([Document(i, "x" * len(i)) for i in scores])
    ranking = retriever.search([Query("q", "text")], k)[0]
    assert len(ranking) == min(k, len(scores))
    assert (np.diff(ranking.scores) <= 0).all()
    assert ranking == ranked_arrays("q", ranking.document_ids, ranking.scores)
