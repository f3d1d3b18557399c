"""BM25 over segmented words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from steelyard.errors import UsageError
from steelyard.retrieval.order import TieOrder
from steelyard.retrieval.protocol import Progress, silent
from steelyard.text.segment import segment
from steelyard.types import Document, Query, Ranking

METHODS = ("lucene", "robertson", "atire", "bm25l", "bm25+")
_REPORT_EVERY = 1_000


class BM25Retriever:
    """BM25 (bm25s) on the words of :func:`steelyard.text.segment.segment`.

    A document is a hit where it shares a word with the query; a query that shares none with any document has an empty
    ranking. A word that stands twice in the query counts twice. Scores are float32.

    Args:
        k1: how fast repeats of a word stop counting.
        b: how much long documents are held back, 0 to 1.
        method: the variant, one of :data:`METHODS`.

    Raises:
        UsageError: an argument out of its range.
    """

    def __init__(self, k1: float = 1.5, b: float = 0.75, method: str = "lucene") -> None:
        if k1 < 0 or not 0 <= b <= 1 or method not in METHODS:
            raise UsageError(f"BM25 takes k1 >= 0, 0 <= b <= 1 and a method of {METHODS}, not {(k1, b, method)}")
        self.k1, self.b, self.method = k1, b, method
        self._order = TieOrder(())
        self._words: dict[str, int] = {}
        self._scorer: Any = None

    def index(self, documents: Sequence[Document], progress: Progress = silent) -> None:
        """Segments and indexes the documents; a second call replaces the first."""
        words: dict[str, int] = {}
        rows = []
        for i, document in enumerate(documents):
            rows.append([words.setdefault(word, len(words)) for word in segment(document.text)])
            if (i + 1) % _REPORT_EVERY == 0:
                progress("index", i + 1, len(documents))
        self._order = TieOrder([d.id for d in documents])
        self._words = words
        self._scorer = _scorer(rows, words, {"k1": self.k1, "b": self.b, "method": self.method}) if words else None
        progress("index", len(documents), len(documents))

    def search(self, queries: Sequence[Query], k: int, progress: Progress = silent) -> list[Ranking]:
        """One ranking of at most k hits a query, in the order of ``queries``."""
        rankings = []
        for i, query in enumerate(queries):
            rankings.append(self._search(query, k))
            if (i + 1) % _REPORT_EVERY == 0 or i + 1 == len(queries):
                progress("search", i + 1, len(queries))
        return rankings

    def _search(self, query: Query, k: int) -> Ranking:
        known = [self._words[word] for word in segment(query.text) if word in self._words]
        if not known:
            return Ranking(query.id, (), np.zeros(0, dtype=np.float32))
        postings, starts = self._scorer.scores["indices"], self._scorer.scores["indptr"]
        found = np.unique(np.concatenate([postings[starts[w] : starts[w + 1]] for w in set(known)])).astype(np.int64)
        scores = self._scorer.get_scores_from_ids(known)[found]
        return self._order.ranking(query.id, found, scores, k)


def _scorer(rows: list[list[int]], words: dict[str, int], settings: dict[str, Any]) -> Any:
    import bm25s

    scorer = bm25s.BM25(**settings)
    scorer.index((rows, words), create_empty_token=False, show_progress=False)
    return scorer
