"""One vector a text, searched exactly: in float32, or in 8 bits or 1 bit with or without rescoring.

The float32 vectors are what a segment keeps. Codes of fewer bits depend, by their scales, on all documents that live,
so they are made from the vectors when an index is first searched, and again when a scale has changed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from steelyard.index.fields.codes import Int8Rows, SignRows, largest
from steelyard.index.fields.protocol import Arrays, Kept, best
from steelyard.index.segment import Segment
from steelyard.index.snapshot import Part
from steelyard.retrieval.dense import DenseRetriever
from steelyard.retrieval.exact import ExactIndex
from steelyard.retrieval.quantised import int8_scales, rescored, signs
from steelyard.types import Query, Ranking, Role, Vectors

_BLOCK_ROWS = 32_768  # single queries are the rule: fewer, longer products


@dataclass(frozen=True)
class DenseField:
    """float32 unit rows.

    Attributes:
        name: of its arrays.
        retriever: what encodes, and how vectors are searched.
    """

    name: str
    retriever: DenseRetriever

    @property
    def fingerprint(self) -> str:
        """The encoder's, with what is kept of its vectors."""
        return f"{self.retriever.encoder.info.fingerprint}#dense{self.retriever.dimension or ''}"

    def keep(self, texts: Sequence[str]) -> Arrays:
        """float32[n, d]."""
        return {"vectors": self.retriever.vectors(texts, Role.DOCUMENT)}

    def join(self, kept: Sequence[Kept]) -> Arrays:
        """The same of several segments."""
        return {"vectors": np.concatenate([p.arrays["vectors"][p.places] for p in kept])}

    def search(self, parts: Sequence[Part], queries: Sequence[Query], k: int) -> list[Ranking]:
        """See :class:`steelyard.index.fields.protocol.Field`."""
        vectors = self.retriever.vectors([q.text for q in queries], Role.QUERY)
        parts = [p for p in parts if p.count]
        precision, rescore = self.retriever.precision, self.retriever.rescore
        sought = signs(vectors) if precision == "binary" else vectors
        depth = max(k, rescore)
        scales = self._scales(parts) if precision == "int8" else None
        ids = [q.id for q in queries]
        found = [self._index(p, scales).search(ids, sought, depth, only=p.wanted) for p in parts]
        merged = [
            best(i, [(own.document_ids, own.scores) for own in each], depth)
            for i, each in zip(ids, zip(*found, strict=True) if found else [()] * len(ids), strict=True)
        ]
        if not rescore:
            return [Ranking(r.query_id, r.document_ids[:k], r.scores[:k]) for r in merged]
        return [self._rescored(r, q, parts, k) for r, q in zip(merged, vectors, strict=True)]

    def _rescored(self, ranking: Ranking, query: Vectors, parts: Sequence[Part], k: int) -> Ranking:
        head = ranking.document_ids[: self.retriever.rescore]
        if not head:
            return ranking
        found = rescored(ranking, query, self._full(head, parts))
        return Ranking(found.query_id, found.document_ids[:k], found.scores[:k])

    def _full(self, ids: Sequence[str], parts: Sequence[Part]) -> Vectors:
        """float32[len(ids), d] of documents that live."""
        rows = []
        for i in ids:
            for part in parts:
                place = part.segment.place_of(i)
                if place is not None and (part.alive is None or part.alive[place]):
                    rows.append(self._vectors(part.segment)[place])
                    break
        return np.stack(rows)

    def _vectors(self, segment: Segment) -> Vectors:
        found: Vectors = segment.arrays[f"field.{self.name}.vectors"]
        return found

    def _scales(self, parts: Sequence[Part]) -> Vectors:
        """float32[d]: of all documents that live."""
        found = [largest(p.segment, f"largest.{self.name}", self._vectors(p.segment), p.alive) for p in parts]
        return int8_scales(np.max(found, axis=0)) if found else np.zeros(0, dtype=np.float32)

    def _index(self, part: Part, scales: Vectors | None) -> ExactIndex:
        """Of one segment, made once; of 8 bits made again when the scales have changed."""
        segment, key = part.segment, f"exact.{self.name}.{self.retriever.precision}"
        tag = b"" if scales is None else scales.tobytes()
        known = segment.views.get(key)
        if known is None or known[0] != tag:
            rows: Any = self._vectors(segment)
            if scales is not None:
                rows = Int8Rows(rows, scales)
            elif self.retriever.precision == "binary":
                rows = SignRows(rows)
            known = (tag, ExactIndex(segment.ids, rows, _BLOCK_ROWS, signs=self.retriever.precision == "binary"))
            segment.views[key] = known
        index: ExactIndex = known[1]
        return index
