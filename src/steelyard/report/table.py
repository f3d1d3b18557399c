"""The one form of everything that is shown: tables of typed cells, and lines between them.

Results become :class:`Table` and :class:`Line` values once; terminal, HTML, Markdown and CSV only set them. A table is
made from entries, one for each column: a new statistic is one more entry, and its words in the wording.

>>> from steelyard.wording import load_wording
>>> print(make_table("sizes", ["a", "bb"], [Entry("table.system", str), Entry("table.system", len, COUNT)],
...                  load_wording("en")).texts())
(('a', '1'), ('bb', '2'))
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

from steelyard.cost.figure import Figure
from steelyard.report.forest import Scale
from steelyard.stats.intervals import Interval
from steelyard.wording.numbers import COUNT, MISSING, NumberFormat, p_value
from steelyard.wording.words import Wording

__all__ = ["COUNT", "WORDS", "Block", "Cell", "Column", "Entry", "Line", "P", "Spread", "Table", "make_table"]


@dataclass(frozen=True, slots=True)
class Spread:
    """A number with the ends of its interval or of its rounds.

    Attributes:
        n: queries, or rounds; 0 where that says nothing.
        mark: stands before it.
    """

    value: float
    low: float
    high: float
    n: int = 0
    mark: str = ""

    @classmethod
    def of(cls, figure: Interval | Figure | None, mark: str = "") -> Spread | None:
        """Of a measure or a cost; None stays None."""
        if figure is None:
            return None
        if isinstance(figure, Figure):
            return cls(figure.value, figure.low, figure.high, figure.rounds, mark)
        return cls(figure.estimate, figure.low, figure.high, figure.n, mark)


Cell = str | float | Spread | None
"""Words, a number, a number with a spread, or nothing known."""

WORDS: Literal["words"] = "words"
P: Literal["p"] = "p"
Style = NumberFormat | Literal["words", "p"]
Part = Literal["all", "value", "ends"]


@dataclass(frozen=True, slots=True)
class Column:
    """One column.

    Attributes:
        title: in the reader's language, with the unit.
        style: how its numbers are written; ``WORDS`` for names, ``P`` for p-values.
        key: names it in CSV and data frames; empty where another column has the same figures.
        part: of a spread: all of it, the number, or the ends.
        narrow: a shorter title, for the terminal.
        role: what the page sets it as: ``name``, ``letters``, ``figure``, ``other``, ``told``.
        scale: on which the page draws a column of ends.
        term: its key in the glossary.
    """

    title: str
    style: Style = WORDS
    key: str = ""
    part: Part = "all"
    narrow: str = ""
    role: str = ""
    scale: Scale | None = None
    term: str = ""

    @property
    def is_words(self) -> bool:
        """Whether it stands at the left of its column."""
        return self.style == WORDS

    def text(self, cell: Cell, *, narrow: bool = False) -> str:
        """A cell as text."""
        if isinstance(cell, str):
            return cell
        if cell is None or self.style == WORDS:
            return "" if cell is None and (self.is_words or narrow) else MISSING if cell is None else str(cell)
        if self.style == P:
            return p_value(cell.value if isinstance(cell, Spread) else cell)
        style = self.style
        if not isinstance(cell, Spread):
            return style.number(cell)
        if self.part == "ends":
            return style.range(cell.low, cell.high)
        if self.part == "value" or not math.isfinite(cell.value):
            return cell.mark + style.number(cell.value)
        return cell.mark + style.spread(cell.value, cell.low, cell.high, narrow=narrow)


@dataclass(frozen=True)
class Table:
    """Typed cells in rows.

    Attributes:
        key: names it in CSV.
        columns: what is in them.
        rows: as many cells as there are columns.
        title: of the whole.
        strong: rows that are set stronger, by their place.
        wide: spreads are set in full on the terminal too.
        across: what the keys of the figures' columns are in CSV: ``measure``, ``system`` or ``kind``.
    """

    key: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    title: str = ""
    strong: frozenset[int] = frozenset()
    wide: bool = False
    across: str = "measure"

    def texts(self, *, narrow: bool = False) -> tuple[tuple[str, ...], ...]:
        """All rows as text."""
        return tuple(
            tuple(c.text(cell, narrow=narrow and not self.wide) for c, cell in zip(self.columns, row, strict=True))
            for row in self.rows
        )

    def records(self) -> list[dict[str, object]]:
        """One dict a row, for data frames: numbers as they are, ends of a spread as ``KEY_low`` and ``KEY_high``."""
        return [_record(self.columns, row) for row in self.rows]


@dataclass(frozen=True, slots=True)
class Line:
    """A sentence between tables.

    Attributes:
        text: in the reader's language.
        tone: ``heading`` and ``strong`` are set bold, ``quiet`` faint; ``gap`` has room above.
    """

    text: str
    tone: Literal["plain", "strong", "quiet", "heading"] = "plain"


Block = Table | Line
T = TypeVar("T")


@dataclass(frozen=True)
class Entry(Generic[T]):
    """One column of a table of things: its words, how it is read, and settings of :class:`Column`.

    Attributes:
        words: key of its title in the wording.
        read: the cell of one thing.
        key: names it in CSV; the last part of ``words`` where it is None.
        always: kept where no thing has it.
    """

    words: str
    read: Callable[[T], Cell]
    style: Style = WORDS
    key: str | None = None
    part: Part = "all"
    role: str = ""
    scale: Scale | None = None
    term: str = ""
    always: bool = True

    def column(self, w: Wording) -> Column:
        """Its column in a language."""
        last = self.words.rpartition(".")[2]
        key, narrow = last if self.key is None else self.key, w.words.get(f"narrow.{last}", "")
        return Column(w(self.words), self.style, key, self.part, narrow, self.role, self.scale, self.term)


def make_table(key: str, things: Iterable[T], entries: Sequence[Entry[T]], w: Wording, title: str = "") -> Table:
    """One row a thing, one column an entry; entries that no thing has are left out unless they are ``always`` there."""
    kept = list(things)
    cells = [[e.read(thing) for thing in kept] for e in entries]
    there = [i for i, e in enumerate(entries) if e.always or any(c is not None for c in cells[i])]
    columns = tuple(entries[i].column(w) for i in there)
    return Table(key, columns, tuple(zip(*(cells[i] for i in there), strict=True)), title)


def _record(columns: Sequence[Column], row: Sequence[Cell]) -> dict[str, object]:
    found: dict[str, object] = {}
    for column, cell in zip(columns, row, strict=True):
        if not column.key:
            continue
        if isinstance(cell, Spread):
            found |= {column.key: cell.value, f"{column.key}_low": cell.low, f"{column.key}_high": cell.high}
        else:
            found[column.key] = cell
    return found
