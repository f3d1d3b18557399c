"""The values that flow through the house: frozen, comparable, cheap.

Shapes in docstrings: ``n`` texts or documents, ``q`` queries, ``k`` hits, ``d`` dimensions.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]
"""float32[n, d]"""
Scores = NDArray[np.float32]
"""float32[n]"""


class Role(StrEnum):
    """Which side of retrieval a text stands on; recipes put different templates on each."""

    QUERY = "query"
    DOCUMENT = "document"


class TrapKind(StrEnum):
    """What a document of a trap group is to its query."""

    POSITIVE = "positive"
    LOOKALIKE = "lookalike"
    CONTRARY = "contrary"
    NEIGHBOUR = "neighbour"


@dataclass(frozen=True, slots=True)
class Query:
    """A query.

    Attributes:
        category: what it is reported under, where there is one.
        cluster: which queries it belongs together with (source document, author, frame, customer), where it does.
    """

    id: str
    text: str
    category: str | None = None
    cluster: str | None = None


@dataclass(frozen=True, slots=True)
class Document:
    """A document as it is embedded; a title, where there was one, is already part of the text."""

    id: str
    text: str


@dataclass(frozen=True, slots=True)
class Hit:
    """One document of a ranking."""

    document_id: str
    score: float


@dataclass(frozen=True, slots=True)
class Ranking:
    """The hits of one query, best first, in the one order of :func:`steelyard.types.ranked`.

    Attributes:
        query_id: the query's id.
        document_ids: k ids, best first.
        scores: float32[k], never increasing.
    """

    query_id: str
    document_ids: tuple[str, ...]
    scores: Scores = field(compare=False)

    def __len__(self) -> int:
        return len(self.document_ids)

    def __iter__(self) -> Iterator[Hit]:
        return (Hit(i, float(s)) for i, s in zip(self.document_ids, self.scores, strict=True))


def ranked(query_id: str, scores: Mapping[str, float], k: int | None = None) -> Ranking:
    """Orders scored documents; the ONE sort rule of the project.

    Higher score first; ties by document id, descending, as trec_eval breaks them, so that what is
    shown as first is what the measures count as first. Scores are compared in float32, as trec_eval does.

    Args:
        query_id: the query's id.
        scores: document id -> score; NaN is refused.
        k: keep so many at the most; all of them when None.
    """
    ids = list(scores)
    return ranked_arrays(query_id, ids, np.fromiter(scores.values(), dtype=np.float32, count=len(ids)), k)


def ranked_arrays(query_id: str, ids: list[str] | tuple[str, ...], scores: Scores, k: int | None = None) -> Ranking:
    """The same rule as :func:`ranked` for parallel arrays: ids and float32[n] scores."""
    values = np.asarray(scores, dtype=np.float32)
    if np.isnan(values).any():
        raise ValueError(f"query {query_id!r}: a score is NaN")
    order = sorted(range(len(ids)), key=lambda i: ids[i], reverse=True)
    picked = np.asarray(order, dtype=np.int64)
    picked = picked[np.argsort(-values[picked], kind="stable")][:k]
    return Ranking(query_id, tuple(ids[int(i)] for i in picked), values[picked])
