"""Retrieval by learnt weights of token ids, such as those of BGE-M3's sparse head."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from steelyard.engines.protocol import SparseEncoder
from steelyard.errors import UsageError
from steelyard.retrieval.order import TieOrder
from steelyard.retrieval.protocol import Progress, silent
from steelyard.types import Document, Query, Ranking, Role

_TEXTS_A_CALL = 256


class SparseRetriever:
    """Ranks by the dot product of token weights; a document that shares no token with the query is no hit.

    Args:
        encoder: what gives the weights.
    """

    def __init__(self, encoder: SparseEncoder) -> None:
        self.encoder = encoder
        self._order = TieOrder(())
        self._columns: Any = None

    def index(self, documents: Sequence[Document], progress: Progress = silent) -> None:
        """Encodes the documents; a second call replaces the first."""
        rows = self.weights([d.text for d in documents], Role.DOCUMENT, progress)
        self._order = TieOrder([d.id for d in documents])
        self._columns = _matrix(rows, max((max(r, default=-1) for r in rows), default=-1) + 1).tocsc()

    def search(self, queries: Sequence[Query], k: int, progress: Progress = silent) -> list[Ranking]:
        """One ranking of at most k hits a query, in the order of ``queries``.

        Raises:
            UsageError: nothing was indexed.
        """
        if self._columns is None:
            raise UsageError("index documents before searching them")
        weights = self.weights([q.text for q in queries], Role.QUERY, progress)
        return [self._search(query, row, k) for query, row in zip(queries, weights, strict=True)]

    def _search(self, query: Query, weights: dict[int, float], k: int) -> Ranking:
        known = sorted(t for t in weights if t < self._columns.shape[1])
        scores = self._columns[:, known] @ np.array([weights[t] for t in known], dtype=np.float32)
        found = np.flatnonzero(scores > 0)
        return self._order.ranking(query.id, found, scores[found].astype(np.float32), k)

    def weights(self, texts: Sequence[str], role: Role, progress: Progress = silent) -> list[dict[int, float]]:
        """Token id -> weight of each text."""
        rows: list[dict[int, float]] = []
        for start in range(0, len(texts), _TEXTS_A_CALL):
            rows += self.encoder.encode_sparse(texts[start : start + _TEXTS_A_CALL], role)
            progress("search" if role is Role.QUERY else "index", len(rows), len(texts))
        return rows


def _matrix(rows: list[dict[int, float]], columns: int) -> Any:
    from scipy.sparse import csr_matrix

    starts = np.cumsum([0, *map(len, rows)])
    tokens = np.fromiter((t for row in rows for t in row), dtype=np.int64, count=int(starts[-1]))
    values = np.fromiter((w for row in rows for w in row.values()), dtype=np.float32, count=int(starts[-1]))
    return csr_matrix((values, tokens, starts), shape=(len(rows), columns))
