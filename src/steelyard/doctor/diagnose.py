"""All checks of one target, and what they say together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from steelyard.doctor.case import Case
from steelyard.doctor.checks import CHECKS, RIGHT_VECTORS, Named
from steelyard.doctor.cost import check_cost, cost, target_hits
from steelyard.doctor.depth import Clock
from steelyard.doctor.families import Coverage, Family
from steelyard.doctor.finding import Confidence, Cost, Diagnosis, Fault, Finding, in_order
from steelyard.doctor.target import OneByOne, RefusedError, WrongAnswerError
from steelyard.doctor.weighed import weighed
from steelyard.wording import say

_BATCHES = (Fault.ORDER, Fault.BATCH, Fault.DUPLICATES)
Tell = Callable[[str, int, int], None]
"""Told before each check: its name, its place from 1 on, how many there are."""


@dataclass(slots=True)
class _Course:
    """An examination under way."""

    case: Case
    findings: list[Finding]
    made: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    covered: dict[Family, Coverage] = field(default_factory=dict)

    @property
    def is_another(self) -> bool:
        """Whether vectors are of another size, so that nothing else can be asked."""
        return any(f.fault is Fault.ANOTHER_MODEL and f.sure is Confidence.CERTAIN for f in self.findings)

    def skip(self, check: Named, why: str) -> None:
        """Counts a check as not made."""
        self.skipped.append(f"{check.name}: {why}")
        for family in check.families:
            self.covered.setdefault(family, Coverage(family, checked=False, detail=why))

    def run(self, check: Named) -> None:
        """Makes a check; what the target refuses or answers wrongly is kept."""
        try:
            found = check.run(self.case)
        except RefusedError as wrong:
            self.skip(check, str(wrong))
            return
        except WrongAnswerError as wrong:
            self.findings.append(_wrong_answer(wrong))
            self.skip(check, str(wrong))
            return
        self.made.append(check.name)
        self.findings += found.findings
        for family in check.families if found.detail else ():
            self.covered[family] = Coverage(family, checked=True, detail=found.detail)
        if any(f.fault in _BATCHES and f.sure > Confidence.NOTE for f in found.findings):
            self.case = replace(self.case, target=OneByOne(self.case.target))


def diagnose(
    case: Case, before: Sequence[Finding] = (), tell: Tell = lambda *_: None, clock: Clock | None = None
) -> Diagnosis:
    """Makes every check of an embedding target.

    Args:
        case: the target and what it should be.
        before: what was found already, by reading a folder's files.
        tell: told before each check.
        clock: of the mode's seconds; after them no check is begun.

    Raises:
        EndpointError: the target cannot be asked at all; a check that is refused is counted as skipped.
    """
    clock = clock or Clock(case.depth.seconds)
    course, checks = _Course(case, list(before)), [c for c in CHECKS if c.applies(case)]
    for place, check in enumerate(checks, 1):
        tell(check.name, place, len(checks))
        if check.needs_reference and case.reference is None:
            course.skip(check, say("doctor_resolution.none"))
        elif clock.is_over:
            course.skip(check, say("doctor_resolution.time", seconds=int(case.depth.seconds)))
        else:
            course.run(check)
        if course.is_another:
            break
    rank, price = _ranked(case, course) if case.depth.rank and not clock.is_over else (None, None)
    course.findings += [] if price is None else check_cost(price)
    return Diagnosis(
        target=case.target.name,
        recipe=case.recipe.name,
        reference=case.reference.name if case.reference else "",
        findings=in_order(weighed(course.findings, exact=RIGHT_VECTORS in course.made)),
        checks=tuple(course.made),
        coverage=tuple(course.covered.get(f, _not_asked(f)) for f in Family),
        skipped=tuple(course.skipped),
        top1=rank,
        cost=price,
        seconds=clock.used,
    )


def _ranked(case: Case, course: _Course) -> tuple[float | None, Cost | None]:
    """Top-1 on the small suite, and what it costs where right vectors are known."""
    if course.is_another:
        return None, None
    try:
        found = target_hits(case)
    except (RefusedError, WrongAnswerError):
        return None, None
    right = None if case.reference is None else case.reference.right_hits()
    return float(found.mean()), None if right is None else cost(found, right)


def _not_asked(family: Family) -> Coverage:
    return Coverage(family, checked=False, detail=say("doctor_resolution.none"))


def _wrong_answer(wrong: WrongAnswerError) -> Finding:
    if wrong.is_finite:
        return Finding(
            Fault.ANSWER, Confidence.CERTAIN, say("doctor_numbers.wire"), str(wrong), say("doctor_numbers.wire_mend")
        )
    mend = say("doctor_numbers.finite_mend")
    return Finding(Fault.NOT_FINITE, Confidence.CERTAIN, say("doctor_numbers.finite"), str(wrong), mend)
