"""Exact search by inner product: the embedded default, and the oracle that other stores are measured against.

Shapes: n documents, q queries, d dimensions, k hits, m candidates.

A matrix product finds candidates; their scores are then summed again in float64 and rounded to float32. That makes a
score a function of its two vectors alone, whatever block or position they came in, so equal vectors tie exactly and the
tie rule of :mod:`steelyard.types` holds across blocks. No candidate is missed: the product's rounding error is bounded
(|error| <= gamma_d |q| |v|, Higham, Accuracy and Stability of Numerical Algorithms, section 3.1), and whatever lies
within twice that of the k-th best is a candidate.

Where very many documents lie within that bound (a model whose vectors are nearly all alike) each of them is summed
again: still exact and within the memory, but several times slower.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from steelyard.errors import UsageError
from steelyard.retrieval.order import Positions, TieOrder
from steelyard.retrieval.protocol import Progress, silent
from steelyard.types import Ranking, Scores, Vectors

_QUERY_ROWS = 256
_PAIR_VALUES = 1 << 22  # values of candidates summed at once: 32 MB in float64
_UNIT = 2.0**-24  # unit roundoff of float32


class ExactIndex:
    """All documents' vectors, searched block by block; memory beyond the vectors stays near 200 MB.

    Args:
        ids: n document ids.
        vectors: float32[n, d]; an ``np.memmap`` is read block by block and never copied whole.
        block_rows: documents a block.

    Raises:
        UsageError: the ids and vectors do not fit each other.
    """

    def __init__(self, ids: Sequence[str], vectors: Vectors, block_rows: int = 8_192) -> None:
        if vectors.ndim != 2 or len(vectors) != len(ids):
            raise UsageError(f"{len(ids)} ids do not fit vectors of shape {vectors.shape}")
        self._order = TieOrder(ids)
        self._vectors = vectors
        self._block_rows = max(1, block_rows)

    def __len__(self) -> int:
        return len(self._order)

    def search(self, query_ids: Sequence[str], queries: Vectors, k: int, progress: Progress = silent) -> list[Ranking]:
        """The k documents of greatest inner product with each query.

        Args:
            query_ids: q ids.
            queries: float32[q, d].
            k: hits a query at the most.
            progress: called as ``("search", documents searched, n)``.

        Raises:
            UsageError: the queries do not have the documents' d, or k is less than 1.
            ValueError: a score is NaN.
        """
        if k < 1:
            raise UsageError(f"k must be at least 1, not {k}")
        if not len(self) or not len(query_ids):
            return [Ranking(i, (), np.zeros(0, dtype=np.float32)) for i in query_ids]
        if queries.shape != (len(query_ids), self._vectors.shape[1]):
            wanted = (len(query_ids), self._vectors.shape[1])
            raise UsageError(f"queries have shape {queries.shape}, the index wants {wanted}")
        queries = np.ascontiguousarray(queries, dtype=np.float32)
        tops = [_Top(self._order, k) for _ in query_ids]
        for start in range(0, len(self), self._block_rows):
            block = np.ascontiguousarray(self._vectors[start : start + self._block_rows], dtype=np.float32)
            for first in range(0, len(queries), _QUERY_ROWS):
                rows = slice(first, first + _QUERY_ROWS)
                _search_block(queries[rows], block, start, tops[rows])
            progress("search", start + len(block), len(self))
        return [top.ranking(i) for i, top in zip(query_ids, tops, strict=True)]


class _Top:
    """The best k found so far for one query; candidates wait until there are enough of them to sort."""

    def __init__(self, order: TieOrder, k: int) -> None:
        self._order = order
        self.k = k
        self._positions: list[Positions] = []
        self._scores: list[Scores] = []
        self._waiting = 0
        self.threshold = -np.inf
        """No document that scores less than this can be among the k best."""

    def add(self, positions: Positions, scores: Scores) -> None:
        """Takes candidates; no document may come twice."""
        self._positions.append(positions)
        self._scores.append(scores)
        self._waiting += len(positions)
        if self.threshold == -np.inf or self._waiting > self.k:
            self._sort()

    def ranking(self, query_id: str) -> Ranking:
        """The k best, best first."""
        return self._order.ranking(query_id, np.concatenate(self._positions), np.concatenate(self._scores), self.k)

    def _sort(self) -> None:
        positions, scores = np.concatenate(self._positions), np.concatenate(self._scores)
        positions, scores = self._order.best(positions, scores, self.k)
        self._positions, self._scores, self._waiting = [positions], [scores], 0
        if len(scores) == self.k:
            self.threshold = float(scores[-1])


def _search_block(queries: Vectors, block: Vectors, start: int, tops: Sequence[_Top]) -> None:
    """Offers every top the candidates among one block of documents, which begin at position ``start``."""
    rough = queries @ block.T
    error = _error_bound(queries, block)
    floor = np.array([top.threshold for top in tops]) - error
    k = tops[0].k
    if k < len(block):
        kth = np.partition(rough, len(block) - k, axis=1)[:, len(block) - k]
        floor = np.maximum(floor, kth - 2 * error)
    rows, columns = np.nonzero(~(rough < floor[:, None]))  # NaN passes, to be refused where it is sorted
    exact = _inner_products(queries, block, rows, columns)
    bounds = np.searchsorted(rows, np.arange(len(tops) + 1))
    for top, (a, b) in zip(tops, pairwise(bounds), strict=True):
        if b > a:
            top.add(columns[a:b] + start, exact[a:b])


def _error_bound(queries: Vectors, block: Vectors) -> NDArray[np.float64]:
    """float64[q]: how far a product in float32, summed in any order, may lie from the exact one once rounded."""
    d = queries.shape[1]
    gamma = (d + 1) * _UNIT / (1 - (d + 1) * _UNIT)
    longest = float(np.sqrt(np.einsum("ij,ij->i", block, block, dtype=np.float64).max()))
    lengths = np.sqrt(np.einsum("ij,ij->i", queries, queries, dtype=np.float64))
    return np.asarray(gamma * longest * lengths + np.finfo(np.float32).tiny, dtype=np.float64)


def _inner_products(queries: Vectors, block: Vectors, rows: Positions, columns: Positions) -> Scores:
    """float32[m]: for each pair the products summed in float64 along the row, then rounded."""
    exact = np.empty(len(rows), dtype=np.float32)
    step = max(1, _PAIR_VALUES // queries.shape[1])
    for a in range(0, len(rows), step):
        pairs = slice(a, a + step)
        products = block[columns[pairs]].astype(np.float64)
        products *= queries[rows[pairs]]
        exact[pairs] = products.sum(axis=1)
    return exact
