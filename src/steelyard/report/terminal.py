"""A judged result as a table for the terminal."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from steelyard.bench.evaluation.judgement import Judgement
from steelyard.bench.evaluation.outcome import IN_GROUP, MARGIN
from steelyard.bench.evaluation.result import Result
from steelyard.stats.intervals import Interval

_TITLES = {"top1": "Top-1", IN_GROUP: "in group", "mrr": "MRR", "map": "MAP"}
_DISTRACTORS = ("lookalike", "contrary", "neighbour", "other")


def print_verdict(out: Console, result: Result, judgement: Judgement) -> None:
    """Prints the table, who fooled whom, and the verdict in words."""
    verdict = judgement.verdict
    out.print(main_table(result, judgement))
    caption = "95 % intervals in points; systems that share a letter cannot be told apart"
    out.print(f"{caption} (paired permutation test, Holm, alpha {verdict.alpha:g}).", style="dim")
    if judgement.winners:
        out.print()
        out.print(winners_table(judgement))
    if len(judgement.categories) > 1:
        out.print()
        out.print(category_table(judgement))
    out.print()
    out.print(Text(verdict.sentence, style="bold"), soft_wrap=True)
    for line in (*judgement.needed, *_remarks(result, judgement)):
        out.print(Text(line), soft_wrap=True)


def main_table(result: Result, judgement: Judgement) -> Table:
    """Systems best first: the judged measure with its interval and letters, then the other measures."""
    verdict = judgement.verdict
    suite = result.suite
    title = f"{suite.name} {suite.version}".strip() + f": {suite.queries} queries, {suite.documents:,} documents"
    table = Table(title=title, box=None, title_justify="left", title_style="bold", pad_edge=False)
    table.add_column("system", overflow="fold")
    others = [m for m in judgement.figures if m not in (verdict.measure, MARGIN)]
    table.add_column(_title(verdict.measure), justify="right", no_wrap=True)
    table.add_column("95 %", justify="center", no_wrap=True)
    table.add_column("", no_wrap=True)
    for measure in others:
        table.add_column(_title(measure), justify="right", no_wrap=True)
    for name, figure in judgement.figures[verdict.measure].items():
        cells = [_points(judgement.figures[m][name]) for m in others]
        table.add_row(Text(name), _points(figure), _range(figure), verdict.letters[name], *cells)
    for system in result.systems:
        if system.error:
            table.add_row(Text(system.name), "failed", "", "", *[""] * len(others))
    return table


def winners_table(judgement: Judgement) -> Table:
    """What stood first, in percent of the queries."""
    table = Table(
        title="What stood first, % of queries", box=None, title_justify="left", title_style="bold", pad_edge=False
    )
    table.add_column("system", overflow="fold")
    for kind in ("positive", *_DISTRACTORS, "none"):
        table.add_column(kind, justify="right")
    for name, shares in judgement.winners.items():
        table.add_row(Text(name), *(f"{100 * shares.get(k, 0):.1f}" for k in ("positive", *_DISTRACTORS, "none")))
    return table


def category_table(judgement: Judgement) -> Table:
    """The judged measure within each category, in points with half the interval's width."""
    names = list(judgement.verdict.figures)
    title = f"{_title(judgement.verdict.measure)} by category"
    table = Table(title=title, box=None, title_justify="left", title_style="bold", pad_edge=False)
    table.add_column("category")
    table.add_column("n", justify="right")
    for name in names:
        table.add_column(Text(name), justify="right", overflow="fold")
    for category, figures in sorted(judgement.categories.items()):
        n = max(f.n for f in figures.values())
        table.add_row(
            category, str(n), *(f"{_points(figures[s])} ±{50 * (figures[s].high - figures[s].low):.0f}" for s in names)
        )
    return table


def _remarks(result: Result, judgement: Judgement) -> list[str]:
    lines = [result.note] if result.note else []
    if judgement.skipped:
        lines.append(f"{len(judgement.skipped)} queries have no relevant document and count nowhere.")
    if not result.complete:
        lines.append("This run was interrupted; the systems shown are whole.")
    lines += dict.fromkeys(f"Engine: {engine}" for system in result.weighed for engine in system.engines)
    for system in result.systems:
        lines += [f"{system.name}: {note}" for note in system.notes]
        if system.error:
            lines.append(f"{system.name} failed: {system.error}")
        if system.cache.trouble:
            lines.append(f"{system.name}: {system.cache.trouble}")
    return lines + [f"{result.suite.name}: {finding}" for finding in result.suite.findings]


def _title(measure: str) -> str:
    return _TITLES.get(measure, measure)


def _points(figure: Interval) -> str:
    return f"{100 * figure.estimate:.1f}"


def _range(figure: Interval) -> str:
    return f"{100 * figure.low:.1f}-{100 * figure.high:.1f}"
