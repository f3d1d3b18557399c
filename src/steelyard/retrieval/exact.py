"""Exact search by inner product: the embedded default, and the oracle that other stores are measured against.

Shapes: n documents, q queries, d dimensions, k hits, m candidates.

A score is the sum of the products in float64 along the vectors, rounded to float32: a function of its two vectors
alone, whatever block or position they came in. So equal vectors tie exactly, and the tie rule of :mod:`steelyard.types`
holds across blocks. Matrix products, whose last bits depend on the shapes, only tell where that sum need not be made.
Their rounding error is bounded (|error| <= gamma_d |q| |v|, Higham, Accuracy and Stability of Numerical Algorithms,
section 3.1), and two ways use it:

* Few hits of many documents: a float32 product; whatever lies within twice its bound of the k-th best is a candidate,
  and candidates are summed. None is missed.
* Many candidates (few documents beside k, or a model whose vectors are nearly all alike): a float64 product; it is the
  score already wherever everything within its bound rounds to the same float32, and only the others are summed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from steelyard.errors import UsageError
from steelyard.retrieval.order import NO_KEY, Keys, Positions, Room, TieOrder, key_scores
from steelyard.retrieval.protocol import Progress, silent
from steelyard.types import Ranking, Scores, Vectors

_QUERY_ROWS = 256
_FEW = 4_096  # beside so many documents half the rows do: what is made of them then stays in the processor's cache
_PAIR_VALUES = 1 << 22  # float64 values made at once: 32 MB
_DENSE = 32  # a product in float64 costs as much as summing one pair of so many
_UNIT = {np.dtype(np.float32): 2.0**-24, np.dtype(np.float64): 2.0**-53}
_WHOLE = 1 << 24  # up to here float32 holds every whole number

Float64 = NDArray[np.float64]


@dataclass(frozen=True)
class _Block:
    """Some documents: int64[n] which, float32[n, d], and a length that none of their vectors exceeds."""

    positions: Positions
    vectors: Vectors
    longest: float


class ExactIndex:
    """All documents' vectors, searched block by block; memory beyond the vectors stays near 200 MB.

    Args:
        ids: n document ids.
        vectors: float32[n, d]; an ``np.memmap`` is read block by block and never copied whole.
        block_rows: documents a block.
        signs: every value of vectors and queries is 1 or -1, so that any product of them is exact.

    Raises:
        UsageError: the ids and vectors do not fit each other.
    """

    def __init__(self, ids: Sequence[str], vectors: Vectors, block_rows: int = 8_192, *, signs: bool = False) -> None:
        if vectors.ndim != 2 or len(vectors) != len(ids):
            raise UsageError(f"{len(ids)} ids do not fit vectors of shape {vectors.shape}")
        self._order = TieOrder(ids)
        self._vectors = vectors
        self._block_rows = max(1, block_rows)
        self._longest: dict[int, float] = {}
        self._signs = signs and vectors.shape[1] <= _WHOLE

    def __len__(self) -> int:
        return len(self._order)

    def search(
        self,
        query_ids: Sequence[str],
        queries: Vectors,
        k: int,
        progress: Progress = silent,
        *,
        only: NDArray[np.bool_] | None = None,
    ) -> list[Ranking]:
        """The k documents of greatest inner product with each query.

        Args:
            query_ids: q ids.
            queries: float32[q, d].
            k: hits a query at the most.
            progress: called as ``("search", documents searched, n)``.
            only: bool[n], the documents that may be hits; None for all.

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
        best = np.full((len(queries), min(k, len(self))), NO_KEY, dtype=np.int64)
        room, step = Room(), _QUERY_ROWS if len(self) > _FEW else _QUERY_ROWS // 2
        for start in range(0, len(self), self._block_rows):
            block = self._block(start, only)
            for first in range(0, len(queries) if len(block.positions) else 0, step):
                rows = slice(first, first + step)
                best[rows] = _greatest(best[rows], self._candidates(queries[rows], block, best[rows], room))
            progress("search", min(start + self._block_rows, len(self)), len(self))
        return self._order.rankings(query_ids, best)

    def _block(self, start: int, only: NDArray[np.bool_] | None) -> _Block:
        part = self._vectors[start : start + self._block_rows]
        positions = np.arange(start, start + len(part))
        if start not in self._longest:
            self._longest[start] = float(_lengths(part).max(initial=0.0))
        if only is not None:
            kept = np.flatnonzero(only[start : start + len(part)])
            if len(kept) < len(part):
                part, positions = part[kept], positions[kept]
        return _Block(positions, np.ascontiguousarray(part, dtype=np.float32), self._longest[start])

    def _candidates(self, queries: Vectors, block: _Block, best: Keys, room: Room) -> Keys:
        """int64[q, m]: keys of all documents of one block that may be among the k best."""
        count, k = len(block.vectors), best.shape[1]
        if k * _DENSE >= count and not self._signs:
            return self._order.keys(block.positions, _all_products(queries, block, room), room)
        rough = np.matmul(queries, block.vectors.T, out=room.array("rough", (len(queries), count), np.float32))
        if self._signs:
            return self._order.keys(block.positions, rough, room)
        found = _within_reach(rough, _bound(queries, block), best)
        if np.count_nonzero(found) * _DENSE >= found.size:
            return self._order.keys(block.positions, _all_products(queries, block, room), room)
        rows, columns = np.nonzero(found)
        exact = _inner_products(queries, block.vectors, rows, columns)
        return _padded(rows, self._order.keys(block.positions[columns], exact), len(rough))


