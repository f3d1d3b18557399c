"""Several suites, one verdict: each suite on its own, and over all of them with the suite as the unit.

A plain mean over suites hides that a system may be first on the easy ones only. Here every suite gives one value a
system, and the paired sign-flip test over suites says whether the difference would hold on further suites of the same
kind; the groups are those of systems without a significant difference.
"""

from __future__ import annotations

from collections.abc import Sequence

from steelyard.bench.evaluation.against import mean
from steelyard.bench.evaluation.external.made import result_of
from steelyard.bench.evaluation.join import join
from steelyard.bench.evaluation.result import Result
from steelyard.errors import ResultError


def by_suite(results: Sequence[Result], origins: Sequence[str]) -> list[tuple[Result, list[str]]]:
    """The results of each suite put together, with the files they came from, in the order of their first."""
    groups: dict[str, tuple[list[Result], list[str]]] = {}
    for result, origin in zip(results, origins, strict=True):
        same, files = groups.setdefault(result.suite.checksum or origin, ([], []))
        same.append(result)
        files.append(origin)
    return [(join(same, files), files) for same, files in groups.values()]


def over_suites(suites: Sequence[Result], measure: str = "") -> Result:
    """A result whose units are suites: the mean of every system that all of them have, by one measure.

    Args:
        suites: one result a suite.
        measure: that all have; the first one's own, or else nDCG@10, where empty.

    Raises:
        ResultError: fewer than two suites, or no system or measure that all have.
    """
    if len(suites) < 2:
        raise ResultError("a verdict over suites takes results of two suites or more")
    common = [s.name for s in suites[0].weighed if all(s.name in {o.name for o in r.weighed} for r in suites)]
    if not common:
        raise ResultError("no system was weighed on every suite")
    judged = _measure(suites, measure)
    names = [_named(i, suites) for i in range(len(suites))]
    values = {
        system: {judged: {n: mean(r, system, judged).estimate for n, r in zip(names, suites, strict=True)}}
        for system in common
    }
    note = f"The unit is the suite: {', '.join(names)}. Systems that were not weighed on all of them are left out."
    return result_of(f"{len(suites)} suites", names, values, note)


def _measure(suites: Sequence[Result], asked: str) -> str:
    shared = [m for m in suites[0].measures if all(m in r.measures for r in suites)]
    wanted = [asked] if asked else [suites[0].measures[0], "ndcg@10", *shared]
    found = next((m for m in wanted if m in shared), None)
    if found is None:
        raise ResultError(f"not every suite was measured by {asked or 'one measure'}; all have {', '.join(shared)}")
    return found


def _named(place: int, suites: Sequence[Result]) -> str:
    name = f"{suites[place].suite.name} {suites[place].suite.version}".strip()
    same = sum(f"{r.suite.name} {r.suite.version}".strip() == name for r in suites)
    return name if same == 1 else f"{name} ({place + 1})"
