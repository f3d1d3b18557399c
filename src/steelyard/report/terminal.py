"""Tables and lines on a terminal, set with rich."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Literal

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table as Grid
from rich.text import Text

from steelyard.report.table import Block, Line, Table

_STYLES = {"plain": "", "strong": "bold", "quiet": "dim", "heading": "bold"}
_FOLDED = 24
"""Columns that a column of sentences takes at the least."""


def print_blocks(out: Console, blocks: Iterable[Block], *, soft_wrap: bool = True) -> None:
    """Prints tables and lines in their order, an empty line between a table and what stands before it.

    Args:
        out: where to.
        blocks: what.
        soft_wrap: leave it to the terminal where long lines are broken, so that they are copied whole.
    """
    before: Block | None = None
    for block in blocks:
        if before is not None and (isinstance(block, Table) or (isinstance(block, Line) and block.tone == "heading")):
            out.print()
        if isinstance(block, Table):
            if block.title:
                out.print(Text(block.title, style="bold"), soft_wrap=soft_wrap)
            for i, part in enumerate(parts(block, out.width)):
                if i:
                    out.print()
                out.print(grid(part))
        else:
            out.print(Text(block.text, style=_STYLES[block.tone]), soft_wrap=soft_wrap)
        before = block


def parts(table: Table, width: int) -> Iterator[Table]:
    """A table that is wider than the terminal in several, the names repeated in each; no figure is cut off."""
    lead = next((i for i, c in enumerate(table.columns) if not c.is_words), len(table.columns))
    wide = [_width(table, i) for i in range(len(table.columns))]
    taken, room = list(range(lead)), width - sum(wide[:lead])
    for i in range(lead, len(table.columns)):
        if wide[i] > room and len(taken) > lead:
            yield _columns(table, taken)
            taken, room = list(range(lead)), width - sum(wide[:lead])
        taken.append(i)
        room -= wide[i]
    yield _columns(table, taken)


def grid(table: Table) -> Grid:
    """A table as rich sets it: spreads short, figures to the right, texts of users never taken for markup."""
    made = Grid(box=None, pad_edge=False)
    for column in table.columns:
        justify: Literal["left", "right"] = "left" if column.is_words else "right"
        wraps = column.is_words
        title = Text(column.narrow or column.title)
        made.add_column(title, justify=justify, no_wrap=not wraps, overflow="fold" if wraps else "ellipsis")
    for i, row in enumerate(table.texts(narrow=True)):
        made.add_row(*map(Text, row), style="bold" if i in table.strong else "")
    return made


def _columns(table: Table, taken: Sequence[int]) -> Table:
    rows = tuple(tuple(row[i] for i in taken) for row in table.rows)
    return replace(table, columns=tuple(table.columns[i] for i in taken), rows=rows)


def _width(table: Table, i: int) -> int:
    """Of one column with its gap; sentences may be folded."""
    column = table.columns[i]
    texts = (column.narrow or column.title, *(column.text(row[i], narrow=not table.wide) for row in table.rows))
    widest = max(map(cell_len, texts))
    return 2 + (min(widest, _FOLDED) if column.is_words and i else widest)
