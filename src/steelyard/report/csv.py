"""A report as one long CSV: every row says which table it belongs to, so that a pivot table takes it apart again."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator

from steelyard.report import tables
from steelyard.report.content import Report
from steelyard.report.costs import load_table, storage_table
from steelyard.report.table import Cell, Spread, Table
from steelyard.text.shown import for_spreadsheet
from steelyard.wording.words import load_wording

COLUMNS = (
    "table", "system", "versus", "measure", "category", "kind", "value", "low", "high", "n", "p", "p_holm", "apart",
    "group", "query", "text", "right_answer", "first_hit", "rank",
)  # fmt: skip

Row = dict[str, object]


def to_csv(report: Report) -> str:
    """All tables of a report; figures unrounded, between 0 and 1 where the page shows points.

    A text that a spreadsheet would take for a formula gets an apostrophe in front.
    """
    w, costs = load_wording("en"), {s.name: s.costs for s in report.result.weighed if s.costs}
    makers = (tables.main_table, tables.category_table, tables.winners_table)
    made = [make(report, w) for make in makers]
    made += [tables.pair_table(report, w, None), tables.pace_table(report, w), tables.cost_table(report, w)]
    made += [storage_table(costs, w), load_table(costs, w), tables.lost_table(report, w)]
    failed: list[Row] = [{"table": "failed", "system": s.name, "text": s.error} for s in report.failed]
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS, restval="", lineterminator="\n")
    writer.writeheader()
    for row in (*(row for table in made for row in long_rows(table)), *failed):
        writer.writerows([{key: _safe(value) for key, value in row.items()}])
    return out.getvalue()


def long_rows(table: Table) -> Iterator[Row]:
    """The rows of a table with one figure each; columns that CSV has of its own stay beside it."""
    for cells in table.rows:
        row: Row = {"table": table.key}
        figures: dict[str, Cell] = {}
        for column, cell in zip(table.columns, cells, strict=True):
            if column.key in COLUMNS:
                row |= _figure(cell) if column.key == "value" else {column.key: "" if cell is None else cell}
            elif column.key and cell is not None and not isinstance(cell, str):
                figures[column.key] = cell
        yield from ({**row, table.across: key, **_figure(cell)} for key, cell in figures.items())
        if not figures and any(value != "" for key, value in row.items() if key not in ("table", "system")):
            yield row


def _figure(cell: Cell) -> Row:
    if isinstance(cell, Spread):
        return {"value": cell.value, "low": cell.low, "high": cell.high, "n": cell.n or ""}
    return {"value": cell}


def _safe(value: object) -> object:
    if isinstance(value, float) and not math.isfinite(value):
        return ""
    return for_spreadsheet(value) if isinstance(value, str) else value
