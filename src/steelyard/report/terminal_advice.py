"""Advice for the terminal: the choice and its reason first, then what it rests on."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from steelyard.bench.advice.recommend import Advice
from steelyard.bench.advice.system_metadata import COSTS
from steelyard.report.terminal_costs import cell

CONTAMINATED = "contaminated: the benchmark's data is in the model's training data"


def print_advice(out: Console, advice: Advice) -> None:
    """Prints one scenario's advice in full."""
    title = advice.scenario.title + (f" / {advice.scenario.title_zh}" if advice.scenario.title_zh else "")
    out.print(Text(title, style="bold"))
    out.print(Text(f"Take {advice.choice}. {advice.reason}" if advice.choice else advice.reason), soft_wrap=True)
    for line in advice.gives_up:
        out.print(Text(f"It gives up {line}."), soft_wrap=True)
    out.print()
    out.print(candidate_table(advice))
    out.print(
        "* on the Pareto front of quality and these costs; = cannot be told from the best by quality.",
        style="dim",
        soft_wrap=True,
    )
    for line in advice.cautions:
        out.print(Text(line), soft_wrap=True)
    if advice.published:
        out.print()
        out.print(published_table(advice))


def print_sentence(out: Console, advice: Advice) -> None:
    """Prints one scenario's advice in a line, and under it what the figures cannot carry."""
    choice = f"take {advice.choice}. " if advice.choice else ""
    out.print(Text.assemble((f"{advice.scenario.name}: ", "bold"), f"{choice}{advice.reason}"), soft_wrap=True)
    for line in advice.cautions:
        if line != advice.scenario.note:
            out.print(Text(f"  {line}", style="dim"), soft_wrap=True)


def candidate_table(advice: Advice) -> Table:
    """Every system with its quality, its costs, and why it was left out."""
    table = Table(box=None, pad_edge=False)
    table.add_column("")
    table.add_column("system", overflow="fold")
    table.add_column(advice.measure, justify="right", no_wrap=True)
    table.add_column("95 %", justify="center", no_wrap=True)
    for name in advice.scenario.costs:
        table.add_column(COSTS[name].title, justify="right")
    table.add_column("left out", overflow="fold")
    for c in advice.candidates:
        same = "" if c.left_out or (c.against_best and c.against_best.distinguishable) else "="
        marks = ("*" if c.front else " ") + same
        figure = (f"{100 * c.figure.estimate:.1f}", f"{100 * c.figure.low:.1f}-{100 * c.figure.high:.1f}")
        costs = [cell(c.costs.get(name)) for name in advice.scenario.costs]
        style = "bold" if c.name == advice.choice else ""
        table.add_row(marks, Text(c.name, style=style), *figure, *costs, "; ".join(c.left_out))
    return table


def published_table(advice: Advice) -> Table:
    """What others measured; a reference, never ours."""
    table = Table(
        title="Published by others, for reference", box=None, title_justify="left", title_style="bold", pad_edge=False
    )
    for column in ("model", "benchmark"):
        table.add_column(column, overflow="fold")
    table.add_column("score", justify="right")
    for column in ("source", ""):
        table.add_column(column, overflow="fold")
    for model, score in advice.published:
        mark = CONTAMINATED if score.contaminated else ""
        table.add_row(model, score.benchmark, f"{score.score:.2f}", score.source, mark)
    return table
