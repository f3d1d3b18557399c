"""A plan as lines and a table: how many queries for which answer, and what other numbers would find."""

from __future__ import annotations

from collections.abc import Iterator

from steelyard.report.table import Block, Entry, Line, make_table
from steelyard.stats.planning import Plan
from steelyard.stats.power import MOST_QUERIES
from steelyard.wording.numbers import COUNT, POINTS, difference_text
from steelyard.wording.words import Wording


def power_blocks(found: Plan, systems: int, w: Wording, *, pilot: bool) -> Iterator[Block]:
    """The two answers, what they rest on, and the reach of other numbers of queries."""
    margin = w.of(difference_text(found.margin, points=True))
    yield Line(w("power.title", systems=systems, pairs=found.pairs), "heading")
    yield Line(w("power.better", count=_count(found.better, w), margin=margin))
    yield Line(w("power.no_worse", count=_count(found.no_worse, w), margin=margin))
    share = found.spread.discordance
    if share is not None:
        yield Line(w("power.pilot" if pilot else "power.assumed", share=POINTS.number(share)), "quiet")
    else:
        yield Line(w("power.pilot_spread", deviation=POINTS.number(found.spread.deviation)), "quiet")
    entries: tuple[Entry[tuple[int, float | None]], ...] = (
        Entry("power.queries", lambda r: float(r[0]), COUNT),
        Entry("power.reach", lambda r: r[1], POINTS),
    )
    yield make_table("power", found.reach, entries, w)


def _count(count: int | None, w: Wording) -> str:
    return w("power.more_than", count=f"{MOST_QUERIES:,}") if count is None else f"{count:,}"
