"""Everything a report says, put together once, so that page, Markdown, CSV and pictures say the same."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from steelyard.bench.advice.recommend import Advice, advise
from steelyard.bench.advice.scenario import Scenario
from steelyard.bench.evaluation.judgement import Judgement, judge
from steelyard.bench.evaluation.result import Result, SystemRecord
from steelyard.measures.names import MARGIN
from steelyard.report.economy import CostBars, Pace, cost_bars, pace
from steelyard.report.lost import LostQueries, lost_queries
from steelyard.report.sweeps import Sweep, sweeps
from steelyard.stats.intervals import Interval
from steelyard.stats.verdict import Verdict

KINDS = ("positive", "lookalike", "contrary", "neighbour", "other", "none")
"""What can rank first, in the order reports show it."""
IN_GENERAL = Scenario(name="report", title="In general", costs=("p95_ms", "memory_gb", "storage_gb", "load_s"))
"""What decides between systems without a significant difference where nobody says what counts."""


@dataclass(frozen=True)
class Report:
    """A judged result with what reports derive from it.

    Attributes:
        result: one run, or several put together.
        judgement: of that result.
        origins: the files it came from, without their folders.
        points: whether the judged measure lies between 0 and 1 and reads in points of 100.
        measures: shown beside the judged one, in order.
        pace: accuracy against time; None where fewer than two systems were timed.
        sweeps: one for each option that was swept.
        costs: one set of bars for each kind of cost.
        margin: that the user sets; None for the measures' defaults.
        lost: queries that a system did not answer fully by the judged measure.
    """

    result: Result
    judgement: Judgement
    origins: tuple[str, ...]
    points: bool
    measures: tuple[str, ...]
    pace: Pace | None
    sweeps: tuple[Sweep, ...]
    costs: tuple[CostBars, ...]
    lost: LostQueries
    margin: float | None = None

    @property
    def verdict(self) -> Verdict:
        """All pairs by the judged measure."""
        return self.judgement.verdict

    @cached_property
    def advice(self) -> Advice:
        """Which system to take when nothing but quality and the known costs counts."""
        return advise(self.result, IN_GENERAL, measure=self.verdict.measure, margin=self.margin)

    @property
    def systems(self) -> tuple[str, ...]:
        """Names, best first."""
        return tuple(self.verdict.figures)

    @property
    def failed(self) -> tuple[SystemRecord, ...]:
        """The systems that could not be weighed."""
        return tuple(s for s in self.result.systems if s.error)

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of document that stood first at least once, in the order of :data:`KINDS`."""
        seen = {kind for shares in self.judgement.winners.values() for kind in shares}
        return tuple(k for k in KINDS if k in seen)

    @property
    def categories(self) -> tuple[str, ...]:
        """Hardest first, by the mean of all systems; empty where there are fewer than two."""
        found = self.judgement.categories
        if len(found) < 2:
            return ()
        return tuple(sorted(found, key=lambda c: (_mean(list(found[c].values())), c)))


def compose(
    result: Result, *, measure: str | None = None, origins: Sequence[str] = (), margin: float | None = None
) -> Report:
    """Judges a result and derives what reports show.

    Args:
        result: made by a run, or put together by :func:`steelyard.bench.evaluation.join.join`.
        measure: what to judge by; the first of the result when None.
        origins: the files it was read from; only their names are shown.
        margin: a loss that does not matter, for every measure that votes; their defaults when None.

    Raises:
        ResultError: no system was weighed, or the result does not have that measure.
        UsageError: there is no such measure at all.
    """
    judgement = judge(result, measure, margin)
    figures = judgement.verdict.figures
    weighed = {s.name: s for s in result.weighed}
    ordered = [weighed[name] for name in figures]
    return Report(
        result=result,
        judgement=judgement,
        origins=tuple(o.replace("\\", "/").rsplit("/", 1)[-1] for o in origins),
        points=all(f.low >= 0 and f.high <= 1 for f in figures.values()),
        measures=tuple(m for m in judgement.figures if m not in (judgement.verdict.measure, MARGIN)),
        pace=pace(ordered, figures, len(result.queries)),
        sweeps=sweeps(figures),
        costs=cost_bars(ordered, len(result.queries)),
        lost=lost_queries(result, tuple(figures), judgement.verdict.measure),
        margin=margin,
    )


def _mean(figures: Sequence[Interval]) -> float:
    known = [f.estimate for f in figures if not math.isnan(f.estimate)]
    return sum(known) / len(known) if known else 0.0
