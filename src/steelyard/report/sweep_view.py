"""A sweep as tables and lines: every variant beside the system that was swept."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from steelyard.bench.evaluation.result import Result
from steelyard.bench.evaluation.sweep import NONE, Row, chinese_against_english, instruction_in, rows, smallest
from steelyard.report.costs import GIGABYTES
from steelyard.report.table import Block, Cell, Entry, Line, P, Spread, Table, make_table
from steelyard.report.tables import answer_of
from steelyard.stats.difference import PairedDifference
from steelyard.wording.numbers import CHANGE, POINTS, p_value, short
from steelyard.wording.words import Wording


def sweep_blocks(result: Result, base: str, measure: str, w: Wording, margin: float | None = None) -> Iterator[Block]:
    """The variants, what may be saved, and whether instructions helped."""
    found = rows(result, base, measure, margin)
    suite = result.suite
    where = w("sweeps.title", queries=suite.queries, measure=w.measure(measure))
    yield sweep_table(found, w, w("text.titled", title=f"{base} · {suite.name} {suite.version}".strip(), text=where))
    yield Line(w("sweeps.caption", count=max(len(found) - 1, 1), margin=_margin(found)), "quiet")
    yield from map(Line, (*saving(found, w), *instruction_lines(result, measure, w), *_remarks(result, w)))


def sweep_table(found: Sequence[Row], w: Wording, title: str = "") -> Table:
    """One row a variant."""

    def told(row: Row) -> Cell:
        return answer_of(row.against, w) if row.against else ""

    entries: tuple[Entry[Row], ...] = (
        Entry("table.system", lambda r: r.name),
        Entry("sweeps.points", lambda r: Spread.of(r.figure), POINTS, part="value"),
        Entry("table.interval", lambda r: Spread.of(r.figure), POINTS, "", part="ends"),
        Entry("statistics.difference", lambda r: _difference(r.against), CHANGE, part="value"),
        Entry("statistics.interval", lambda r: _difference(r.against), CHANGE, "", part="ends"),
        Entry("statistics.holm", lambda r: r.against.p_holm if r.against else None, P),
        Entry("sweeps.told", told),
        Entry("sweeps.vectors", lambda r: _bytes(r, "bytes_per_million"), GIGABYTES, always=False),
        Entry("sweeps.rescored", lambda r: _bytes(r, "rescore_bytes_per_million"), GIGABYTES, always=False),
    )
    return make_table("sweep", found, entries, w, title)


def saving(found: Sequence[Row], w: Wording) -> list[str]:
    """What storage may be saved, and what the queries cannot exclude."""
    base = next(r for r in found if r.against is None)
    best = smallest(found)
    if base.storage is None:
        return []
    whole = base.storage.bytes_per_million
    if best is None or best.storage is None or best.replacement is None:
        smaller = [r for r in found if r.storage and r.storage.bytes_per_million < whole]
        first = max(smaller, key=lambda r: r.figure.estimate, default=None)
        if first is None or first.replacement is None:
            return []
        return [w("sweeps.nothing_saved", base=base.name, name=first.name, why=first.replacement.objection)]
    small, again = best.storage.bytes_per_million, best.storage.rescore_bytes_per_million
    said = w(
        "sweeps.smallest", base=base.name, best=best.name, small=short(small / 1e9), whole=short(whole / 1e9),
        factor=short(whole / small),
    )  # fmt: skip
    kept = w("sweeps.kept", again=short(again / 1e9)) if again else ""
    return [w.paragraph(said, kept, best.replacement.sentence)]


def instruction_lines(result: Result, measure: str, w: Wording) -> list[str]:
    """Whether each instruction helped over none, and whether its language mattered."""
    named = {s.name: instruction_in(s.name) for s in result.weighed}
    bare = next((name for name, text in named.items() if text == NONE), None)
    lines = []
    if bare:
        without = [a for r in rows(result, bare, measure) if (a := r.against) and named[r.name] != NONE]
        lines = [w("sweeps.instruction", name=a.a, told=told_of(a, w)) for a in without]
    languages = chinese_against_english(result, measure)
    return [*lines, w("sweeps.languages", told=told_of(languages, w))] if languages else lines


def told_of(a: PairedDifference, w: Wording) -> str:
    """One comparison in words."""
    word = "helps" if a.better else "hurts" if a.worse else "open"
    ends = CHANGE.range(a.low, a.high)
    answer = {"answer": answer_of(a, w)} if word == "open" else {}
    return w(f"sweeps.{word}", difference=CHANGE.number(a.difference), ends=ends, p=p_value(a.p_holm), **answer)


def _margin(found: Sequence[Row]) -> str:
    return next((r.replacement.margin_text for r in found if r.replacement), "")


def _difference(a: PairedDifference | None) -> Cell:
    return Spread(a.difference, a.low, a.high, a.n) if a else ""


def _bytes(row: Row, name: str) -> Cell:
    kept = getattr(row.storage, name) if row.storage else 0
    return float(kept) if kept else None


def _remarks(result: Result, w: Wording) -> list[str]:
    failed = [w("reproduce.system_failed", system=s.name, error=s.error) for s in result.systems if s.error]
    return failed + [w("text.titled", title=s.name, text=w.of(note)) for s in result.weighed[:1] for note in s.notes]
