"""Search over vectors kept in fewer bits: what the ranking loses when storage shrinks 4 or 32 times.

Shapes: n documents, q queries, d dimensions, k hits.

* ``int8``: each dimension has one scale, the greatest absolute value that it takes among the documents over 127; values
  are rounded to it. Queries stay float32 (asymmetric, as scalar quantisers of vector stores do).
* ``binary``: the signs of documents and queries; the score is d less twice the Hamming distance. Ties
  are frequent and go by the one tie rule.

With ``rescore``, so many first hits are put in the order of their full float32 vectors, which must then be kept too;
the hits below keep their order under them, as behind a reranker.

What is held here is the small vectors written out as float32, because exact search is what is asked for, not speed: the
ranking is that of the small vectors, bit for bit, and the bytes are those that :mod:`steelyard.cost.storage` computes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from steelyard.errors import UsageError
from steelyard.retrieval.exact import ExactIndex
from steelyard.retrieval.rerank import below
from steelyard.types import Ranking, Vectors, ranked_arrays

Precision = Literal["float32", "int8", "binary"]
PRECISIONS: tuple[Precision, ...] = ("float32", "int8", "binary")
_LEVELS = 127


class QuantisedIndex:
    """Exact search over quantised vectors, its first hits rescored if asked.

    Args:
        ids: n document ids.
        vectors: float32[n, d], unit rows.
        precision: of what is searched; ``float32`` quantises nothing.
        rescore: first hits of every query that are put in the order of their full vectors; 0 for none.

    Raises:
        UsageError: the ids and vectors do not fit each other, or there is no such precision.
    """

    def __init__(self, ids: Sequence[str], vectors: Vectors, precision: Precision, rescore: int = 0) -> None:
        self._precision = precision
        self._index = ExactIndex(ids, quantised(vectors, precision), signs=precision == "binary")
        self._rescore = rescore if precision != "float32" else 0
        self._full = vectors if self._rescore else vectors[:0]
        self._row = {i: row for row, i in enumerate(ids)} if self._rescore else {}

    def search(self, query_ids: Sequence[str], queries: Vectors, k: int) -> list[Ranking]:
        """The k best documents of each query.

        Args:
            query_ids: q ids.
            queries: float32[q, d], unit rows.
            k: hits a query at the most.
        """
        sought = signs(queries) if self._precision == "binary" else queries
        found = self._index.search(query_ids, sought, max(k, self._rescore))
        if not self._rescore:
            return found
        found = [self._rescored(r, q) for r, q in zip(found, queries, strict=True)]
        return [Ranking(r.query_id, r.document_ids[:k], r.scores[:k]) for r in found]

    def _rescored(self, ranking: Ranking, query: Vectors) -> Ranking:
        head = ranking.document_ids[: self._rescore]
        return rescored(ranking, query, self._full[[self._row[i] for i in head]])


def rescored(ranking: Ranking, query: Vectors, rows: Vectors) -> Ranking:
    """A ranking whose first hits are put in the order of their full vectors.

    Args:
        ranking: by vectors in fewer bits.
        query: float32[d], unit length.
        rows: float32[m, d], the full vectors of the first m hits.
    """
    head, tail = ranking.document_ids[: len(rows)], ranking.document_ids[len(rows) :]
    best = ranked_arrays(ranking.query_id, head, (rows.astype(np.float64) * query).sum(axis=1).astype(np.float32))
    scores = np.concatenate([best.scores, below(best.scores[-1] if head else np.float32(0), len(tail))])
    return Ranking(ranking.query_id, best.document_ids + tail, scores)


def int8_scales(largest: Vectors) -> Vectors:
    """float32[d] from the greatest absolute value of each dimension; the step between two of 255 levels."""
    scales: Vectors = largest / np.float32(_LEVELS)
    scales[scales == 0] = 1.0
    return scales


def quantised(vectors: Vectors, precision: Precision) -> Vectors:
    """float32[n, d]: the values that the documents have in so few bits, written out again."""
    if precision == "float32":
        return vectors
    if precision == "binary":
        return signs(vectors)
    if precision != "int8":
        raise UsageError(f"precision {precision!r} is none of float32, int8, binary")
    scales = int8_scales(np.abs(vectors).max(axis=0, initial=0.0))
    codes = np.rint(vectors / scales).astype(np.int8)
    out: Vectors = codes * scales
    return out


def signs(vectors: Vectors) -> Vectors:
    """float32[n, d]: 1 where a value is above 0, else -1; their inner products are whole numbers, so ties are exact."""
    out: Vectors = np.where(vectors > 0, np.float32(1), np.float32(-1))
    return out
