"""A second, dearer look at the first hits."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from steelyard.engines.protocol import Reranker
from steelyard.errors import UsageError
from steelyard.retrieval.leaves import Texts, with_leaves
from steelyard.retrieval.protocol import Progress, Retriever, silent
from steelyard.types import Document, Query, Ranking, Scores, ranked_arrays


class RerankedRetriever:
    """Ranks by ``first``, then puts its first hits in the reranker's order.

    The hits below ``top`` keep their order under the reranked ones. The reranker never saw them, so their scores only
    say that order: each is the next float32 below the one before it.

    Args:
        first: what recalls.
        reranker: what scores the first hits.
        top: how many hits are reranked, also where fewer are asked for.
        instruction: task text for the reranker; None for its default.

    Raises:
        UsageError: top is less than 1.
    """

    def __init__(self, first: Retriever, reranker: Reranker, top: int = 50, instruction: str | None = None) -> None:
        if top < 1:
            raise UsageError(f"at least one hit must be reranked, not {top}")
        self._first = first
        self._reranker = reranker
        self._top = top
        self._instruction = instruction
        self._texts: Texts = _nothing

    def with_leaves(self, stored: Callable[[Retriever], Retriever], texts: Texts) -> RerankedRetriever:
        """The same over another first retriever; see :func:`steelyard.retrieval.leaves.with_leaves`."""
        first = with_leaves(self._first, stored, texts)
        other = RerankedRetriever(first, self._reranker, self._top, self._instruction)
        other._texts = texts
        return other

    def index(self, documents: Sequence[Document], progress: Progress = silent) -> None:
        """Gives the documents to the first retriever and keeps their texts."""
        self._first.index(documents, progress)
        held = {d.id: d.text for d in documents}
        self._texts = lambda ids: [held[i] for i in ids]

    def search(self, queries: Sequence[Query], k: int, progress: Progress = silent) -> list[Ranking]:
        """One ranking of at most k hits a query, in the order of ``queries``."""
        recalled = self._first.search(queries, max(k, self._top))
        rankings = []
        for i, (query, ranking) in enumerate(zip(queries, recalled, strict=True)):
            rankings.append(self._rerank(query, ranking, k))
            progress("search", i + 1, len(queries))
        return rankings

    def _rerank(self, query: Query, ranking: Ranking, k: int) -> Ranking:
        head, tail = ranking.document_ids[: self._top], ranking.document_ids[self._top :]
        scores = self._reranker.score(query.text, self._texts(head), self._instruction)
        best = ranked_arrays(query.id, head, scores)
        rest = below(best.scores[-1] if len(best) else np.float32(0), len(tail))
        return Ranking(query.id, (best.document_ids + tail)[:k], np.concatenate([best.scores, rest])[:k])


def _nothing(ids: Sequence[str]) -> list[str]:
    raise UsageError("index documents before searching them")


def below(above: np.float32, count: int) -> Scores:
    """float32[count]: each the next value below the one before it, the first below ``above``."""
    values = np.empty(count, dtype=np.float32)
    for i in range(count):
        above = values[i] = np.nextafter(above, np.float32(-np.inf))
    return values
