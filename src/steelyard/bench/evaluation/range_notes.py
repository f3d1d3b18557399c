"""Floor and ceiling: where a measure cannot tell what a system is worth, and which one can."""

from __future__ import annotations

from collections.abc import Iterator

from steelyard.bench.evaluation.against import mean
from steelyard.bench.evaluation.result import Result
from steelyard.measures.names import IN_GROUP
from steelyard.stats.verdict import Verdict
from steelyard.wording.numbers import POINTS
from steelyard.wording.words import measure_name, say

CEILING = 0.97
"""A mean from which on a measure between 0 and 1 has no room above, where its interval reaches the top as well."""
_TOP = 0.99


def range_notes(result: Result, verdict: Verdict) -> tuple[str, ...]:
    """A line on the systems at the floor, and one on those at the ceiling."""
    return (*_floor(result), *_ceiling(verdict))


def _floor(result: Result) -> Iterator[str]:
    """In-group Top-1 inside chance, the mean of 1 / group size."""
    inside = []
    for system in result.weighed if result.suite.chance else ():
        if IN_GROUP in system.values:
            found = mean(result, system.name, IN_GROUP)
            if found.low <= result.suite.chance:
                ends = POINTS.range(found.low, found.high)
                inside.append(say("note.floor_name", name=system.name, value=POINTS.number(found.estimate), ends=ends))
    known = [m for m in ("recall@10", "ndcg@10", "hit@3") if all(m in s.values for s in result.weighed)]
    if inside and known:
        others = tuple(measure_name(m) for m in known)
        chance = POINTS.number(result.suite.chance)
        yield say("note.floor", chance=chance, names=tuple(inside), measure=measure_name("top1"), others=others)


def _ceiling(verdict: Verdict) -> Iterator[str]:
    figures = verdict.figures if verdict.points else {}
    near = tuple(name for name, f in figures.items() if f.estimate >= CEILING and f.high >= _TOP)
    if near:
        yield say("note.ceiling", names=near, measure=measure_name(verdict.measure))
