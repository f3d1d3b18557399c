"""Tables and lines as HTML: what the page shows, and what a notebook shows of a result."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from steelyard.report.forest import Scale
from steelyard.report.table import Block, Cell, Column, Spread, Table
from steelyard.wording.numbers import NumberFormat
from steelyard.wording.words import Wording


def blocks_to_html(blocks: Iterable[Block]) -> str:
    """Tables and lines in their order, for ``_repr_html_``: no style sheet and no script is needed."""
    parts = []
    for block in blocks:
        if isinstance(block, Table):
            title = f"<p><b>{escape(block.title)}</b></p>" if block.title else ""
            parts.append(title + table_to_html(block))
        else:
            text = escape(block.text)
            parts.append(f"<p>{text}</p>" if block.tone in ("plain", "quiet") else f"<p><b>{text}</b></p>")
    return "\n".join(parts)


def table_to_html(table: Table, name: str = "plain", w: Wording | None = None) -> str:
    """One table; columns with edges are drawn as a dot and a line on one scale.

    Args:
        table: any.
        name: its class, for the page's style sheet.
        w: whose glossary explains the terms in the head; none does where None.
    """
    head = "".join(_head(c, w) for c in table.columns)
    rows = []
    for i, row in enumerate(table.rows):
        strong = i in table.strong
        cells = "".join(_cell(c, cell, strong) for c, cell in zip(table.columns, row, strict=True))
        first = cells.replace("<td", '<th scope="row"', 1).replace("</td>", "</th>", 1)
        rows.append(f'<tr class="best">{first}</tr>' if strong else f"<tr>{first}</tr>")
    body = "\n".join(rows)
    return f'<table class="{name}">\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table>'


def _classes(column: Column) -> str:
    names = ("word" if column.is_words else "", column.role, "forest" if column.scale else "")
    found = " ".join(filter(None, names))
    return f' class="{found}"' if found else ""


def _head(column: Column, w: Wording | None) -> str:
    title = escape(column.title)
    if column.term and w and f"glossary.{column.term}" in w.words:
        title = f'<a class="term" href="#term-{column.term}" title="{escape(w(f"glossary.{column.term}"))}">{title}</a>'
    ticks = _ticks(column.scale, column) if column.scale else ""
    return f'<th scope="col"{_classes(column)}>{title}{ticks}</th>'


def _cell(column: Column, cell: Cell, strong: bool) -> str:
    text = escape(column.text(cell))
    if column.scale and isinstance(cell, Spread):
        text = f'{_whisker(column, column.scale, cell, strong)}<span class="span">{text}</span>'
    elif column.role == "letters":
        text = "".join(f"<b>{letter}</b>" for letter in text)
    return f"<td{_classes(column)}>{text}</td>"


def _ticks(scale: Scale, column: Column) -> str:
    factor = column.style.factor if isinstance(column.style, NumberFormat) else 1.0
    marks = []
    for i, (value, place) in enumerate(scale.ticks):
        end = ' class="end"' if i in (0, len(scale.ticks) - 1) else ""
        marks.append(f'<i{end} style="left:{place}%">{factor * value:g}</i>')
    return f'<span class="ticks" aria-hidden="true">{"".join(marks)}</span>'


def _whisker(column: Column, scale: Scale, cell: Spread, strong: bool) -> str:
    drawn = scale.whisker(cell.low, cell.value, cell.high)
    if drawn is None:
        return ""
    signed = isinstance(column.style, NumberFormat) and column.style.signed
    zero = f'<line class="zero" x1="{scale.place(0)}%" x2="{scale.place(0)}%" y1="0" y2="18"/>' if signed else ""
    return (
        f'<svg class="whisker{" strong" if strong else ""}" width="100%" height="18" aria-hidden="true" '
        f'focusable="false">{zero}<line class="range" x1="{drawn.low}%" x2="{drawn.high}%" y1="9" y2="9"/>'
        f'<circle cx="{drawn.at}%" cy="9" r="4"/></svg>'
    )
