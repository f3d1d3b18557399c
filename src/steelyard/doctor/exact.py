"""The exact check: which way of running the model gives the vectors that the target gives."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from steelyard.doctor.case import Case, Outcome
from steelyard.doctor.difference import SIXTEEN_BITS, Difference, explain_difference, other_size
from steelyard.doctor.finding import Confidence, Finding
from steelyard.doctor.hypotheses import RunVariant, hypotheses, simulations
from steelyard.doctor.local import RIGHT, Reference
from steelyard.doctor.probes import DOCUMENTS, QUERIES
from steelyard.doctor.simulated import PART
from steelyard.doctor.wrong_numbers import wrong_numbers
from steelyard.engines.vectors import centred_cosines
from steelyard.types import Role, Vectors
from steelyard.wording import Said, say

_SAME = 1e-9
"""Loss up to which vectors are the same, as fp32 on different machines gives them."""
_CLEAR = 3.0
"""A cause is named when it is so much nearer than the recipe itself."""
_NEARER, _MOST = 1.25, 0.95
"""Where loss of another kind stands beside the fault, it is named when it is so much nearer, on so many texts."""
_FINE = 2e-4
"""Loss of 16-bit numbers, below which no way inside the trunk is looked for."""
_CERTAIN, _EXPLAINS = 0.01, 0.25
"""Loss that may be left when a fault is certain, and when it is named at all."""


@dataclass(frozen=True, slots=True)
class _Fit:
    """How near a hypothesis comes: ``cosines`` is float64[n], queries first, as many of them as ``queries``."""

    hypothesis: RunVariant
    cosines: NDArray[np.float64]
    queries: int = len(QUERIES)

    @property
    def loss(self) -> float:
        return max(self.query, self.document)

    @property
    def query(self) -> float:
        return max(0.0, 1.0 - float(self.cosines[: self.queries].mean()))

    @property
    def document(self) -> float:
        return max(0.0, 1.0 - float(self.cosines[self.queries :].mean()))


_PART = [*PART, *(len(QUERIES) + i for i in PART)]


def compare_with_reference(case: Case) -> Outcome:
    """Runs every wrong recipe that the reference can run, and names the one that gives the target's vectors.

    Ways inside the trunk are simulated only where nothing simpler explains a difference. Without a reference nothing
    is compared and nothing found.
    """
    reference = case.reference
    if reference is None:
        return Outcome(())
    found = np.concatenate([case.embed(QUERIES, Role.QUERY), case.embed(DOCUMENTS, Role.DOCUMENT)])
    right, *wrong = hypotheses(case.recipe, case.target.templates)
    wanted = _of(reference, right)
    if wanted is None:
        raise ValueError("a reference must know the right vectors")
    if found.shape[1] != wanted.shape[1]:
        return Outcome((other_size(found.shape[1], wanted.shape[1]),))
    own = _Fit(right, centred_cosines(found, wanted))
    if own.loss <= _SAME:
        return Outcome((), _resolution(own.loss, reference))
    fits = [_Fit(h, centred_cosines(found, v)) for h in wrong if (v := _of(reference, h)) is not None]
    named = _named(fits, own) or _numbers(found, wanted, own) or _simulated(case, found, own, wanted)
    if named is not None:
        return Outcome((named,), _resolution(own.loss, reference))
    seen = Difference(found, wanted, own.query, own.document, any(f.hypothesis.way != RIGHT for f in fits))
    return Outcome(tuple(explain_difference(seen, reference)), _resolution(own.loss, reference))


def _resolution(lost: float, reference: Reference) -> Said:
    """What 16-bit numbers make is never called a fault; nor what the reference's own rounding may hide."""
    hidden = reference.within if lost > 1e-3 else 0.0
    return say("doctor_resolution.exact", off=f"{max(hidden, reference.ruler().loss(SIXTEEN_BITS)):.2g}")


def _numbers(found: Vectors, wanted: Vectors, own: _Fit) -> Finding | None:
    """Whether some of a vector's numbers, and not all, are wrong."""
    return None if own.loss <= _FINE else wrong_numbers(found, wanted)


def _simulated(case: Case, found: Vectors, own: _Fit, wanted: Vectors) -> Finding | None:
    """The way inside the trunk, or the template or text nearly right, that explains a difference."""
    reference = case.reference
    if reference is None or own.loss <= _FINE:
        return None
    part, middle = found[_PART], wanted[_PART]
    right = _Fit(own.hypothesis, centred_cosines(part, middle), len(PART))
    fits = []
    for one in simulations(case.recipe, case.target.templates):
        rows = _of(reference, one)
        if rows is not None:
            fits.append(_Fit(one, centred_cosines(part, rows), len(PART)))
            if fits[-1].loss <= _CERTAIN / 10:
                break
    return _named(fits, right)


def _of(reference: Reference, hypothesis: RunVariant) -> Vectors | None:
    return reference.vectors(hypothesis.texts, hypothesis.way)


def _named(fits: list[_Fit], own: _Fit) -> Finding | None:
    """The fault of the best wrong recipe, where it explains the vectors far better than the recipe itself."""
    best = min(fits, key=lambda f: f.loss, default=None)
    if best is None or best.hypothesis.fault is None or best.loss > _EXPLAINS:
        return None
    if own.loss < _CLEAR * max(best.loss, 1e-12) and not _nearer_on_most(best, own):
        return None
    sure = Confidence.CERTAIN if best.loss <= _CERTAIN and own.loss >= _CLEAR * best.loss else Confidence.LIKELY
    evidence = say("doctor_exact.seen", there=f"{1 - best.loss:.4f}", here=f"{1 - own.loss:.4f}")
    return Finding(best.hypothesis.fault, sure, best.hypothesis.what, evidence, best.hypothesis.mend)


def _nearer_on_most(best: _Fit, own: _Fit) -> bool:
    """Whether a fault shows through loss that has nothing to do with it, as 4-bit weights have.

    Only texts that the fault changes are looked at. Such loss points another way in every text, the fault one way.
    """
    right, wrong = own.hypothesis, best.hypothesis
    before = replace(right, is_part=wrong.is_part)
    pairs = zip(before.texts, wrong.texts, strict=True)
    changed = np.array([a != b or wrong.way != right.way for a, b in pairs])
    here, there = 1 - best.cosines[changed], 1 - own.cosines[changed]
    return bool(there.mean() >= _NEARER * here.mean() and (here < there).mean() >= _MOST)
