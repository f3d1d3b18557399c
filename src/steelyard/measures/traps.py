"""What a trap suite tells beyond rank: who won, by how much, and whether the group itself was sorted.

A group is the documents that a trap suite annotates for one query: one positive and its own distractors. Every other
document of the collection is a filler.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from steelyard.errors import DataError
from steelyard.types import Ranking, TrapKind

Traps = Mapping[str, Mapping[str, TrapKind]]
"""query id -> document id -> kind"""


class Winner(StrEnum):
    """What the top document was to the query."""

    POSITIVE = "positive"
    LOOKALIKE = "lookalike"
    CONTRARY = "contrary"
    NEIGHBOUR = "neighbour"
    OTHER = "other"
    """A document of another group."""
    NONE = "none"
    """The system returned nothing."""


@dataclass(frozen=True, slots=True)
class TrapOutcome:
    """How one system took one trap.

    Attributes:
        winner: the kind of the top document.
        ahead: whether the positive was returned, and before every distractor of its own group; distractors that
            were not returned are behind. Ties go by the one order of rankings.
        margin: score of the positive less that of its best own distractor, in the units of the system's score;
            None where the ranking lacks the positive or all of its distractors (cut off, or nothing returned).
    """

    query_id: str
    winner: Winner
    ahead: bool
    margin: float | None


def trap_outcomes(traps: Traps, rankings: Iterable[Ranking]) -> dict[str, TrapOutcome]:
    """How one system took every trap.

    Args:
        traps: query id -> document id -> kind.
        rankings: one ranking a query at the most; rankings of other queries are ignored.

    Returns:
        query id -> outcome, for every query of ``traps`` in its order; a query without a ranking is a loss.

    Raises:
        DataError: when a query has two rankings, or a group has no positive.
    """
    by_query: dict[str, Ranking] = {}
    for ranking in rankings:
        if ranking.query_id in by_query:
            raise DataError(f"query {ranking.query_id!r} has two rankings; give one for each query")
        by_query[ranking.query_id] = ranking
    return {query_id: _outcome(query_id, kinds, by_query.get(query_id)) for query_id, kinds in traps.items()}


def _outcome(query_id: str, kinds: Mapping[str, TrapKind], ranking: Ranking | None) -> TrapOutcome:
    if TrapKind.POSITIVE not in kinds.values():
        raise DataError(f"trap group {query_id!r} has no positive document")
    if ranking is None or not len(ranking):
        return TrapOutcome(query_id, Winner.NONE, ahead=False, margin=None)
    top = kinds.get(ranking.document_ids[0])
    winner = Winner.OTHER if top is None else Winner(top.value)
    positive = distractor = None
    for i, document_id in enumerate(ranking.document_ids):
        if document_id in kinds:
            if kinds[document_id] is TrapKind.POSITIVE:
                positive = i if positive is None else positive
            elif distractor is None:
                distractor = i
            if positive is not None and distractor is not None:
                break
    if positive is None:
        return TrapOutcome(query_id, winner, ahead=False, margin=None)
    if distractor is None:
        return TrapOutcome(query_id, winner, ahead=True, margin=None)
    margin = float(ranking.scores[positive]) - float(ranking.scores[distractor])
    return TrapOutcome(query_id, winner, ahead=positive < distractor, margin=margin)
