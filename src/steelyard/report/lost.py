"""Queries that were not answered fully by the judged measure: what ranked first, and where the right answer was."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from steelyard.bench.evaluation.result import QueryRecord, Result, SystemRecord

MOST_QUERIES = 500
MOST_BYTES = 700_000
"""Bytes of texts that a report carries at the most."""
HITS = 5


@dataclass(frozen=True, slots=True)
class Loss:
    """How one system lost one query.

    Attributes:
        system: its name.
        winner: kind of the document that stood first; empty without trap annotations.
        value: of the judged measure.
        rank: of the first right answer, from 1; None where it is not among the hits that were kept.
        hits: ids of the first hits, best first.
    """

    system: str
    winner: str
    value: float
    rank: int | None
    hits: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LostQuery:
    """One query and the systems that lost it, best system first."""

    query: QueryRecord
    losses: tuple[Loss, ...]


@dataclass(frozen=True, slots=True)
class LostQueries:
    """The lost queries that are shown: those that most systems lost first, then those with the lowest values.

    Attributes:
        measure: by which a query is lost: its value is below 1, or not above 0 where values are not bounded by 0 and 1.
        graded: whether there are values besides 0 and 1.
        shown: at most :data:`MOST_QUERIES`, with texts of at most :data:`MOST_BYTES`.
        total: how many queries were lost by at least one system.
        kept: hits that the result kept of every query; a right answer may stand behind them.
        available: False where the result kept no hits, as a published table does.
    """

    measure: str
    graded: bool
    shown: tuple[LostQuery, ...]
    total: int
    kept: int
    available: bool


def lost_queries(result: Result, systems: Sequence[str], measure: str) -> LostQueries:
    """Finds the lost queries of a result.

    Args:
        result: with the first hits of every query.
        systems: names, best first; losses are listed in this order.
        measure: the judged one.
    """
    weighed = {s.name: s for s in result.weighed}
    ordered = [weighed[name] for name in systems if weighed[name].top]
    values = {v for s in ordered for v in s.values[measure] if v is not None}
    bounded = all(0 <= v <= 1 for v in values)
    found = []
    for i, query in enumerate(result.queries):
        losses = tuple(
            _loss(s, i, query, value)
            for s in ordered
            if (value := s.values[measure][i]) is not None and value < 1 and (bounded or value <= 0)
        )
        if losses and query.relevant:
            found.append(LostQuery(query, losses))
    found.sort(key=lambda lost: (-len(lost.losses), sum(loss.value for loss in lost.losses)))
    kept = max((len(hits) for s in ordered for hits in s.top), default=0)
    return LostQueries(
        measure, not values <= {0.0, 1.0}, tuple(_within_budget(found, result)), len(found), kept, bool(ordered)
    )


def texts_of(lost: LostQuery) -> tuple[str, ...]:
    """Ids of the documents that are shown with a query: the right answers, then the hits, each once."""
    hits = (hit for loss in lost.losses for hit in loss.hits)
    return tuple(dict.fromkeys((*lost.query.relevant[:HITS], *hits)))


def _loss(system: SystemRecord, i: int, query: QueryRecord, value: float) -> Loss:
    ids = [hit.id for hit in system.top[i]]
    rank = next((n for n, hit in enumerate(ids, 1) if hit in query.relevant), None)
    return Loss(system.name, system.winners[i] if system.winners else "", value, rank, tuple(ids[:HITS]))


def _within_budget(found: Sequence[LostQuery], result: Result) -> Iterator[LostQuery]:
    seen: set[str] = set()
    spent = 0
    for lost in found[:MOST_QUERIES]:
        fresh = set(texts_of(lost)) - seen
        spent += sum(len(result.documents.get(d, "").encode("utf-8", "replace")) for d in fresh)
        spent += len(lost.query.text.encode("utf-8", "replace"))
        if spent > MOST_BYTES:
            return
        seen |= fresh
        yield lost
