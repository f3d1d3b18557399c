"""What every field can do: keep texts in a segment, join segments, and search them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from steelyard.index.snapshot import Part
from steelyard.types import Query, Ranking, Scores, ranked_arrays

Arrays = dict[str, NDArray[Any]]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Kept:
    """What compaction takes over from one segment.

    Attributes:
        arrays: of the field there.
        places: int64[m], the rows that live, ascending.
        rows: how many rows the segment has.
    """

    arrays: Mapping[str, NDArray[Any]]
    places: NDArray[np.int64]
    rows: int

    def renumbered(self, first: int) -> NDArray[np.int64]:
        """int64[rows]: the new row of each old one, counted from ``first``; -1 for the deleted ones."""
        out = np.full(self.rows, -1, dtype=np.int64)
        out[self.places] = np.arange(first, first + len(self.places))
        return out


class Field(Protocol):
    """One way of recalling documents."""

    @property
    def name(self) -> str:
        """Of its arrays in every segment."""

    @property
    def fingerprint(self) -> str:
        """Changes whenever what is kept may."""

    def keep(self, texts: Sequence[str]) -> Arrays:
        """The arrays of a new segment, a row a text."""

    def join(self, kept: Sequence[Kept]) -> Arrays:
        """The arrays of several segments as one, without what was deleted."""

    def search(self, parts: Sequence[Part], queries: Sequence[Query], k: int) -> list[Ranking]:
        """One ranking of at most k hits a query, as the weighed retriever gives it for the documents that live."""


def best(query_id: str, found: Sequence[tuple[Sequence[str], Scores]], k: int) -> Ranking:
    """The k best of the hits of several segments.

    Args:
        query_id: the query's id.
        found: of each segment ids and float32 scores.
        k: hits at the most.
    """
    ids = [i for some, _ in found for i in some]
    scores = np.concatenate([s for _, s in found]) if found else np.zeros(0, dtype=np.float32)
    return ranked_arrays(query_id, ids, scores, k)


def leading(scores: Scores, places: NDArray[np.int64], k: int) -> NDArray[np.int64]:
    """Those of ``places`` that can be among the k best by ``scores[places]``, ties at the end included."""
    if len(places) <= k:
        return places
    own = scores[places]
    found: NDArray[np.int64] = places[own >= np.partition(own, len(own) - k)[len(own) - k]]
    return found
