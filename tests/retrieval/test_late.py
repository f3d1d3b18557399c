"""Exact MaxSim over everything: the definition written out, and a bound that is kept."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_maxsim import LetterEncoder

from steelyard.errors import UsageError
from steelyard.retrieval.late import LateRetriever
from steelyard.types import Document, Query, ranked

TEXTS = st.lists(st.text(alphabet="abcdef", max_size=6), max_size=8)


@given(TEXTS, TEXTS, st.integers(1, 5))
def test_scores_are_shares_of_query_letters_in_the_document(documents: Any, queries: Any, k: int) -> None:
    retriever = LateRetriever(LetterEncoder())
    retriever.index([Document(f"d{i}", t) for i, t in enumerate(documents)])
    found = retriever.search([Query(f"q{i}", t) for i, t in enumerate(queries)], k)
    for i, (query, ranking) in enumerate(zip(queries, found, strict=True)):
        scores = {}
        for j, d in enumerate(documents):
            share = sum(c in d for c in query) / len(query) if query else 0.0
            scores[f"d{j}"] = share if d or not query else -1.0
        wanted = ranked(f"q{i}", scores, k)
        assert ranking == wanted
        np.testing.assert_allclose(ranking.scores, wanted.scores, atol=1e-6)


def test_a_suite_that_does_not_fit_is_refused_with_the_way_out() -> None:
    retriever = LateRetriever(LetterEncoder(), most_bytes=26 * 4 * 10)
    retriever.index([Document("a", "abcdefghij")])
    with pytest.raises(UsageError, match=r"1 of 1 documents.*>> maxsim:letters\[top=50\]"):
        retriever.index([Document("a", "abcdefghijk")])


def test_searching_nothing_is_refused() -> None:
    with pytest.raises(UsageError, match="index documents"):
        LateRetriever(LetterEncoder()).search([Query("q", "a")], 3)
