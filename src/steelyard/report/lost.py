"""Queries whose first hit was wrong: what stood there, and where the right answer was."""

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
        rank: of the first right answer, from 2; None where it is not among the hits that were kept.
        hits: ids of the first hits, best first.
    """

    system: str
    winner: str
    rank: int | None
    hits: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LostQuery:
    """One query and the systems that lost it, best system first."""

    query: QueryRecord
    losses: tuple[Loss, ...]


@dataclass(frozen=True, slots=True)
class LostQueries:
    """The lost queries that are shown, those that most systems lost first.

    Attributes:
        shown: at most :data:`MOST_QUERIES`, with texts of at most :data:`MOST_BYTES`.
        total: how many queries were lost by at least one system.
        kept: hits that the result kept of every query; a right answer may stand behind them.
        available: False where the result kept no hits, as a published table does.
    """

    shown: tuple[LostQuery, ...]
    total: int
    kept: int
    available: bool


def lost_queries(result: Result, systems: Sequence[str]) -> LostQueries:
    """Finds the lost queries of a result.

    Args:
        result: with the first hits of every query.
        systems: names, best first; losses are listed in this order.
    """
    weighed = {s.name: s for s in result.weighed}
    ordered = [weighed[name] for name in systems if weighed[name].top]
    found = []
    for i, query in enumerate(result.queries):
        losses = tuple(_loss(s, i, query) for s in ordered if _is_lost(s, i, query))
        if losses and query.relevant:
            found.append(LostQuery(query, losses))
    found.sort(key=lambda lost: -len(lost.losses))
    kept = max((len(hits) for s in ordered for hits in s.top), default=0)
    return LostQueries(tuple(_within_budget(found, result)), len(found), kept, bool(ordered))


def texts_of(lost: LostQuery) -> tuple[str, ...]:
    """Ids of the documents that are shown with a query: the right answers, then the hits, each once."""
    hits = (hit for loss in lost.losses for hit in loss.hits)
    return tuple(dict.fromkeys((*lost.query.relevant[:HITS], *hits)))


def _is_lost(system: SystemRecord, i: int, query: QueryRecord) -> bool:
    hits = system.top[i]
    return not hits or hits[0].id not in query.relevant


def _loss(system: SystemRecord, i: int, query: QueryRecord) -> Loss:
    ids = [hit.id for hit in system.top[i]]
    rank = next((n for n, hit in enumerate(ids, 1) if hit in query.relevant), None)
    return Loss(system.name, system.winners[i] if system.winners else "", rank, tuple(ids[:HITS]))


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
