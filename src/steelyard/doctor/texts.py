"""Whether texts reach the model as they were sent, told by pairs that must differ and pairs that must not."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from steelyard.doctor.case import Case, Outcome
from steelyard.doctor.finding import Confidence, Fault, Finding
from steelyard.doctor.pairs import TEXT_PAIRS, told_apart
from steelyard.engines.vectors import cosines
from steelyard.types import Role, Vectors
from steelyard.wording import Said, say

_PAIRS_A_REQUEST = 8
_ONE = 1e-6
"""1 - cosine up to which two vectors in one request are one vector: what float32 makes of equal rows in a batch."""
_ALL = 0.6
"""Share of the changes above which nothing is told apart any more, so that it is no change of texts."""
_OTHER = 3e-3
"""The same above which two vectors are no longer one in 16-bit numbers either."""


def check_texts(case: Case) -> Outcome:
    """Asks for every pair side by side; see :mod:`steelyard.doctor.pairs`.

    A change is certain where all pairs that show it have one vector, likely where at least one has. Words in another
    order count only when nothing else is changed: sorting words is a change as others are.
    """
    apart, known = told_apart(case.recipe.name)
    off = _distances(case)
    found = [*_collapsed(apart, off, _floor(case)), *(_different(apart, off) if known else [])]
    asked = sum(1 for a in apart if a)
    detail = say("doctor_resolution.texts", pairs=asked)
    return Outcome(tuple(found), detail if known else say("doctor_resolution.tokenizer"))


def _distances(case: Case) -> NDArray[np.float64]:
    """float64[pairs]: 1 - cosine of the two texts of a pair, which stand in one request."""
    parts = []
    for start in range(0, len(TEXT_PAIRS), _PAIRS_A_REQUEST):
        some = TEXT_PAIRS[start : start + _PAIRS_A_REQUEST]
        rows = case.embed([t for p in some for t in (p.one, p.other)], Role.DOCUMENT)
        parts.append(1 - cosines(rows[::2], rows[1::2]))
    return np.concatenate(parts)


def _floor(case: Case) -> float:
    """What two places of one request make of one text, four times over; at least what float32 may."""
    rows: Vectors = case.embed([TEXT_PAIRS[0].one, TEXT_PAIRS[1].one] * 2, Role.DOCUMENT)
    return max(_ONE, 4 * float((1 - cosines(rows[:2], rows[2:])).max()))


def _collapsed(apart: Sequence[bool | None], off: NDArray[np.float64], floor: float) -> list[Finding]:
    """One finding: the surest change first, the others named behind it."""
    found: list[tuple[Confidence, str, Said]] = []
    for change in dict.fromkeys(p.change for p in TEXT_PAIRS):
        places = [i for i, p in enumerate(TEXT_PAIRS) if p.change == change and apart[i]]
        same = [i for i in places if off[i] <= floor]
        if same:
            sure = Confidence.CERTAIN if len(same) == len(places) else Confidence.LIKELY
            pair = TEXT_PAIRS[same[0]]
            example = f"{pair.one!r} / {pair.other!r}"
            seen = say("doctor_texts.seen", collapsed=len(same), pairs=len(places), example=example)
            found.append((sure, change, seen))
    found.sort(key=lambda row: -row[0])
    if not found or len(found) > _ALL * len({p.change for p in TEXT_PAIRS}):
        return []
    sure, first, seen = found[0]
    rest = [say(f"doctor_change.{change}") for _, change, _ in found[1:5]]
    what = say("doctor_texts.what", change=say(f"doctor_change.{first}"))
    evidence = say("doctor_texts.also", seen=seen, others=tuple(rest)) if rest else seen
    return [Finding(Fault.TEXT_CHANGED, sure, what, evidence, say("doctor_texts.mend"))]


def _different(apart: Sequence[bool | None], off: NDArray[np.float64]) -> list[Finding]:
    alike = [i for i, a in enumerate(apart) if a is False and off[i] > _OTHER]
    if not alike:
        return []
    pair = TEXT_PAIRS[alike[0]]
    what = say("doctor_texts.equal", change=say(f"doctor_change.{pair.change}"))
    seen = say("doctor_texts.equal_seen", off=f"{1 - off[alike[0]]:.3f}", example=f"{pair.one!r} / {pair.other!r}")
    return [Finding(Fault.TOKENIZER, Confidence.CERTAIN, what, seen, say("doctor_texts.tokenizer"))]
