"""Costs as tables for the terminal: every figure with its spread, and a sign where the spread hides the difference."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table
from rich.text import Text

from steelyard.cost.figure import ROUNDS, Figure, differ, luck
from steelyard.cost.record import CostRecord, Speed

Costs = Mapping[str, CostRecord]
"""system -> its costs, in the order to show"""

SAME = "≈"
"""Stands before a figure that cannot be told from the best of its column."""


_WIDE = 1.0


@dataclass(frozen=True, slots=True)
class Column:
    """One kind of cost.

    Attributes:
        title: with its unit.
        read: the figure, in that unit; None where a system does not have it.
        more: whether more of it is better.
    """

    title: str
    read: Callable[[CostRecord], Figure | None]
    more: bool = False


def _scaled(read: Callable[[CostRecord], Figure | None], factor: float) -> Callable[[CostRecord], Figure | None]:
    def scaled(record: CostRecord) -> Figure | None:
        found = read(record)
        return found.times(factor) if found else None

    return scaled


COLUMNS = (
    Column("load s", lambda r: r.load_seconds),
    Column("cold s", lambda r: r.cold_load_seconds),
    Column("peak MB", _scaled(lambda r: r.peak_rss_bytes, 1e-6)),
    Column("GPU MB", _scaled(lambda r: r.gpu_bytes, 1e-6)),
    Column("p50 ms", lambda r: r.query.p50 if r.query else None),
    Column("p95 ms", lambda r: r.query.p95 if r.query else None),
    Column("p99 ms", lambda r: r.query.p99 if r.query else None),
    Column("texts/s", lambda r: r.texts_per_second, more=True),
    Column("1M texts", lambda r: r.bill.million_texts if r.bill else None),
    Column("1M tokens", lambda r: r.bill.million_tokens if r.bill else None),
)


def print_costs(out: Console, costs: Costs) -> None:
    """Prints every table that has something in it, then what a reader must know."""
    if not costs:
        return
    out.print(main_table(costs))
    out.print(_caption(costs), style="dim", soft_wrap=True)
    for table in (speed_table(costs, by_length=False), speed_table(costs, by_length=True), load_table(costs)):
        if table.row_count:
            out.print()
            out.print(table)
    storage = storage_table(costs)
    if storage.row_count:
        out.print()
        out.print(storage)
    for line in remarks(costs):
        out.print(Text(line), soft_wrap=True)


def main_table(costs: Costs) -> Table:
    """One row a system, one column for each kind of cost that any of them has."""
    columns = [c for c in COLUMNS if any(c.read(r) is not None for r in costs.values())]
    table = _table("Costs", [c.title for c in columns])
    rows = [column_cells([c.read(r) for r in costs.values()], more=c.more) for c in columns]
    for i, name in enumerate(costs):
        table.add_row(Text(name), *(cells[i] for cells in rows))
    return table


def speed_table(costs: Costs, *, by_length: bool) -> Table:
    """Texts a second, tokens a second and share of the machine, over batch sizes or lengths."""
    points = {name: r.lengths if by_length else r.batches for name, r in costs.items()}
    keys = sorted({_key(p) for found in points.values() for p in found})
    title = "Texts/s by characters a text" if by_length else "Texts/s by texts a call"
    table = _table(title, [*map(str, keys), "tokens/s", "of the peak"])
    for name, found in points.items():
        by_key = {_key(p): p for p in found}
        fastest = max(found, key=lambda p: p.tokens_per_second.value if p.tokens_per_second else 0, default=None)
        if fastest:
            cells = [cell(by_key[k].texts_per_second) if k in by_key else "" for k in keys]
            share = f"{100 * fastest.peak_share.value:.0f} %" if fastest.peak_share else ""
            table.add_row(Text(name), *cells, cell(fastest.tokens_per_second), share)
    return table


def load_table(costs: Costs) -> Table:
    """Endpoints under clients at once."""
    table = _table("Under load", ["clients", "texts/s", "p50 ms", "p95 ms", "failed", ""])
    for name, record in costs.items():
        for level in record.load:
            mark = "saturated" if level.clients == record.saturation else ""
            cells = [cell(f) for f in (level.texts_per_second, level.p50_ms, level.p95_ms)]
            table.add_row(Text(name), str(level.clients), *cells, str(level.failed or ""), mark)
    return table


def storage_table(costs: Costs) -> Table:
    """Megabytes of a million documents."""
    table = _table("A million documents, MB (computed)", ["dimensions", "float32", "int8", "binary"])
    for name, record in costs.items():
        dimensions = dict.fromkeys(s.dimension for s in record.storage)
        for dimension in dimensions:
            held = {s.precision: s.bytes_per_million for s in record.storage if s.dimension == dimension}
            cells = [f"{held[p] / 1e6:,.0f}" for p in ("float32", "int8", "binary")]
            table.add_row(Text(name), str(dimension), *cells)
    return table


def remarks(costs: Costs) -> list[str]:
    """The machine, the agreement with the outside, and every system's notes; one that all have is said once."""
    records = list(costs.values())
    gemm = records[0].gemm_gflops
    lines = [f"This machine multiplies float32 matrices at {gemm.value:.0f} GFLOP/s (numpy)."] if gemm else []
    checks = [r.check.worst for r in records if r.check]
    if checks:
        lines.append(
            f"A second clock and the kernel's count of memory agree within {100 * max(checks):.1f} % of every figure."
        )
    shared = [n for n in records[0].notes if all(n in r.notes for r in records)]
    own = [f"{name}: {n}" for name, r in costs.items() for n in r.notes if n not in shared]
    engines = dict.fromkeys(f"Engine: {e}" for r in records for e in r.engines)
    return [*lines, *engines, *shared, *own]


def column_cells(figures: Sequence[Figure | None], *, more: bool) -> list[str]:
    """The cells of one column; figures that cannot be told from its best carry :data:`SAME`."""
    known = [f for f in figures if f is not None]
    best = (max if more else min)(known, key=lambda f: f.value) if known else None
    cells = []
    for figure in figures:
        hidden = figure is not None and best is not None and figure is not best and not differ(figure, best)
        cells.append((SAME if hidden else "") + cell(figure))
    return cells


def cell(figure: Figure | None) -> str:
    """A value and half its spread in percent, as ``12.3 ±4%``, or its range where that is wide; empty for None."""
    if figure is None:
        return ""
    if figure.rounds < 2:
        return number(figure.value)
    if figure.spread > _WIDE:
        return f"{number(figure.value)} [{number(figure.low)}-{number(figure.high)}]"
    return f"{number(figure.value)} ±{50 * figure.spread:.0f}%"


def number(value: float) -> str:
    """Three figures, and no exponent."""
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2 if abs(value) >= 1 else 3
    return f"{value:,.{digits}f}"


def _caption(costs: Costs) -> str:
    rounds = min(r.rounds for r in costs.values())
    chance = (
        f"; {100 * luck(rounds, rounds):.0f} % of equal pairs would look different by luck" if rounds >= ROUNDS else ""
    )
    middle = f"Median of {rounds} processes, ± half their range, or the range where it is wide."
    middle = "One process, so nothing is known of the spread." if rounds == 1 else middle
    return f"{middle} {SAME} cannot be told from the best of its column (the ranges touch{chance})."


def _key(point: Speed) -> int:
    return point.characters or point.batch


def _table(title: str, columns: Sequence[str]) -> Table:
    table = Table(title=title, box=None, title_justify="left", title_style="bold", pad_edge=False)
    table.add_column("system", overflow="fold")
    for column in columns:
        table.add_column(column, justify="right", no_wrap=True)
    return table
