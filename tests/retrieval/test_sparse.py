"""Sparse retrieval against the dot product written out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from steelyard.engines.protocol import EngineInfo
from steelyard.errors import UsageError
from steelyard.retrieval.sparse import SparseRetriever
from steelyard.types import Document, Query, Role, ranked

TEXTS = st.lists(st.text(alphabet="abcdef", max_size=8), max_size=12)


class Letters:
    """The weight of a letter is how often it occurs, over two."""

    info = EngineInfo("letters", "fake", 0, None, "letters")

    def encode_sparse(self, texts: Sequence[str], role: Role) -> list[Any]:
        return [{ord(c): t.count(c) / 2 for c in t} for t in texts]

    def close(self) -> None:
        pass


@given(TEXTS, TEXTS, st.integers(1, 5))
def test_hits_are_those_of_the_dot_product(documents: Any, queries: Any, k: int) -> None:
    retriever = SparseRetriever(Letters())  # type: ignore[arg-type]
    retriever.index([Document(f"d{i}", t) for i, t in enumerate(documents)])
    found = retriever.search([Query(f"q{i}", t) for i, t in enumerate(queries)], k)
    for i, (query, ranking) in enumerate(zip(queries, found, strict=True)):
        scores = {f"d{j}": sum(query.count(c) * d.count(c) for c in set(d)) / 4 for j, d in enumerate(documents)}
        wanted = ranked(f"q{i}", {d: s for d, s in scores.items() if s > 0}, k)
        assert ranking == wanted
        np.testing.assert_allclose(ranking.scores, wanted.scores)


def test_searching_nothing_is_refused() -> None:
    with pytest.raises(UsageError, match="index documents"):
        SparseRetriever(Letters()).search([Query("q", "a")], 3)  # type: ignore[arg-type]
