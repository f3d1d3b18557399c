"""The tables of a report: what terminal, page, Markdown, CSV and notebooks show, each made here alone.

A further statistic of systems or of pairs is one entry here and its words in ``wording/``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from steelyard.report.content import Report
from steelyard.report.economy import CostBars
from steelyard.report.forest import figures_scale, pairs_scale
from steelyard.report.lost import Loss, LostQuery
from steelyard.report.sweeps import Sweep
from steelyard.report.table import COUNT, Cell, Column, Entry, P, Spread, Table, make_table
from steelyard.stats.difference import PairedDifference
from steelyard.stats.intervals import Interval
from steelyard.wording.numbers import COST, NumberFormat, measure_format
from steelyard.wording.words import Wording

MOST_PAIRS = 190
"""Pairs that page and Markdown show: all pairs of 20 systems."""
_NAME = "table.system"


def main_table(report: Report, w: Wording) -> Table:
    """Systems best first: the judged measure with interval and letters, then the other measures."""
    verdict, figures = report.verdict, report.judgement.figures
    style = measure_format(points=report.points)
    scale = figures_scale(list(verdict.figures.values()))
    others = tuple(_measure(m, figures[m], w) for m in report.measures)
    columns = (
        Column(w(_NAME), key="system", role="name"),
        replace(_measure(verdict.measure, verdict.figures, w), role="figure"),
        Column(w("table.interval"), style, "", "ends", w("narrow.interval"), scale=scale, term="interval"),
        Column(w("table.letters"), key="group", role="letters", term="letters"),
        *others,
    )
    rows: list[tuple[Cell, ...]] = []
    for name, figure in verdict.figures.items():
        judged, rest = Spread.of(figure), (Spread.of(figures[m][name]) for m in report.measures)
        rows.append((name, judged, judged, verdict.letters[name], *rest))
    rows += [(s.name, w("text.failed"), *[""] * (len(columns) - 2)) for s in report.failed]
    best = frozenset(i for i, letters in enumerate(verdict.letters.values()) if "a" in letters)
    return Table("figures", columns, tuple(rows), suite_line(report, w), best)


def suite_line(report: Report, w: Wording) -> str:
    """What was weighed on what, in a line."""
    suite = report.result.suite
    counts = w(
        "text.summary", queries=suite.queries, documents=f"{suite.documents:,}", systems=len(report.result.systems)
    )
    return w("text.titled", title=f"{suite.name} {suite.version}".strip(), text=counts)


def in_points(figures: Mapping[str, Interval]) -> bool:
    """Whether figures of one measure all lie between 0 and 1."""
    return all(f.low >= 0 and f.high <= 1 for f in figures.values() if f.n)


def category_table(report: Report, w: Wording) -> Table:
    """The judged measure within each category, hardest first, with intervals."""
    found, style = report.judgement.categories, measure_format(points=report.points)
    rows: list[tuple[Cell, ...]] = [
        (w.name("category", c), max(f.n for f in found[c].values()), *(Spread.of(found[c][s]) for s in report.systems))
        for c in report.categories
    ]
    columns = (
        Column(w("categories.category"), key="category"), Column(w("categories.n"), COUNT),
        *(Column(s, style, s) for s in report.systems),
    )  # fmt: skip
    title = w("text.titled", title=w("section.categories"), text=w.measure(report.verdict.measure))
    return Table("categories", columns, tuple(rows), title, across="system")


def winners_table(report: Report, w: Wording) -> Table:
    """What ranked first, in percent of the queries."""
    shares = report.judgement.winners
    kinds = (Column(w(f"kind.{k}"), NumberFormat(100, 1), k, term=k) for k in report.kinds)
    rows: list[tuple[Cell, ...]] = [(n, *(found.get(k, 0.0) for k in report.kinds)) for n, found in shares.items()]
    columns = (Column(w(_NAME), key="system", role="name"), *kinds)
    return Table("ranked_first", columns, tuple(rows), w("fooled.title"), across="kind")


def pace_table(report: Report, w: Wording) -> Table:
    """Accuracy and time of every system that was timed, fastest first."""
    points = report.pace.points if report.pace else ()
    style = measure_format(points=report.points)
    columns = (
        Column(w(_NAME), key="system", role="name"),
        Column(w.measure(report.verdict.measure), style),
        Column(w("pareto.time"), COST, "value"),
        Column(w("pareto.on_front"), key="kind", term="pareto"),
    )
    rows = tuple(
        (
            p.system,
            Spread.of(p.figure),
            Spread(p.milliseconds, p.low, p.high),
            w("pareto.front_mark") if p.front else "",
        )
        for p in points
    )
    return Table("milliseconds_per_query", columns, rows)


def sweep_table(report: Report, sweep: Sweep, w: Wording) -> Table:
    """The figures along every curve."""
    style, letters = measure_format(points=report.points), report.verdict.letters
    columns = (
        Column(w(_NAME), key="system", role="name"), Column(w.name("sweep", sweep.option), NumberFormat()),
        Column(w.measure(report.verdict.measure), style),
        Column(w("table.letters"), role="letters", term="letters"),
    )  # fmt: skip
    spots = (s for curve in sweep.curves for s in curve.spots)
    return Table("", columns, tuple((s.system, s.value, Spread.of(s.figure), letters[s.system]) for s in spots))


def cost_table(report: Report, w: Wording) -> Table:
    """Every kind of cost beside each other; the spread behind a figure that has one."""
    columns = (Column(w(_NAME), key="system", role="name"), *(_cost(bars, w) for bars in report.costs))
    rows = tuple((name, *(Spread.of(b.figures.get(name)) for b in report.costs)) for name in report.systems)
    return Table("costs", columns, rows)


def pair_table(report: Report, w: Wording, most: int | None = MOST_PAIRS) -> Table:
    """Pairs of systems: difference, interval, p-values; the first ones where there are many."""
    pairs = report.verdict.comparisons[:most]
    table = make_table("pairs", pairs, pair_entries(report, w), w)
    return replace(table, strong=frozenset(i for i, c in enumerate(pairs) if c.distinguishable))


def pair_entries(report: Report, w: Wording) -> tuple[Entry[PairedDifference], ...]:
    """What is said of a pair of systems, a column each."""
    style = measure_format(points=report.points, signed=True)
    scale = pairs_scale(report.verdict.comparisons[:MOST_PAIRS])

    def difference(c: PairedDifference) -> Spread:
        return Spread(c.difference, c.low, c.high, report.verdict.n)

    return (
        Entry("statistics.first", lambda c: c.a, key="system", role="name"),
        Entry("statistics.second", lambda c: c.b, key="versus", role="name"),
        Entry("statistics.difference", difference, style, "value", part="value", role="figure"),
        Entry("statistics.interval", difference, style, "", part="ends", scale=scale, term="interval"),
        Entry("statistics.p", lambda c: c.p, P, term="p"),
        Entry("statistics.holm", lambda c: c.p_holm, P, "p_holm", term="holm"),
        Entry("statistics.told", lambda c: answer_of(c, w), key="answer", role="told", term="margin"),
    )


def answer_of(c: PairedDifference, w: Wording) -> str:
    """One of the answers in words; *equivalent* where both are no worse."""
    return w("answer.equivalent") if c.equivalent and not c.distinguishable else w(f"answer.{c.answer}")


def lost_table(report: Report, w: Wording) -> Table:
    """Every lost query with every system that lost it; for CSV, the other forms list them."""
    documents = report.result.documents
    things = ((lost, loss) for lost in report.lost.shown for loss in lost.losses)
    entries: tuple[Entry[tuple[LostQuery, Loss]], ...] = (
        Entry(_NAME, lambda t: t[1].system),
        Entry("lost.category", lambda t: t[0].query.category),
        Entry("lost.kind", lambda t: t[1].winner),
        Entry("lost.query", lambda t: t[0].query.id),
        Entry("lost.text", lambda t: t[0].query.text),
        Entry("lost.rank_column", lambda t: t[1].rank, COUNT, "rank"),
        Entry("lost.right", lambda t: documents.get(t[0].query.relevant[0], ""), key="right_answer"),
        Entry("lost.first_hit", lambda t: documents.get(t[1].hits[0], "") if t[1].hits else ""),
    )
    return make_table("lost", things, entries, w)


def _measure(measure: str, figures: Mapping[str, Interval], w: Wording) -> Column:
    style = measure_format(points=in_points(figures))
    return Column(w.measure(measure), style, measure, "value", role="other", term=_term(measure))


def _term(measure: str) -> str:
    """Its entry in the glossary."""
    return measure.partition("@")[0]


def _cost(bars: CostBars, w: Wording) -> Column:
    return Column(w(f"costs.{bars.key}"), COST, bars.key, narrow=w(f"narrow.{bars.key}"), term=bars.key)
