"""Tables and lines on a terminal, set with rich."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from rich.console import Console
from rich.table import Table as Grid
from rich.text import Text

from steelyard.report.table import Block, Line, Table

_STYLES = {"plain": "", "strong": "bold", "quiet": "dim", "heading": "bold"}


def print_blocks(out: Console, blocks: Iterable[Block]) -> None:
    """Prints tables and lines in their order, an empty line between a table and what stands before it."""
    before: Block | None = None
    for block in blocks:
        if before is not None and (isinstance(block, Table) or (isinstance(block, Line) and block.tone == "heading")):
            out.print()
        if isinstance(block, Table):
            if block.title:
                out.print(Text(block.title, style="bold"), soft_wrap=True)
            out.print(grid(block))
        else:
            out.print(Text(block.text, style=_STYLES[block.tone]), soft_wrap=True)
        before = block


def grid(table: Table) -> Grid:
    """A table as rich sets it: spreads short, figures to the right, texts of users never taken for markup."""
    made = Grid(box=None, pad_edge=False)
    for column in table.columns:
        justify: Literal["left", "right"] = "left" if column.is_words else "right"
        wraps = column.is_words or table.across == "system"
        title = Text(column.narrow or column.title)
        made.add_column(title, justify=justify, no_wrap=not wraps, overflow="fold" if wraps else "ellipsis")
    for i, row in enumerate(table.texts(narrow=True)):
        made.add_row(*map(Text, row), style="bold" if i in table.strong else "")
    return made
