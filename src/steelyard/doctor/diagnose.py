"""All checks of one target, and what they say together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from steelyard.doctor.behaviour import (
    check_first_token,
    check_norm,
    check_order_and_batch,
    check_ranking,
    check_size,
)
from steelyard.doctor.case import Case, Check
from steelyard.doctor.cost import check_cost, cost, target_hits
from steelyard.doctor.dimensions import check_dimensions
from steelyard.doctor.exact import compare_with_reference
from steelyard.doctor.finding import Confidence, Cost, Diagnosis, Fault, Finding, in_order
from steelyard.doctor.published import askable, check_published
from steelyard.doctor.target import OneByOne, RefusedError
from steelyard.doctor.templates import check_sides, check_silent_side, check_token_count
from steelyard.doctor.truncation import check_truncation

CHECKS: Mapping[str, Check] = {
    "size of a vector": check_size,
    "order and batches": check_order_and_batch,
    "norm": check_norm,
    "first token": check_first_token,
    "count of tokens": check_token_count,
    "templates of both sides": check_sides,
    "texts that say no side": check_silent_side,
    "published figures": check_published,
    "right vectors": compare_with_reference,
    "ranking of easy pairs": check_ranking,
    "dimensions": check_dimensions,
    "end of long texts": check_truncation,
}
"""Every check of an embedding target by its name, in the order in which they are made."""
_EXPLAINED = frozenset(
    {
        Fault.POOLING,
        Fault.END_MISSING,
        Fault.END_DOUBLED,
        Fault.TEMPLATE_DOUBLED,
        Fault.TEMPLATE_MISSING,
        Fault.TEMPLATE_WRONG,
        Fault.INSTRUCTION_MISSING,
        Fault.INSTRUCTION_DOUBLED,
    }
)
"""Faults that a weaker check may guess; dropped where right vectors named the cause."""
_NEEDS_RIGHT_VECTORS = (
    "without them pooling, closing tokens, swapped templates, quantisation, dtype and another model of the same size "
    "show only where they break something; give --reference with a golden file or the folder of the same checkpoint"
)
_NEEDS_MORE_THAN_FIGURES = (
    "weights in 5 to 8 bits, dtype and what only other texts would show are not told by the published figures; give "
    "--reference with a golden file or the folder of the same checkpoint"
)
_BATCHES = (Fault.ORDER, Fault.BATCH)


def diagnose(case: Case, before: Sequence[Finding] = ()) -> Diagnosis:
    """Makes every check of an embedding target.

    Args:
        case: the target and what it should be.
        before: what was found already, by reading a folder's files.

    Raises:
        EndpointError: the target cannot be asked at all; a check that is refused is counted as skipped.
    """
    findings, skipped, made, whole = list(before), [], [], case
    for name, check in CHECKS.items():
        if name == "right vectors" and case.reference is None:
            agrees = any(f.fault is Fault.AS_PUBLISHED for f in findings)
            skipped.append(f"{name}: {_NEEDS_MORE_THAN_FIGURES if agrees else _NEEDS_RIGHT_VECTORS}")
            continue
        if name == "published figures" and not askable(case.recipe, case.target.templates):
            continue
        try:
            found = check(case)
        except RefusedError as wrong:
            skipped.append(f"{name}: {wrong}")
            continue
        made.append(name)
        findings += found
        if any(f.fault in _BATCHES for f in found):
            case = replace(case, target=OneByOne(case.target))
        if any(f.fault is Fault.ANOTHER_MODEL and f.sure is Confidence.CERTAIN for f in found):
            break
    sane = not any(f.fault is Fault.ANOTHER_MODEL and f.sure is Confidence.CERTAIN for f in findings)
    rank, price = _ranked(whole) if sane and not case.quick else (None, None)
    findings += [] if price is None else check_cost(price)
    return Diagnosis(
        target=case.target.name,
        recipe=case.recipe.name,
        reference=case.reference.name if case.reference else "",
        findings=in_order(_explained(findings, exact="right vectors" in made)),
        checks=tuple(made),
        skipped=tuple(skipped),
        top1=rank,
        cost=price,
    )


def _ranked(case: Case) -> tuple[float, Cost | None]:
    """Top-1 on the small suite, and what it costs where right vectors are known."""
    found = target_hits(case)
    right = None if case.reference is None else case.reference.right_hits()
    return float(found.mean()), None if right is None else cost(found, right)


def _explained(findings: list[Finding], *, exact: bool) -> list[Finding]:
    """Weaker guesses in the light of the comparison with right vectors, or else with the published figures.

    Where it named the cause, or found nothing, other guesses are dropped. Where it found only that the vectors are
    others, a guess that would explain them becomes likely.
    """
    if not exact:
        return _by_figures(findings)
    unlike = any(f.fault is Fault.UNLIKE_REFERENCE for f in findings)
    kept = []
    for f in findings:
        guess = f.fault in _EXPLAINED and f.sure < Confidence.CERTAIN and "reference" not in f.evidence
        if guess and unlike:
            kept.append(replace(f, sure=Confidence.LIKELY))
        elif not guess and f.fault is not Fault.AS_PUBLISHED:
            kept.append(f)
    return _of_another(kept)


def _of_another(findings: list[Finding]) -> list[Finding]:
    """Another model reads another length, so its limit is no surer a fault than that it is another."""
    other = max((f.sure for f in findings if f.fault is Fault.ANOTHER_MODEL), default=Confidence.CERTAIN)
    return [replace(f, sure=min(f.sure, other)) if f.fault is Fault.TRUNCATION else f for f in findings]


def _by_figures(findings: list[Finding]) -> list[Finding]:
    """A model that gives the published figures ranks as it was made to, and its tokens are right however counted.

    Where it does not give them, a guess that would explain it becomes likely, and not to rank is the consequence.
    """
    faults = {f.fault: f.sure for f in findings}
    if Fault.AS_PUBLISHED in faults:
        return [f for f in findings if not _is_guess(f)]
    if faults.get(Fault.UNLIKE_PUBLISHED) != Confidence.LIKELY:
        return findings
    return [replace(f, sure=Confidence.LIKELY) if _is_guess(f) else f for f in findings]


def _is_guess(found: Finding) -> bool:
    """Whether published figures say more: of ranking, and of what the count of tokens only makes possible."""
    return found.fault is Fault.DOES_NOT_RANK or (found.fault in _EXPLAINED and found.sure == Confidence.POSSIBLE)
