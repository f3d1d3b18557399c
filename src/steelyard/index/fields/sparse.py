"""Weights of token ids, such as those of BGE-M3's sparse head."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from steelyard.index.fields.postings import joined_postings, sorted_postings
from steelyard.index.fields.protocol import Arrays, Kept, best, leading
from steelyard.index.snapshot import Part
from steelyard.retrieval.sparse import SparseRetriever
from steelyard.types import Query, Ranking, Role, Scores


@dataclass(frozen=True)
class SparseField:
    """For every token id the documents that have it, with its weight.

    Attributes:
        name: of its arrays.
        retriever: what encodes.
    """

    name: str
    retriever: SparseRetriever

    @property
    def fingerprint(self) -> str:
        """The encoder's."""
        return f"{self.retriever.encoder.info.fingerprint}#sparse"

    def keep(self, texts: Sequence[str]) -> Arrays:
        """Sorted int64 token ids and their postings with float32 weights."""
        rows = self.retriever.weights(texts, Role.DOCUMENT)
        tokens = np.array([t for row in rows for t in row], dtype=np.int64)
        values = np.array([w for row in rows for w in row.values()], dtype=np.float32)
        documents = np.repeat(np.arange(len(rows)), [len(row) for row in rows])
        known, numbers = np.unique(tokens, return_inverse=True)
        return {"tokens": known, **sorted_postings(numbers, documents, values, len(known))}

    def join(self, kept: Sequence[Kept]) -> Arrays:
        """The same of several segments."""
        known = np.unique(np.concatenate([p.arrays["tokens"] for p in kept]))
        numbers = [np.searchsorted(known, p.arrays["tokens"]) for p in kept]
        return {"tokens": known, **joined_postings(kept, numbers, len(known))}

    def search(self, parts: Sequence[Part], queries: Sequence[Query], k: int) -> list[Ranking]:
        """See :class:`steelyard.index.fields.protocol.Field`."""
        weights = self.retriever.weights([q.text for q in queries], Role.QUERY)
        return [
            best(query.id, [self._hits(part, row, k) for part in parts], k)
            for query, row in zip(queries, weights, strict=True)
        ]

    def _hits(self, part: Part, weights: dict[int, float], k: int) -> tuple[list[str], Scores]:
        arrays = part.segment.field(self.name)
        scores = np.zeros(len(part.segment), dtype=np.float32)
        for token in sorted(weights):
            at = int(np.searchsorted(arrays["tokens"], token))
            if at < len(arrays["tokens"]) and arrays["tokens"][at] == token:
                some = slice(int(arrays["starts"][at]), int(arrays["starts"][at + 1]))
                scores[arrays["documents"][some]] += arrays["values"][some] * np.float32(weights[token])
        hit: NDArray[np.bool_] = scores > 0
        places = leading(scores, np.flatnonzero(hit if part.wanted is None else hit & part.wanted), k)
        return [part.segment.id_of(i) for i in places.tolist()], scores[places]
