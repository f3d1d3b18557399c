"""A report as Markdown: the same sentences and tables as the page."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from steelyard.report import costs, reproduce, sentences, tables
from steelyard.report.content import Report
from steelyard.report.embed import value_of
from steelyard.report.lost import Loss, LostQuery
from steelyard.report.table import Table
from steelyard.wording.words import Wording

MOST_LOST = 40
"""Lost queries that Markdown shows; page and CSV carry more."""

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~&$])")
_BREAKS = re.compile(r"\s+")


def to_markdown(report: Report, w: Wording) -> str:
    """The whole report; texts of users are escaped, line breaks in them become spaces."""
    blocks = [part for section in _SECTIONS for part in section(report, w)]
    return "\n\n".join(blocks) + "\n"


def _head(report: Report, w: Wording) -> Iterator[str]:
    suite = report.result.suite
    yield f"# {_plain(sentences.title(report, w))}"
    if why := sentences.reason(report, w):
        yield _plain(why)
    yield "\n".join(f"- {_plain(line)}" for line in sentences.details(report, w))
    count = len(report.result.systems)
    summary = w("text.summary", queries=suite.queries, documents=f"{suite.documents:,}", systems=count)
    yield f"**{_plain(f'{suite.name} {suite.version}'.strip())}**: {summary}"


def _table(report: Report, w: Wording) -> Iterator[str]:
    yield f"## {w('section.table')}"
    yield grid(tables.main_table(report, w))
    yield from map(_plain, (sentences.caption(report, w), *sentences.backing(report, w)))


def _pareto(report: Report, w: Wording) -> Iterator[str]:
    pace = report.pace
    if pace is None:
        return
    yield f"## {w('section.pareto')}"
    yield grid(tables.pace_table(report, w))
    lines = [w(f"pareto.{pace.source}"), w("pareto.front")]
    lines += [w("pareto.left_out", names=w.join(pace.left_out))] if pace.left_out else []
    yield _plain(w.paragraph(*lines))


def _sweeps(report: Report, w: Wording) -> Iterator[str]:
    if not report.sweeps:
        return
    yield f"## {w('section.sweeps')}"
    for sweep in report.sweeps:
        yield grid(tables.sweep_table(report, sweep, w))
    yield w("sweep.note")


def _categories(report: Report, w: Wording) -> Iterator[str]:
    if report.categories:
        yield f"## {w('section.categories')}"
        yield grid(tables.category_table(report, w))


def _fooled(report: Report, w: Wording) -> Iterator[str]:
    if report.judgement.winners:
        yield f"## {w('section.fooled')}"
        yield grid(tables.winners_table(report, w))
        yield w("fooled.note")


def _lost(report: Report, w: Wording) -> Iterator[str]:
    yield f"## {w('section.lost')}"
    lost = report.lost
    if not lost.available or not lost.total:
        yield w("lost.nothing") if lost.available else w("lost.unavailable")
        return
    shown = lost.shown[:MOST_LOST]
    yield sentences.lost_intro(report, w)
    if len(shown) < lost.total:
        yield w("lost.bounded", shown=len(shown))
    yield "\n".join(line for query in shown for line in _lost_query(report, query, w))


def _lost_query(report: Report, lost: LostQuery, w: Wording) -> Iterator[str]:
    category = f" ({_plain(w.name('category', lost.query.category))})" if lost.query.category else ""
    yield f"- **{_plain(lost.query.text)}**{category}"
    for document in lost.query.relevant[:3]:
        yield f"  - {w('lost.right')}: {_plain(_text(report, document, w))}"
    for loss in lost.losses:
        yield f"  - {_plain(loss.system)}: {_plain(_first(report, loss, w))}"


def _first(report: Report, loss: Loss, w: Wording) -> str:
    kind = f"{w.name('kind', loss.winner)}: " if loss.winner else ""
    text = _text(report, loss.hits[0], w) if loss.hits else w("kind.none")
    place = w("lost.rank", rank=loss.rank) if loss.rank else w("lost.beyond", kept=report.lost.kept)
    value = value_of(report, loss)
    measured = f"{w.measure(report.lost.measure)} {value}, " if value else ""
    return f"{kind}{text} ({measured}{place})"


def _text(report: Report, document: str, w: Wording) -> str:
    return report.result.documents.get(document) or w("lost.text_missing")


def _costs(report: Report, w: Wording) -> Iterator[str]:
    if not report.costs:
        return
    yield f"## {w('section.costs')}"
    yield grid(tables.cost_table(report, w))
    for table in costs.detail_tables(report, w):
        yield f"**{table.title}**"
        yield grid(table)
    yield w(f"costs.source_{report.costs[0].source}")


def _statistics(report: Report, w: Wording) -> Iterator[str]:
    yield f"## {w('section.statistics')}"
    pairs = report.verdict.comparisons
    if not pairs:
        yield w("statistics.few")
        return
    yield grid(tables.pair_table(report, w))
    if len(pairs) > tables.MOST_PAIRS:
        yield w("statistics.bounded", shown=tables.MOST_PAIRS, pairs=len(pairs))
    verdict = report.verdict
    alpha = f"{verdict.alpha:g}"
    yield w("statistics.method", n=verdict.n, pairs=len(pairs), alpha=alpha, margin=w.of(pairs[0].margin_text))


def _reproduce(report: Report, w: Wording) -> Iterator[str]:
    yield f"## {w('section.reproduce')}"
    command = reproduce.weigh_command(report)
    yield f"{w('reproduce.command')}\n\n{_code(command)}" if command else w("reproduce.no_command")
    again = reproduce.report_command(report, w.language)
    if again:
        yield f"{w('reproduce.report')}\n\n{_code(again)}"
    yield grid(reproduce.facts(report, w))
    lines = sentences.remarks(report, w)
    if lines:
        yield f"### {w('reproduce.remarks')}\n\n" + "\n".join(f"- {_plain(line)}" for line in lines)


def _glossary(report: Report, w: Wording) -> Iterator[str]:
    terms = "\n".join(f"- **{name}**: {text}" for _, name, text in sentences.glossary(w))
    yield f"## {w('section.glossary')}\n\n{terms}"


_SECTIONS = (_head, _table, _pareto, _sweeps, _categories, _fooled, _lost, _costs, _statistics, _reproduce, _glossary)


def grid(table: Table) -> str:
    """A table in GitHub's Markdown, figures to the right."""
    rule = [" --- " if column.is_words else " ---: " for column in table.columns]
    lines = [_row([c.title for c in table.columns]), f"|{'|'.join(rule)}|", *map(_row, table.texts())]
    return "\n".join(lines)


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(map(_plain, cells))} |"


def _code(command: str) -> str:
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", command)), default=0))
    return f"{fence}bash\n{command}\n{fence}"


def _plain(text: str) -> str:
    """Text of a user as text, whatever Markdown would make of it."""
    return _SPECIAL.sub(r"\\\1", _BREAKS.sub(" ", text).strip()) or " "
