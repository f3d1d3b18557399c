"""From a stored result to its judgement: intervals, tests, groups, and what the queries could have shown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from steelyard.bench.evaluation.result import Result, SystemRecord
from steelyard.errors import ResultError
from steelyard.measures.names import parse_measure
from steelyard.stats.intervals import Interval, interval
from steelyard.stats.power import queries_needed
from steelyard.stats.verdict import Verdict
from steelyard.stats.verdict import judge as compare


@dataclass(frozen=True)
class Judgement:
    """What a result says.

    Attributes:
        verdict: every pair of systems by the judged measure.
        figures: measure -> system -> mean and interval, systems best first.
        categories: category -> system -> the judged measure within it.
        winners: system -> kind of document -> share of the queries that it won; empty without trap annotations.
        needed: how many queries the differences between neighbours in the table would need, in words.
        skipped: queries without a relevant document, which no measure counts.
    """

    verdict: Verdict
    figures: Mapping[str, Mapping[str, Interval]]
    categories: Mapping[str, Mapping[str, Interval]]
    winners: Mapping[str, Mapping[str, float]]
    needed: tuple[str, ...]
    skipped: tuple[str, ...]

    def to_dict(self) -> dict[str, object]:
        """Plain values for JSON."""
        return asdict(self) | {"sentence": self.verdict.sentence}


def judge(result: Result, measure: str | None = None) -> Judgement:
    """Judges a result.

    Args:
        result: made by a run, or put together by :func:`steelyard.bench.evaluation.join.join`.
        measure: what to judge by; the first of the result when None.

    Raises:
        ResultError: no system was weighed, or the result does not have that measure.
        UsageError: there is no such measure at all.
    """
    systems = result.weighed
    if not systems:
        failures = "; ".join(f"{s.name}: {s.error}" for s in result.systems)
        raise ResultError(f"no system of this result was weighed{': ' * bool(failures)}{failures}")
    judged = asked_measure(result, measure)
    values = {s.name: _by_query(s, result, judged) for s in systems}
    verdict = compare(values, judged, seed=result.seed)
    ordered = sorted(systems, key=lambda s: list(verdict.figures).index(s.name))
    measures = [judged, *(m for m in _all_measures(systems) if m != judged)]
    return Judgement(
        verdict=verdict,
        figures={m: {s.name: _interval(s, result, m) for s in ordered} for m in measures},
        categories=_categories(ordered, result, judged),
        winners=_winners(ordered),
        needed=_needed(verdict),
        skipped=tuple(q.id for q, v in zip(result.queries, systems[0].values[judged], strict=True) if v is None),
    )


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


def _by_query(system: SystemRecord, result: Result, measure: str) -> dict[str, float]:
    pairs = zip(result.queries, system.values[measure], strict=True)
    return {q.id: value for q, value in pairs if value is not None}


def _interval(system: SystemRecord, result: Result, measure: str) -> Interval:
    return interval(list(_by_query(system, result, measure).values()), seed=result.seed)


def _categories(systems: Sequence[SystemRecord], result: Result, measure: str) -> dict[str, dict[str, Interval]]:
    members: dict[str, list[int]] = {}
    for i, query in enumerate(result.queries):
        if query.category:
            members.setdefault(query.category, []).append(i)
    found: dict[str, dict[str, Interval]] = {}
    for category, rows in members.items():
        found[category] = {}
        for system in systems:
            known = [v for v in (system.values[measure][i] for i in rows) if v is not None]
            found[category][system.name] = interval(known, seed=result.seed, bounded=True)
    return found


def _winners(systems: Sequence[SystemRecord]) -> dict[str, dict[str, float]]:
    found = {}
    for system in systems:
        counts = Counter(w for w in system.winners if w)
        total = sum(counts.values())
        if total:
            found[system.name] = {kind: count / total for kind, count in counts.most_common()}
    return found


def _needed(verdict: Verdict) -> tuple[str, ...]:
    """For the best system and the first one with another figure that it cannot be told from."""
    lines = []
    for pair in verdict.comparisons:
        a, b = verdict.figures[pair.a].estimate, verdict.figures[pair.b].estimate
        binary = verdict.figures[pair.a].method == verdict.figures[pair.b].method == "wilson"
        if binary and not pair.distinguishable and a != b:
            lines.append(
                f"{pair.a} against {pair.b}: {queries_needed(a, b)}, if they fail independently; here {verdict.n}"
            )
            break
    return tuple(lines)
