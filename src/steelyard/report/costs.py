"""Costs as tables and lines: every figure with its spread, and a sign where the spread hides the difference."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from steelyard.bench.advice.system_metadata import COSTS, Cost, facts_of
from steelyard.bench.evaluation.result import SystemRecord
from steelyard.cost.figure import ROUNDS, Figure, differ, luck
from steelyard.cost.record import CostRecord, Load, Speed
from steelyard.cost.storage import PRECISIONS, Precision
from steelyard.report.content import Report
from steelyard.report.table import COUNT, Block, Cell, Column, Entry, Line, Spread, Table, make_table
from steelyard.wording.numbers import COST, NumberFormat
from steelyard.wording.words import Wording

Costs = Mapping[str, CostRecord]
"""system -> its costs, in the order to show"""
Row = tuple[str, CostRecord]

SAME = "≈"
"""Stands before a figure that does not differ from the best of its column."""
GIGABYTES = NumberFormat(1e-9, relative=True)
_SHARE = NumberFormat(100, 0)


def cost_blocks(costs: Costs, w: Wording) -> Iterator[Block]:
    """Every table that has something in it, then what a reader must know."""
    if not costs:
        return
    yield main_table(costs, w)
    yield Line(caption(costs, w), "quiet")
    for table in (
        speed_table(costs, w, by_length=False), speed_table(costs, w, by_length=True), load_table(costs, w),
        storage_table(costs, w),
    ):  # fmt: skip
        if table.rows:
            yield table
    yield from map(Line, remarks(costs, w))


def main_table(costs: Costs, w: Wording) -> Table:
    """One row a system, one column for each kind of cost that any of them has."""
    facts = [facts_of(SystemRecord(name=name, costs=record)) for name, record in costs.items()]
    columns, cells = [Column(w("table.system"), key="system", role="name")], [list[Cell](costs)]
    for key, cost in COSTS.items():
        figures = [cost.read(f) for f in facts]
        if cost.listed and any(figures):
            columns.append(Column(w(f"costs.{key}"), COST, key, narrow=w(f"narrow.{key}")))
            cells.append(list(marked(figures, cost)))
    return Table("costs", tuple(columns), tuple(zip(*cells, strict=True)), w("section.costs"))


def marked(figures: Sequence[Figure | None], cost: Cost) -> Iterator[Spread | None]:
    """The cells of one column; figures that do not differ from its best carry :data:`SAME`."""
    known = [f for f in figures if f is not None]
    best = (max if cost.more else min)(known, key=lambda f: f.value, default=None)
    for figure in figures:
        hidden = figure and best and figure.value != best.value and not differ(figure, best)
        yield Spread.of(figure, SAME if hidden else "")


def speed_table(costs: Costs, w: Wording, *, by_length: bool) -> Table:
    """Texts a second over batch sizes or lengths; tokens a second and share of the machine at the fastest."""
    rows = {name: {_key(p): p for p in (r.lengths if by_length else r.batches)} for name, r in costs.items()}
    keys = sorted({key for points in rows.values() for key in points})

    def at(key: int) -> Callable[[tuple[str, dict[int, Speed]]], Cell]:
        return lambda row: Spread.of(row[1][key].texts_per_second) if key in row[1] else None

    table = make_table(
        "speed",
        [(name, points) for name, points in rows.items() if points],
        (
            Entry("table.system", lambda row: row[0]),
            *(Entry("costs.texts_per_second", at(key), COST, str(key)) for key in keys),
            Entry("load.tokens_per_second", lambda row: Spread.of(_fastest(row[1]).tokens_per_second), COST),
            Entry("load.peak_share", lambda row: Spread.of(_fastest(row[1]).peak_share), _SHARE, part="value"),
        ),
        w,
        w("costs.by_length" if by_length else "costs.by_batch"),
    )
    named = (Column(c.key, c.style, c.key) if c.key.isdigit() else c for c in table.columns)
    return Table(table.key, tuple(named), table.rows, table.title)


def load_table(costs: Costs, w: Wording) -> Table:
    """Endpoints under so many clients at once, and where more clients brought no more."""
    things = [(name, record, level) for name, record in costs.items() for level in record.load]
    saturated = w("load.saturated")
    entries: tuple[Entry[tuple[str, CostRecord, Load]], ...] = (
        Entry("table.system", lambda t: t[0]),
        Entry("load.clients", lambda t: t[2].clients, COUNT, "kind"),
        Entry("load.texts_per_second", lambda t: Spread.of(t[2].texts_per_second), COST),
        Entry("load.p50_ms", lambda t: Spread.of(t[2].p50_ms), COST),
        Entry("load.p95_ms", lambda t: Spread.of(t[2].p95_ms), COST),
        Entry("load.failed", lambda t: t[2].failed or None, COUNT),
        Entry("load.saturated", lambda t: saturated if t[2].clients == t[1].saturation else "", key=""),
    )
    return make_table("load", things, entries, w, w("costs.under_load"))


def storage_table(costs: Costs, w: Wording) -> Table:
    """What a million documents take at each dimension and precision; computed."""

    def held(precision: Precision) -> Callable[[tuple[str, int, CostRecord]], Cell]:
        return lambda t: next(
            (float(s.bytes_per_million) for s in t[2].storage if (s.dimension, s.precision) == (t[1], precision)), None
        )

    things = [(name, d, r) for name, r in costs.items() for d in dict.fromkeys(s.dimension for s in r.storage)]
    entries: tuple[Entry[tuple[str, int, CostRecord]], ...] = (
        Entry("table.system", lambda t: t[0]),
        Entry("sweep.dim", lambda t: t[1], COUNT, "kind"),
        *(Entry(f"precision.{p}", held(p), GIGABYTES) for p in PRECISIONS),
    )
    return make_table("bytes_a_million_documents", things, entries, w, w("costs.by_precision"))


def detail_tables(report: Report, w: Wording) -> tuple[Table, ...]:
    """Costs that are no bars: sizes of vectors, endpoints under load; those that any system has."""
    costs = {s.name: s.costs for s in report.result.weighed if s.costs}
    return tuple(table for table in (storage_table(costs, w), load_table(costs, w)) if table.rows)


def remarks(costs: Costs, w: Wording) -> list[str]:
    """The machine, the agreement with the outside, and every system's notes; one that all have is said once."""
    records = list(costs.values())
    gemm = records[0].gemm_gflops
    lines = [w("costs.machine", gflops=f"{gemm.value:.0f}")] if gemm else []
    checks = [r.check.worst for r in records if r.check]
    if checks:
        lines.append(w("costs.checked", share=f"{100 * max(checks):.1f}"))
    shared = [n for n in records[0].notes if all(n in r.notes for r in records)]
    own = [w("text.titled", title=name, text=w.of(n)) for name, r in costs.items() for n in r.notes if n not in shared]
    engines = dict.fromkeys(w("text.engine", engine=w.of(str(e))) for r in records for e in r.engines)
    return [*lines, *engines, *map(w.of, shared), *own]


def caption(costs: Costs, w: Wording) -> str:
    """What the figures and their spreads are."""
    rounds = min(r.rounds for r in costs.values())
    middle = w("costs.one_round") if rounds == 1 else w("costs.rounds", rounds=rounds)
    chance = w("costs.luck", share=f"{100 * luck(rounds, rounds):.0f}") if rounds >= ROUNDS else ""
    return w.paragraph(middle, w("costs.same", mark=SAME), chance)


def _fastest(points: Mapping[int, Speed]) -> Speed:
    return max(points.values(), key=lambda p: p.tokens_per_second.value if p.tokens_per_second else 0)


def _key(point: Speed) -> int:
    return point.characters or point.batch
