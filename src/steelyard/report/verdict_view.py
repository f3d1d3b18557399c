"""A judged result as tables and lines."""

from __future__ import annotations

from collections.abc import Iterator

from steelyard.report import sentences, tables
from steelyard.report.content import Report
from steelyard.report.costs import cost_blocks
from steelyard.report.table import Block, Line
from steelyard.wording.words import Wording


def verdict_blocks(report: Report, w: Wording) -> Iterator[Block]:
    """The table, what ranked first, the categories, the verdict in words, the costs where they were measured."""
    yield tables.main_table(report, w)
    yield Line(sentences.caption(report, w), "quiet")
    if report.judgement.winners:
        yield tables.winners_table(report, w)
    if report.categories:
        yield tables.category_table(report, w)
    yield Line(sentences.headline(report, w), "heading")
    said = [*map(Line, (*sentences.below(report, w), *sentences.engines(report, w), *sentences.remarks(report, w)))]
    yield from said
    costs = cost_blocks({s.name: s.costs for s in report.result.weighed if s.costs}, w)
    yield from (block for block in costs if block not in said)
