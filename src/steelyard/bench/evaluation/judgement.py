"""From a stored result to its judgement: the verdict by every measure that votes, and what was in reach."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from steelyard.bench.evaluation.against import by_query, figure, mean, rules_of
from steelyard.bench.evaluation.range_notes import range_notes
from steelyard.bench.evaluation.result import Result, SystemRecord
from steelyard.bench.evaluation.votes import Replacement, replacements, votes_of
from steelyard.errors import ResultError
from steelyard.measures.names import parse_measure
from steelyard.stats.difference import PairedDifference
from steelyard.stats.difference_interval import FEWEST_DIFFERING
from steelyard.stats.intervals import Interval
from steelyard.stats.verdict import Verdict
from steelyard.stats.verdict import judge as compare
from steelyard.wording.words import measure_name, say

MOST_ANSWERS = 5_000
"""Pairs whose answers the JSON document lists."""


@dataclass(frozen=True)
class Judgement:
    """What a result says.

    Attributes:
        verdict: every pair of systems by the judged measure.
        guards: the same by each of the other measures that vote, in the suite's order.
        separated: what guards tell apart and the judged measure does not: the best system less each of those without a
            significant difference from it, by the guard that speaks most clearly.
        replaced: system -> whether it may take the best one's place by all the measures that vote.
        figures: measure -> system -> mean and interval, systems best first.
        categories: category -> system -> the judged measure within it.
        winners: system -> kind of document -> share of the queries that it won; empty without trap annotations.
        needed: how many queries would decide between the best system and the first that is undecided, in words.
        notes: what must be said beside the figures: clusters or assumed independence, floor and ceiling, a suite's
            own fault.
        skipped: queries without a relevant document, which no measure counts.
    """

    verdict: Verdict
    guards: tuple[Verdict, ...]
    separated: tuple[PairedDifference, ...]
    replaced: Mapping[str, Replacement]
    figures: Mapping[str, Mapping[str, Interval]]
    categories: Mapping[str, Mapping[str, Interval]]
    winners: Mapping[str, Mapping[str, float]]
    needed: tuple[str, ...]
    notes: tuple[str, ...]
    skipped: tuple[str, ...]

    def to_dict(self) -> dict[str, object]:
        """Plain values for JSON."""
        answers = [
            {"a": c.a, "b": c.b, "measure": c.measure, "answer": c.answer, "reverse": c.reversed.answer,
             "equivalent": c.equivalent, "queries_to_decide": c.queries_to_decide}
            for verdict in (self.verdict, *self.guards)
            for c in verdict.comparisons[:MOST_ANSWERS]
        ]  # fmt: skip
        return asdict(self) | {"sentence": self.verdict.sentence, "answers": answers}


def judge(result: Result, measure: str | None = None, margin: float | None = None) -> Judgement:
    """Judges a result.

    Args:
        result: made by a run, or put together by :func:`steelyard.bench.evaluation.join.join`.
        measure: what to judge by; the first of the result when None.
        margin: a loss that does not matter, for every measure that votes; the measures' defaults when None.

    Raises:
        ResultError: no system was weighed, or the result does not have that measure.
        UsageError: there is no such measure at all.
    """
    systems = result.weighed
    if not systems:
        failures = "; ".join(f"{s.name}: {s.error}" for s in result.systems)
        raise ResultError(f"no system of this result was weighed{': ' * bool(failures)}{failures}")
    judged = asked_measure(result, measure)
    verdict, *guards = (_verdict(result, m, margin) for m in votes_of(result, judged))
    names = list(verdict.figures)
    ordered = sorted(systems, key=lambda s: names.index(s.name))
    measures = [judged, *(m for m in _all_measures(systems) if m != judged)]
    skipped = tuple(q.id for q, v in zip(result.queries, systems[0].values[judged], strict=True) if v is None)
    return Judgement(
        verdict=verdict,
        guards=tuple(guards),
        separated=_separated(verdict, guards),
        replaced=replacements(result, names[0], names, measure=judged, margin=margin),
        figures={m: {s.name: mean(result, s.name, m) for s in ordered} for m in measures},
        categories=_categories(ordered, result, judged),
        winners=_winners(ordered),
        needed=_needed(verdict),
        notes=(*_notes(result, (verdict, *guards)), *range_notes(result, verdict)),
        skipped=skipped,
    )


def _verdict(result: Result, measure: str, margin: float | None) -> Verdict:
    values = {s.name: by_query(result, s.name, measure) for s in result.weighed}
    return compare(values, measure, rules_of(result, measure, margin))


def asked_measure(result: Result, asked: str | None) -> str:
    """The measure of a result that a user means, in any spelling; its first where none is asked for.

    Raises:
        ResultError: the result does not have it.
        UsageError: there is no such measure at all.
    """
    if not asked:
        return result.measures[0]
    known = _all_measures(result.weighed)
    name = spelled(result, asked)
    if name not in known:
        raise ResultError(
            f"this result was not measured by {name}; it has {', '.join(known)}. Weigh again with --measures {name}"
        )
    return name


def spelled(result: Result, asked: str) -> str:
    """A measure's name as results hold it, whether or not this result does.

    Raises:
        UsageError: there is no such measure at all.
    """
    return asked if any(asked in s.values for s in result.weighed) else str(parse_measure(asked))


def _all_measures(systems: Sequence[SystemRecord]) -> list[str]:
    return [m for m in systems[0].values if all(m in s.values for s in systems)]


def _separated(verdict: Verdict, guards: Sequence[Verdict]) -> tuple[PairedDifference, ...]:
    best, *rest = verdict.figures
    found = []
    for other in rest:
        if verdict.between(best, other).distinguishable:
            continue
        pairs = [pair for guard in guards if (pair := guard.between(best, other)).distinguishable]
        if pairs:
            found.append(min(pairs, key=lambda pair: pair.p))
    return tuple(found)


def _categories(systems: Sequence[SystemRecord], result: Result, measure: str) -> dict[str, dict[str, Interval]]:
    members: dict[str, list[str]] = {}
    for query in result.queries:
        if query.category:
            members.setdefault(query.category, []).append(query.id)
    values = {system.name: by_query(result, system.name, measure) for system in systems}
    # Within one category the clusters that are categories say nothing.
    alone = result.model_copy(update={"queries": ()}) if result.suite.clusters == "category" else result
    return {
        category: {
            name: figure(alone, {i: row[i] for i in ids if i in row}, bounded=True) for name, row in values.items()
        }
        for category, ids in members.items()
    }


def _winners(systems: Sequence[SystemRecord]) -> dict[str, dict[str, float]]:
    found = {}
    for system in systems:
        counts = Counter(w for w in system.winners if w)
        total = sum(counts.values())
        if total:
            found[system.name] = {kind: count / total for kind, count in counts.most_common()}
    return found


def _needed(verdict: Verdict) -> tuple[str, ...]:
    pair = verdict.undecided
    return (say("verdict.needed", a=pair.a, b=pair.b, text=pair.needed),) if pair and pair.needed else ()


def _notes(result: Result, verdicts: Sequence[Verdict]) -> list[str]:
    verdict = verdicts[0]
    lines: list[str] = [result.suite.notice] if result.suite.notice else []
    if len(verdict.figures) < 2:
        return lines
    if verdict.clusters is None:
        lines.append(say("note.independent"))
    else:
        effects = tuple(
            say("note.effect", measure=measure_name(v.measure), effect=f"{v.design_effect:.2f}") for v in verdicts
        )
        what = result.suite.clusters or say("note.of_suite")
        lines.append(say("note.clusters", count=verdict.clusters, what=what, effects=effects))
        if verdict.clusters < FEWEST_DIFFERING:
            lines.append(say("note.few_clusters", count=verdict.clusters))
    if len(verdicts) > 1 and verdict.margin is not None:
        guards = tuple(measure_name(v.measure) for v in verdicts[1:])
        margin = verdict.comparisons[0].margin_text
        lines.append(say("note.vote", measure=measure_name(verdict.measure), guards=guards, margin=margin))
    return lines
