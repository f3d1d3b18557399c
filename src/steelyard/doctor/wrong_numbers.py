"""Vectors of which some numbers are wrong and the others right: turned signs, numbers in another's place."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from steelyard.doctor.finding import Confidence, Fault, Finding
from steelyard.types import Vectors
from steelyard.wording import say

_SAME = 0.95
"""Correlation over texts from which two numbers are one: rounded weights keep it."""
_MOST = 0.5


def wrong_numbers(found: Vectors, wanted: Vectors) -> Finding | None:
    """The finding where at least a half of the numbers follow the reference's and others do not.

    Args:
        found: float32[n, d] of the target.
        wanted: float32[n, d], right.
    """
    left, right = _standard(found), _standard(wanted)
    own = np.einsum("nd,nd->d", left, right)
    size = len(own)
    flipped = np.flatnonzero(own < -_SAME)
    broken = np.flatnonzero(np.abs(own) < 0.5)
    if len(flipped) and (np.abs(own) > _SAME).mean() > _MOST:
        key, places = "flipped", flipped
    elif len(broken) and (own > _SAME).mean() > _MOST and len(broken) < size * _MOST:
        key, places = "broken", broken
    else:
        table = left.T @ right
        moved = np.flatnonzero((table.argmax(axis=1) != np.arange(size)) & (table.max(axis=1) > _SAME))
        if len(moved) < size / 4:
            return None
        key, places = "permuted", moved
    what = say(f"doctor_exact.{key}", count=len(places), size=size)
    seen = say("doctor_exact.dims_seen", texts=len(found), first=int(places[0]) + 1)
    return Finding(Fault.NUMBERS, Confidence.CERTAIN, what, seen, say("doctor_exact.dims_mend"))


def _standard(rows: Vectors) -> NDArray[np.float64]:
    exact = rows.astype(np.float64)
    exact = exact / np.maximum(np.linalg.norm(exact, axis=1, keepdims=True), 1e-12)
    exact -= exact.mean(axis=0)
    found: NDArray[np.float64] = exact / np.maximum(np.linalg.norm(exact, axis=0), 1e-12)
    return found
