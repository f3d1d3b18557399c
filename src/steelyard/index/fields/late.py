"""One vector a token, searched by exact MaxSim."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from steelyard.index.fields.protocol import Arrays, Kept, best, leading
from steelyard.index.segment import Segment
from steelyard.index.snapshot import Part
from steelyard.retrieval.late import LateRetriever, late_scores
from steelyard.types import Query, Ranking, Role, Scores, Vectors


@dataclass(frozen=True)
class LateField:
    """The token vectors of every document, end to end.

    Attributes:
        name: of its arrays.
        retriever: what encodes.
    """

    name: str
    retriever: LateRetriever

    @property
    def fingerprint(self) -> str:
        """The encoder's."""
        return f"{self.retriever.encoder.info.fingerprint}#colbert"

    def keep(self, texts: Sequence[str]) -> Arrays:
        """float32[T, d] and int64[n], where each document ends."""
        return _packed(self.retriever.states(texts, Role.DOCUMENT))

    def join(self, kept: Sequence[Kept]) -> Arrays:
        """The same of several segments."""
        return _packed([states for p in kept for states in _unpacked(dict(p.arrays), p.places.tolist())])

    def search(self, parts: Sequence[Part], queries: Sequence[Query], k: int) -> list[Ranking]:
        """See :class:`steelyard.index.fields.protocol.Field`."""
        states = self.retriever.states([q.text for q in queries], Role.QUERY)
        found = [self._hits(part, states, k) for part in parts]
        return [best(query.id, [own[i] for own in found], k) for i, query in enumerate(queries)]

    def _hits(self, part: Part, queries: Sequence[Vectors], k: int) -> list[tuple[list[str], Scores]]:
        """Of every query the ids and scores that may be among its k best."""
        places = np.arange(len(part.segment)) if part.wanted is None else np.flatnonzero(part.wanted)
        documents = self._documents(part.segment)
        hits = []
        for scores in late_scores(queries, [documents[i] for i in places.tolist()]):
            first = leading(scores, np.arange(len(places)), k)
            hits.append(([part.segment.id_of(i) for i in places[first].tolist()], scores[first]))
        return hits

    def _documents(self, segment: Segment) -> list[Vectors]:
        key = f"late.{self.name}"
        if key not in segment.views:
            segment.views[key] = _unpacked(segment.field(self.name), range(len(segment)))
        found: list[Vectors] = segment.views[key]
        return found


def _packed(states: Sequence[Vectors]) -> Arrays:
    ends = np.cumsum([len(s) for s in states], dtype=np.int64)
    width = max((s.shape[1] for s in states if s.ndim == 2), default=0)
    whole = np.concatenate([s.reshape(-1, width) for s in states]) if states else np.zeros((0, width), dtype=np.float32)
    return {"vectors": whole, "ends": ends}


def _unpacked(arrays: Arrays, places: Sequence[int]) -> list[Vectors]:
    ends = [0, *arrays["ends"].tolist()]
    return [arrays["vectors"][ends[i] : ends[i + 1]] for i in places]