def _greatest(best: Keys, candidates: Keys) -> Keys:
    """int64[q, k]: the k greatest of int64[q, k] and int64[q, m], in any order."""
    fresh = int(best.max(initial=NO_KEY)) == NO_KEY
    both = candidates if fresh and best.shape[1] <= candidates.shape[1] else np.concatenate([best, candidates], axis=1)
    k, total = best.shape[1], both.shape[1]
    if total > k:
        both.partition(total - k, axis=1)
    return both[:, total - k :]


def _within_reach(rough: Scores, bound: Float64, best: Keys) -> NDArray[np.bool_]:
    """bool[q, n]: whether a score can be among the k best, given those so far and all of this block."""
    k = best.shape[1]
    least = best.min(axis=1)
    floor = np.where(least == NO_KEY, -np.inf, key_scores(least)) - bound
    if k < rough.shape[1]:
        kth = np.partition(rough, rough.shape[1] - k, axis=1)[:, rough.shape[1] - k]
        floor = np.maximum(floor, kth - 2 * bound)
    return np.asarray(~(rough < floor[:, None]))  # NaN passes, to be refused where keys are made


def _padded(rows: Positions, keys: Keys, count: int) -> Keys:
    """int64[count, m] from keys of ascending rows, each row filled up with :data:`NO_KEY`."""
    counts = np.bincount(rows, minlength=count)
    out = np.full((count, int(counts.max(initial=0))), NO_KEY, dtype=np.int64)
    starts = np.cumsum(counts) - counts
    out[rows, np.arange(len(rows)) - starts[rows]] = keys
    return out


def _bound(queries: Vectors, block: _Block, dtype: type[np.floating] = np.float32) -> Float64:
    """float64[q]: how far a product in ``dtype``, summed in any order, may lie from the exact one once rounded."""
    d, unit = queries.shape[1], _UNIT[np.dtype(dtype)]
    gamma = (d + 1) * unit / (1 - (d + 1) * unit)
    return np.asarray(gamma * block.longest * _lengths(queries) + np.finfo(dtype).tiny, dtype=np.float64)


def _lengths(vectors: Vectors) -> Float64:
    """float64[n]"""
    return np.asarray(np.sqrt(np.einsum("ij,ij->i", vectors, vectors, dtype=np.float64)), dtype=np.float64)


def _all_products(queries: Vectors, block: _Block, room: Room) -> Scores:
    """float32[q, n]: every score, by float64 products where their last bits cannot reach it."""
    exact = room.array("exact", (len(queries), len(block.vectors)), np.float32)
    bound = 2 * _bound(queries, block, np.float64)[:, None]  # that of the product and that of the sum
    wide = queries.astype(np.float64)
    step = max(1, _PAIR_VALUES // max(queries.shape))
    for a in range(0, len(block.vectors), step):
        low, documents = exact[:, a : a + step], block.vectors[a : a + step].T.astype(np.float64)
        product = np.matmul(wide, documents, out=room.array("product", low.shape, np.float64))
        high = np.add(product, bound, out=room.array("high", low.shape, np.float32), casting="same_kind")
        np.subtract(product, bound, out=low, casting="same_kind")
        rows, columns = np.divmod(np.flatnonzero(low != high), low.shape[1])
        low[rows, columns] = _inner_products(queries, block.vectors, rows, columns + a)
    return exact


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
