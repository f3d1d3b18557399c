"""What the doctor found, as a table and lines."""

from __future__ import annotations

from collections.abc import Iterator

from steelyard.doctor.families import Coverage
from steelyard.doctor.finding import Diagnosis, Finding
from steelyard.report.table import COUNT, Block, Entry, Line, make_table
from steelyard.wording.numbers import CHANGE, POINTS
from steelyard.wording.words import Wording


def diagnosis_blocks(found: Diagnosis, w: Wording) -> Iterator[Block]:
    """What was examined, the findings, what was not checked, the verdict, and what the faults cost."""
    against = w("diagnosis.reference", reference=found.reference) if found.reference else ""
    yield Line(w.paragraph(w("diagnosis.target", target=found.target, recipe=found.recipe), against))
    entries: tuple[Entry[tuple[int, Finding]], ...] = (
        Entry("diagnosis.number", lambda f: f[0], COUNT),
        Entry("diagnosis.sure", lambda f: w(f"confidence.{f[1].sure.name.lower()}")),
        Entry("diagnosis.fault", lambda f: f[1].fault.value),
        Entry("diagnosis.what", lambda f: _told(f[1], w)),
    )
    if found.findings:
        yield make_table("findings", enumerate(found.findings, 1), entries, w)
    yield from (Line(w("diagnosis.skipped", check=one)) for one in ([] if found.coverage else found.skipped))
    yield from (Line(_covered(c, w)) for c in found.coverage)
    yield Line(w.paragraph(w(f"diagnosis.{found.verdict}"), w("diagnosis.checks", count=len(found.checks))), "strong")
    if found.top1 is not None:
        yield Line(_cost(found, found.top1, w))


def _covered(one: Coverage, w: Wording) -> str:
    key = "doctor_family.checked" if one.checked else "doctor_family.open"
    return w(key, family=w(f"doctor_family.{one.family.value}"), detail=one.detail)


def _told(f: Finding, w: Wording) -> str:
    mend = f"\n-> {w.of(f.mend)}" if f.mend else ""
    return f"{w.of(f.what)}\n   {w.of(f.evidence)}{mend}"


def _cost(found: Diagnosis, top1: float, w: Wording) -> str:
    cost, right = found.cost, POINTS.number(top1)
    if cost is None:
        return w("diagnosis.no_cost", top1=right)
    if cost.lost == cost.won == 0:
        return w("diagnosis.no_loss", top1=right, n=cost.n)
    change, ends = CHANGE.number(cost.change), CHANGE.range(cost.low, cost.high)
    key = "diagnosis.noise" if cost.is_noise else "diagnosis.cost"
    return w(key, top1=right, change=change, ends=ends, lost=cost.lost, won=cost.won, n=cost.n)
