"""Advice as tables and lines: the choice and its reason first, then what it rests on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from steelyard.bench.advice.recommend import Advice, Candidate
from steelyard.models.recipe import Published
from steelyard.report.table import Block, Cell, Column, Entry, Line, Spread, Table, make_table
from steelyard.wording.numbers import COST, POINTS, NumberFormat
from steelyard.wording.words import Wording


def advice_blocks(advice: Advice, w: Wording) -> Iterator[Block]:
    """One scenario's advice in full."""
    yield Line(_title(advice, w), "heading")
    yield Line(choice_of(advice, w))
    yield from (Line(w("advice.gives_up", what=line)) for line in advice.gives_up)
    yield candidate_table(advice, w)
    yield Line(w("advice.legend"), "quiet")
    note = (advice.scenario.note_zh if w.language == "zh" else "") or advice.scenario.note
    yield from (Line(w.of(line)) for line in (*advice.cautions, note) if line)
    if advice.published:
        yield published_table(advice, w)


def advice_lines(advice: Advice, w: Wording) -> Iterator[Block]:
    """One scenario's advice in a line, and under it what the figures cannot carry."""
    yield Line(w("text.titled", title=advice.scenario.name, text=choice_of(advice, w)))
    yield from (Line(f"  {w.of(line)}", "quiet") for line in advice.cautions)


def choice_of(advice: Advice, w: Wording) -> str:
    """The choice and its reason."""
    return w.paragraph(w("advice.take", choice=advice.choice) if advice.choice else "", advice.reason)


def candidate_table(advice: Advice, w: Wording) -> Table:
    """Every system with its quality, its costs, and why it was left out."""
    costs = [Column(w(f"costs.{key}"), COST, key, narrow=w(f"narrow.{key}")) for key in advice.scenario.costs]
    columns = (
        Column(""), Column(w("table.system"), key="system", role="name"),
        Column(w.measure(advice.measure), POINTS, advice.measure, "value"),
        Column(w("table.interval"), POINTS, "", "ends", w("narrow.interval")), *costs, Column(w("advice.left_out")),
    )  # fmt: skip
    rows = tuple(_row(c, advice.scenario.costs, w) for c in advice.candidates)
    chosen = frozenset(i for i, c in enumerate(advice.candidates) if c.name == advice.choice)
    return Table("candidates", columns, rows, strong=chosen)


def published_table(advice: Advice, w: Wording) -> Table:
    """What others measured; a reference, never ours."""
    contaminated = w("advice.contaminated")
    entries: tuple[Entry[tuple[str, Published]], ...] = (
        Entry("advice.model", lambda p: p[0]),
        Entry("advice.benchmark", lambda p: p[1].benchmark),
        Entry("advice.score", lambda p: p[1].score, NumberFormat(decimals=2)),
        Entry("advice.source", lambda p: p[1].source),
        Entry("advice.remark", lambda p: contaminated if p[1].contaminated else ""),
    )
    return make_table("published", advice.published, entries, w, w("advice.published"))


def _row(c: Candidate, costs: Sequence[str], w: Wording) -> tuple[Cell, ...]:
    same = "" if c.left_out or (c.replacement and not c.replacement.allowed) else "="
    figure = Spread.of(c.figure)
    spent = (Spread.of(c.costs.get(key)) for key in costs)
    return (("*" if c.front else " ") + same, c.name, figure, figure, *spent, w.join(c.left_out))


def _title(advice: Advice, w: Wording) -> str:
    scenario = advice.scenario
    return (scenario.title_zh if w.language == "zh" else "") or scenario.title
