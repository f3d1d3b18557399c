"""The published experiment's table, in its columns and their order, with an interval beside every figure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table
from rich.text import Text

from steelyard.bench.evaluation.against import mean
from steelyard.bench.evaluation.judgement import judge
from steelyard.bench.evaluation.result import Result, SystemRecord
from steelyard.cost.figure import Figure
from steelyard.report.terminal_costs import number
from steelyard.stats.intervals import Interval

MEASURES = ("top1", "hit@3")


@dataclass(frozen=True, slots=True)
class Line:
    """One model as the published table shows it, and what it did not show.

    Attributes:
        memory_gb: of the GPU where there is one, else of the whole process.
        on_gpu: which of the two; None where neither was measured.
        inference_s: all texts in one go.
        top1: share of the queries, with its interval.
        top3: likewise.
        dimensions: 0 for systems without vectors.
    """

    model: str
    memory_gb: Figure | None
    on_gpu: bool | None
    load_s: Figure | None
    inference_s: Figure | None
    texts_per_s: Figure | None
    top1: Interval
    top3: Interval
    dimensions: int


def lines(result: Result) -> tuple[Line, ...]:
    """One line a system, in the result's order.

    Raises:
        ResultError: the result has no top1 or hit@3.
    """
    return tuple(_line(result, s) for s in result.weighed)


def print_published_table(out: Console, results: Sequence[Result]) -> None:
    """Prints the table, one block for each result, and what can be told apart in each."""
    table = Table(box=None, pad_edge=False)
    table.add_column("model", overflow="fold")
    for column in ("memory GB", "load s", "inference s", "texts/s", "Top-1 %", "Top-3 %", "dims"):
        table.add_column(column, justify="right", no_wrap=True)
    for result in results:
        for line in lines(result):
            table.add_row(Text(line.model), *_cells(line))
        table.add_section()
    out.print(table)
    out.print(
        "In brackets: the range of the rounds for costs, the 95 % interval for Top-1 and Top-3. Memory is the GPU's, "
        "or the whole process's where it is marked with p.",
        style="dim",
        soft_wrap=True,
    )
    for result in results:
        texts = result.suite.queries + result.suite.documents
        head = f"{result.suite.name}: {result.suite.queries} queries x {result.suite.documents} documents"
        timed = {s.costs.texts for s in result.weighed if s.costs}
        sampled = "" if timed <= {texts} else f" (inference: {', '.join(map(str, sorted(timed)))} of {texts} texts)"
        out.print(Text(f"{head}{sampled}. {judge(result, 'top1').verdict.sentence}"), soft_wrap=True)


def _line(result: Result, system: SystemRecord) -> Line:
    top1, top3 = (mean(result, system.name, m) for m in MEASURES)
    costs = system.costs
    if costs is None:
        return Line(system.name, None, None, None, None, None, top1, top3, 0)
    memory = costs.gpu_bytes or costs.peak_rss_bytes
    return Line(
        model=system.name,
        memory_gb=memory.times(1e-9) if memory else None,
        on_gpu=None if memory is None else costs.gpu_bytes is not None,
        load_s=costs.load_seconds,
        inference_s=costs.all_texts_seconds,
        texts_per_s=costs.texts_per_second,
        top1=top1,
        top3=top3,
        dimensions=costs.dimension,
    )


def _cells(line: Line) -> tuple[str, ...]:
    process = "p" if line.on_gpu is False else ""
    return (
        _range(line.memory_gb) + process,
        _range(line.load_s),
        _range(line.inference_s),
        _range(line.texts_per_s),
        _points(line.top1),
        _points(line.top3),
        str(line.dimensions or "-"),
    )


def _range(figure: Figure | None) -> str:
    if figure is None:
        return "-"
    if figure.rounds < 2:
        return f"{figure.value:,.5g}"  # as it was published
    return f"{number(figure.value)} [{number(figure.low)}-{number(figure.high)}]"


def _points(interval: Interval) -> str:
    return f"{100 * interval.estimate:.1f} [{100 * interval.low:.0f}-{100 * interval.high:.0f}]"
