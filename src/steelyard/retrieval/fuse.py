"""Several rankings of the same documents made one.

Without weights, reciprocal rank fusion: a document scores the sum over the parts of ``1 / (rrf_k + rank)``, ranks from
1 (Cormack, Clarke and Buettcher, SIGIR 2009).

With a weight on any part, a convex combination: each part's scores of one query are mapped to 0..1 by their least and
greatest, and a document scores the weighted sum, weights divided by their sum. A part without a weight weighs 1.

At the edges of the weighted rule:

- one hit, or all hits of a part scored alike: each of them counts 1;
- a document that a part does not rank gets 0 from it, as does that part's last hit;
- a part without hits gives 0 to all, and keeps its share: the weights are not spread over the others.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from steelyard.errors import UsageError
from steelyard.retrieval.leaves import Texts, with_leaves
from steelyard.retrieval.protocol import Progress, Retriever, silent
from steelyard.types import Document, Query, Ranking, ranked


@dataclass(frozen=True, slots=True)
class FusePart:
    """One of the fused retrievers.

    Attributes:
        retriever: what ranks.
        weight: its share in a weighted fusion, at least 0; None leaves the fusion to ranks unless another has one.
    """

    retriever: Retriever
    weight: float | None = None


class FusedRetriever:
    """Searches every part and fuses what they find.

    Args:
        parts: at least one.
        depth: hits taken from every part, or k where that is more.
        rrf_k: the constant of reciprocal rank fusion.

    Raises:
        UsageError: no parts, a weight below 0, weights that sum to 0, or a depth or constant below 1.
    """

    def __init__(self, parts: Sequence[FusePart], depth: int = 100, rrf_k: int = 60) -> None:
        if not parts or depth < 1 or rrf_k < 1:
            raise UsageError(f"a fusion needs a part, a depth and a constant >= 1, not {(len(parts), depth, rrf_k)}")
        self._parts = tuple(parts)
        self._depth = depth
        self._rrf_k = rrf_k
        self._weights = _shares([p.weight for p in parts])

    def with_leaves(self, stored: Callable[[Retriever], Retriever], texts: Texts) -> FusedRetriever:
        """The same fusion over other parts; see :func:`steelyard.retrieval.leaves.with_leaves`."""
        parts = [FusePart(with_leaves(p.retriever, stored, texts), p.weight) for p in self._parts]
        return FusedRetriever(parts, self._depth, self._rrf_k)

    def index(self, documents: Sequence[Document], progress: Progress = silent) -> None:
        """Gives the documents to every part."""
        for i, part in enumerate(self._parts):
            part.retriever.index(documents, _part_of(progress, i, len(self._parts)))

    def search(self, queries: Sequence[Query], k: int, progress: Progress = silent) -> list[Ranking]:
        """One fused ranking of at most k hits a query, in the order of ``queries``."""
        depth = max(k, self._depth)
        found = [
            part.retriever.search(queries, depth, _part_of(progress, i, len(self._parts)))
            for i, part in enumerate(self._parts)
        ]
        return [self._fuse([_first(r, depth) for r in rankings], k) for rankings in zip(*found, strict=True)]

    def _fuse(self, rankings: Sequence[Ranking], k: int) -> Ranking:
        if self._weights is None:
            return reciprocal_ranks(rankings, self._rrf_k, k)
        return weighted_scores(rankings, self._weights, k)


def reciprocal_ranks(rankings: Sequence[Ranking], rrf_k: int, k: int) -> Ranking:
    """Reciprocal rank fusion of one query's rankings; see the module's docstring."""
    terms: dict[str, list[float]] = {}
    for ranking in rankings:
        for rank, document_id in enumerate(ranking.document_ids, start=1):
            terms.setdefault(document_id, []).append(1.0 / (rrf_k + rank))
    return ranked(rankings[0].query_id, {i: math.fsum(t) for i, t in terms.items()}, k)


def weighted_scores(rankings: Sequence[Ranking], shares: Sequence[float], k: int) -> Ranking:
    """Convex combination of one query's normalised scores; see the module's docstring."""
    terms: dict[str, list[float]] = {}
    for ranking, share in zip(rankings, shares, strict=True):
        scores = ranking.scores.astype(np.float64)
        low, high = (scores.min(), scores.max()) if len(scores) else (0.0, 0.0)
        levels = (scores - low) / (high - low) if high > low else np.ones_like(scores)
        for document_id, level in zip(ranking.document_ids, levels.tolist(), strict=True):
            terms.setdefault(document_id, []).append(share * level)
    return ranked(rankings[0].query_id, {i: math.fsum(t) for i, t in terms.items()}, k)


def _shares(weights: Sequence[float | None]) -> tuple[float, ...] | None:
    if all(w is None for w in weights):
        return None
    given = [1.0 if w is None else float(w) for w in weights]
    total = math.fsum(given)
    if min(given) < 0 or not 0 < total < math.inf:
        raise UsageError(f"weights must be at least 0 and their sum above 0, not {given}")
    return tuple(w / total for w in given)


def _first(ranking: Ranking, depth: int) -> Ranking:
    return Ranking(ranking.query_id, ranking.document_ids[:depth], ranking.scores[:depth])


def _part_of(progress: Progress, part: int, parts: int) -> Progress:
    """Progress of one part as a share of all."""

    def report(stage: str, done: int, total: int) -> None:
        progress(stage, part * total + done, parts * total)

    return report
