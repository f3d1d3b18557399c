"""From rankings to what a result keeps of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from steelyard.bench.evaluation.result import Top
from steelyard.measures.names import IN_GROUP, MARGIN
from steelyard.measures.ranking import Evaluator
from steelyard.measures.traps import trap_outcomes
from steelyard.suites.suite import Suite
from steelyard.types import Ranking

Values = dict[str, tuple[float | None, ...]]


def outcome(
    suite: Suite, rankings: Sequence[Ranking], evaluator: Evaluator, kept: int
) -> tuple[Values, tuple[str, ...], tuple[tuple[Top, ...], ...]]:
    """The values, the kind of each winner, and the first hits, all aligned with ``suite.queries``.

    Args:
        suite: what was searched.
        rankings: one a query.
        evaluator: the suite's judgements with the measures that are asked for.
        kept: hits kept of every ranking.
    """
    by_query = {r.query_id: r for r in rankings}
    values = _align(evaluator.evaluate(rankings), suite)
    winners: tuple[str, ...] = ()
    if suite.traps:
        traps = trap_outcomes(suite.traps, rankings)
        found = [traps.get(q.id) for q in suite.queries]
        values[IN_GROUP] = tuple(None if t is None else float(t.ahead) for t in found)
        values[MARGIN] = tuple(None if t is None else t.margin for t in found)
        winners = tuple("" if t is None else t.winner.value for t in found)
    top = tuple(_top(by_query.get(q.id), kept) for q in suite.queries)
    return values, winners, top


def _align(figures: Mapping[str, Mapping[str, float]], suite: Suite) -> Values:
    return {m: tuple(by_query.get(q.id) for q in suite.queries) for m, by_query in figures.items()}


def _top(ranking: Ranking | None, kept: int) -> tuple[Top, ...]:
    if ranking is None:
        return ()
    return tuple(map(Top, ranking.document_ids[:kept], ranking.scores[:kept].tolist()))
