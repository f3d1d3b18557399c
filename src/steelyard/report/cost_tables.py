"""Costs that are no bars: what vectors take at each dimension and precision, and endpoints under load."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from steelyard.bench.evaluation.result import SystemRecord
from steelyard.cost.figure import Figure
from steelyard.cost.record import CostRecord
from steelyard.cost.storage import PRECISIONS, Precision
from steelyard.report.content import Report
from steelyard.report.numbers import MISSING, short
from steelyard.report.tables import Table
from steelyard.report.wording import Wording

_GB = 1e9


def detail_tables(report: Report, w: Wording) -> tuple[tuple[str, Table], ...]:
    """Title and table of each kind that any system has; systems in the order of the main table."""
    by_name = {s.name: s for s in report.result.weighed}
    systems = [by_name[name] for name in report.systems]
    made = (
        (w("costs.by_precision"), storage_table(systems, w)),
        (w("costs.under_load"), load_table(systems, w)),
    )
    return tuple((title, table) for title, table in made if table.rows)


def stored(costs: CostRecord) -> Iterator[tuple[int, dict[Precision, int]]]:
    """Dimension, and bytes of a million documents at each precision."""
    for dimension in dict.fromkeys(s.dimension for s in costs.storage):
        yield dimension, {s.precision: s.bytes_per_million for s in costs.storage if s.dimension == dimension}


def storage_table(systems: Sequence[SystemRecord], w: Wording) -> Table:
    """Gigabytes of a million documents; computed."""
    rows = [
        (s.name, str(dimension), *(short(held[p] / _GB) if p in held else MISSING for p in PRECISIONS))
        for s in systems
        if s.costs
        for dimension, held in stored(s.costs)
    ]
    return Table((w("table.system"), w("sweep.dim"), *PRECISIONS), tuple(rows))


def load_table(systems: Sequence[SystemRecord], w: Wording) -> Table:
    """Endpoints under so many clients at once, and where more clients brought no more."""
    names = ("clients", "texts_per_second", "p50_ms", "p95_ms", "failed", "saturated")
    rows = [
        (
            s.name, str(level.clients), _spread(level.texts_per_second), _spread(level.p50_ms), _spread(level.p95_ms),
            str(level.failed), w("pareto.yes") if level.clients == s.costs.saturation else "",
        )
        for s in systems
        if s.costs
        for level in s.costs.load
    ]  # fmt: skip
    return Table((w("table.system"), *(w(f"load.{n}") for n in names)), tuple(rows))


def _spread(figure: Figure | None) -> str:
    if figure is None:
        return MISSING
    return short(figure.value) + ("" if figure.low == figure.high else f" ({short(figure.low)}–{short(figure.high)})")
