"""Judged results of one suite or of several, and at last the verdict over all of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from steelyard.bench.evaluation.over_suites import over_suites
from steelyard.bench.evaluation.result import Result
from steelyard.report.content import Report, compose
from steelyard.report.table import Block, Line
from steelyard.report.verdict_view import verdict_blocks
from steelyard.wording.words import Wording


def judged_reports(
    suites: Sequence[tuple[Result, Sequence[str]]], measure: str = "", margin: float | None = None
) -> list[Report]:
    """A report for each suite; where there are several, one over all of them, with the suite as the unit.

    Args:
        suites: results with the files they came from.
        measure: to judge by; each result's first when empty.
        margin: a loss that does not matter; the measures' defaults when None.

    Raises:
        ResultError: no system or measure that all suites have.
    """
    reports = [compose(r, measure=measure or None, origins=origins, margin=margin) for r, origins in suites]
    if len(suites) > 1:
        whole = over_suites([r for r, _ in suites], reports[0].verdict.measure if measure else "")
        reports.append(compose(whole, margin=margin))
    return reports


def report_blocks(reports: Sequence[Report], w: Wording) -> Iterator[Block]:
    """All of them, one under the other."""
    for i, report in enumerate(reports):
        if i:
            yield Line("")
        if i and i == len(reports) - 1:
            yield Line(w("verdict.over_suites", count=i), "heading")
        yield from verdict_blocks(report, w)
