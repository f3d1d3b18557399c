"""The tables of a report, in its language: what page and Markdown both show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from steelyard.report.content import Report
from steelyard.report.economy import CostBars
from steelyard.report.numbers import amount, ends, p_value, short, span
from steelyard.report.sweeps import Sweep
from steelyard.report.wording import Wording
from steelyard.stats.intervals import Interval
from steelyard.stats.verdict import Comparison

MOST_PAIRS = 190
"""Pairs that page and Markdown show: all pairs of 20 systems."""


@dataclass(frozen=True)
class Table:
    """Texts in rows.

    Attributes:
        head: one text a column.
        rows: texts, as many as in the head.
        words: how many columns at the left hold words and not figures.
    """

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    words: int = 1


def main_table(report: Report, w: Wording) -> Table:
    """Systems best first: the judged measure with interval and letters, then the other measures."""
    verdict, figures = report.verdict, report.judgement.figures
    head = (
        w("table.system"), w.name("measure", verdict.measure), w("table.interval"), w("table.letters"),
        *(w.name("measure", m) for m in report.measures),
    )  # fmt: skip
    rows = [
        (
            name, amount(f.estimate, points=report.points), span(f, points=report.points), verdict.letters[name],
            *(amount(figures[m][name].estimate, points=in_points(figures[m])) for m in report.measures),
        )
        for name, f in verdict.figures.items()
    ]  # fmt: skip
    rows += [(s.name, w("text.failed"), *[""] * (len(head) - 2)) for s in report.failed]
    return Table(head, tuple(rows))


def in_points(figures: Mapping[str, Interval]) -> bool:
    """Whether figures of one measure all lie between 0 and 1."""
    return all(f.low >= 0 and f.high <= 1 for f in figures.values() if f.n)


def category_table(report: Report, w: Wording) -> Table:
    """The judged measure within each category, with intervals."""
    found = report.judgement.categories
    rows = []
    for category in report.categories:
        figures = found[category]
        cells = (_with_span(figures[s], points=report.points) for s in report.systems)
        rows.append((w.name("category", category), str(max(f.n for f in figures.values())), *cells))
    return Table((w("categories.category"), w("categories.n"), *report.systems), tuple(rows))


def winners_table(report: Report, w: Wording) -> Table:
    """What stood first, in percent of the queries."""
    kinds = report.kinds
    rows = [
        (name, *(f"{100 * shares.get(k, 0):.1f}" for k in kinds)) for name, shares in report.judgement.winners.items()
    ]
    return Table((w("table.system"), *(w(f"kind.{k}") for k in kinds)), tuple(rows))


def pace_table(report: Report, w: Wording) -> Table:
    """Accuracy and time of every system that was timed, fastest first."""
    if report.pace is None:
        return Table((), ())
    measured = report.pace.source == "costs"
    head = [w("table.system"), w.name("measure", report.verdict.measure), w("table.interval"), w("pareto.time")]
    rows = []
    for p in report.pace.points:
        cells = [
            p.system, amount(p.figure.estimate, points=report.points), span(p.figure, points=report.points),
            short(p.milliseconds),
        ]  # fmt: skip
        cells += [f"{short(p.low)}–{short(p.high)}"] if measured else []
        rows.append((*cells, w("pareto.yes") if p.front else w("pareto.no")))
    return Table((*head, *([w("pareto.spread")] if measured else []), w("pareto.on_front")), tuple(rows))


def sweep_table(report: Report, sweep: Sweep, w: Wording) -> Table:
    """The figures along every curve."""
    head = (
        w("table.system"), w.name("sweep", sweep.option), w.name("measure", report.verdict.measure),
        w("table.interval"), w("table.letters"),
    )  # fmt: skip
    rows = [
        (
            s.system, f"{s.value:g}", amount(s.figure.estimate, points=report.points),
            span(s.figure, points=report.points), report.verdict.letters[s.system],
        )
        for curve in sweep.curves
        for s in curve.spots
    ]  # fmt: skip
    return Table(head, tuple(rows))


def cost_table(report: Report, w: Wording) -> Table:
    """Every kind of cost beside each other; the spread behind a figure that has one."""
    rows = [(name, *(_cost(bars, name) for bars in report.costs)) for name in report.systems]
    return Table((w("table.system"), *(w(f"costs.{b.key}") for b in report.costs)), tuple(rows))


def pair_table(pairs: Sequence[Comparison], w: Wording) -> Table:
    """Pairs of systems: difference, interval, p-values."""
    head = tuple(w(f"statistics.{k}") for k in ("first", "second", "difference", "interval", "p", "holm", "told"))
    rows = [
        (
            c.a, c.b, amount(c.difference, points=c.points, signed=True),
            ends(c.low, c.high, points=c.points, signed=True), p_value(c.p), p_value(c.p_holm),
            w("statistics.yes") if c.distinguishable else w("statistics.no"),
        )
        for c in pairs
    ]  # fmt: skip
    return Table(head, tuple(rows), words=2)


def _with_span(figure: Interval, *, points: bool) -> str:
    return f"{amount(figure.estimate, points=points)} ({span(figure, points=points)})"


def _cost(bars: CostBars, system: str) -> str:
    figure = bars.figures.get(system)
    if figure is None:
        return "–"
    spread = "" if figure.low == figure.high else f" ({short(figure.low)}–{short(figure.high)})"
    return short(figure.value) + spread
