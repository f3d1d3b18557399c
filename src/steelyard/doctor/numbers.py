"""What stands behind the model: norms, rounding, clipping, and numbers that are always the same."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from steelyard.doctor.case import Case, Outcome
from steelyard.doctor.finding import Confidence, Fault, Finding
from steelyard.doctor.probes import DOCUMENTS, QUERIES
from steelyard.types import Role, Vectors
from steelyard.wording import say

_NORM = 5e-3
"""How far from 1 a norm may be; bf16 output stays within."""
_FINE = 3
"""Decimal places from which rounding changes no ranking."""
_FEW = 300
"""Different numbers in a vector of more than twice as many: those of 8 bits."""
_CLIPPED = 0.02


def check_numbers(case: Case) -> Outcome:
    """Norms, rounding, clipping, lost signs and dead numbers of vectors of all kinds of texts."""
    rows = np.concatenate([case.embed(DOCUMENTS), case.embed(QUERIES, Role.QUERY)])
    exact = rows.astype(np.float64)
    found = [*_dead(exact), *_positive(exact)] or _clipped(exact)
    coarse, step = _rounded(exact)
    found += coarse or ([] if found else _steps(exact))
    if case.recipe.normalise:
        found += _norms(exact, step)
    return Outcome(tuple(found), say("doctor_resolution.numbers", texts=len(rows), size=rows.shape[1]))


def _dead(rows: NDArray[np.float64]) -> list[Finding]:
    still = np.flatnonzero(np.ptp(rows, axis=0) == 0)
    if not len(still) or len(still) == rows.shape[1]:
        return []
    what = say("doctor_numbers.dead", count=len(still), size=rows.shape[1])
    seen = say("doctor_numbers.dead_seen", first=int(still[0]) + 1)
    return [Finding(Fault.NUMBERS, Confidence.CERTAIN, what, seen, say("doctor_numbers.dead_mend"))]


def _positive(rows: NDArray[np.float64]) -> list[Finding]:
    if rows.shape[1] < 32 or (rows < 0).any():
        return []
    seen = say("doctor_numbers.positive_seen", count=rows.size, texts=len(rows))
    mend = say("doctor_numbers.positive_mend")
    return [Finding(Fault.NUMBERS, Confidence.CERTAIN, say("doctor_numbers.positive"), seen, mend)]


def _clipped(rows: NDArray[np.float64]) -> list[Finding]:
    top = float(np.abs(rows).max())
    share = float((np.abs(rows) == top).mean())
    if share < _CLIPPED:
        return []
    what = say("doctor_numbers.clipped", share=f"{share:.0%}")
    seen = say("doctor_numbers.clipped_seen", top=f"{top:.3g}")
    return [Finding(Fault.NUMBERS, Confidence.CERTAIN, what, seen, say("doctor_numbers.clipped_mend"))]


def _rounded(rows: NDArray[np.float64]) -> tuple[list[Finding], float]:
    """Findings, and the step between two numbers; 0 where they are not rounded to places."""
    for digits in (1, 2, _FINE):
        scaled = rows * 10.0**digits
        if np.abs(scaled - scaled.round()).max() > 1e-3:
            continue
        step = 10.0**-digits
        if digits == _FINE:
            what = say("doctor_numbers.digits", digits=digits)
            return [Finding(Fault.ROUNDED, Confidence.NOTE, what, say("doctor_numbers.coarse_seen", step=step))], step
        what, seen = say("doctor_numbers.coarse", digits=digits), say("doctor_numbers.coarse_seen", step=step)
        return [Finding(Fault.ROUNDED, Confidence.CERTAIN, what, seen, say("doctor_numbers.coarse_mend"))], step
    return [], 0.0


def _steps(rows: NDArray[np.float64]) -> list[Finding]:
    count = max(len(np.unique(row)) for row in rows)
    if count > min(_FEW, rows.shape[1] * 0.8):
        return []
    what, seen = say("doctor_numbers.steps", count=count), say("doctor_numbers.steps_seen", size=rows.shape[1])
    return [Finding(Fault.ROUNDED, Confidence.LIKELY, what, seen, say("doctor_numbers.steps_mend"))]


def _norms(rows: NDArray[np.float64], step: float) -> list[Finding]:
    """Norms that are not 1 by more than the rounding itself makes."""
    norms = np.linalg.norm(rows, axis=1)
    off, allowed = float(np.abs(norms - 1).max()), max(_NORM, step * rows.shape[1] ** 0.5 / 2)
    if off <= allowed:
        return []
    seen = say("doctor_numbers.norms", low=f"{norms.min():.3g}", high=f"{norms.max():.3g}")
    if float(np.ptp(norms)) <= _NORM * float(norms.mean()):
        what = say("doctor_numbers.scaled", norm=f"{norms.mean():.3g}")
    else:
        what = say("doctor_numbers.varies")
    return [Finding(Fault.NOT_NORMALISED, Confidence.CERTAIN, what, seen, say("doctor_numbers.norm_mend"))]


def is_finite(rows: Vectors) -> bool:
    """Whether every number is one."""
    return bool(np.isfinite(rows).all())
