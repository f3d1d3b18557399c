"""The exact check: which way of running the model gives the vectors that the target gives."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from steelyard.doctor.case import Case
from steelyard.doctor.difference import Difference, explain_difference, other_size
from steelyard.doctor.finding import Confidence, Finding
from steelyard.doctor.hypotheses import RunVariant, hypotheses
from steelyard.doctor.local import RIGHT, Reference
from steelyard.doctor.probes import DOCUMENTS, QUERIES
from steelyard.engines.vectors import centred_cosines
from steelyard.types import Role, Vectors

_SAME = 1e-9
"""Loss up to which vectors are the same, as fp32 on different machines gives them."""
_CLEAR = 3.0
"""A cause is named when it is so much nearer than the recipe itself."""
_NEARER, _MOST = 1.25, 0.95
"""Where loss of another kind stands beside the fault, it is named when it is so much nearer, on so many texts."""
_CERTAIN, _EXPLAINS = 0.01, 0.25
"""Loss that may be left when a fault is certain, and when it is named at all."""


@dataclass(frozen=True, slots=True)
class _Fit:
    """How near a hypothesis comes: ``cosines`` is float64[n], queries first."""

    hypothesis: RunVariant
    cosines: NDArray[np.float64]

    @property
    def loss(self) -> float:
        return max(self.query, self.document)

    @property
    def query(self) -> float:
        return max(0.0, 1.0 - float(self.cosines[: len(QUERIES)].mean()))

    @property
    def document(self) -> float:
        return max(0.0, 1.0 - float(self.cosines[len(QUERIES) :].mean()))


def compare_with_reference(case: Case) -> list[Finding]:
    """Runs every wrong recipe that the reference can run, and names the one that gives the target's vectors.

    Without a reference nothing is compared and nothing found.
    """
    reference = case.reference
    if reference is None:
        return []
    found = np.concatenate([case.embed(QUERIES, Role.QUERY), case.embed(DOCUMENTS, Role.DOCUMENT)])
    right, *wrong = hypotheses(case.recipe, case.target.templates)
    wanted = _of(reference, right)
    if wanted is None:
        raise ValueError("a reference must know the right vectors")
    if found.shape[1] != wanted.shape[1]:
        return [other_size(found.shape[1], wanted.shape[1])]
    own = _Fit(right, centred_cosines(found, wanted))
    if own.loss <= _SAME:
        return []
    fits = [_Fit(h, centred_cosines(found, v)) for h in wrong if (v := _of(reference, h)) is not None]
    named = _named(fits, own)
    if named is not None:
        return [named]
    seen = Difference(found, wanted, own.query, own.document, any(f.hypothesis.way != RIGHT for f in fits))
    return explain_difference(seen, reference)


def _of(reference: Reference, hypothesis: RunVariant) -> Vectors | None:
    return reference.vectors([*hypothesis.queries, *hypothesis.documents], hypothesis.way)


def _named(fits: list[_Fit], own: _Fit) -> Finding | None:
    """The fault of the best wrong recipe, where it explains the vectors far better than the recipe itself."""
    best = min(fits, key=lambda f: f.loss, default=None)
    if best is None or best.hypothesis.fault is None or best.loss > _EXPLAINS:
        return None
    if own.loss < _CLEAR * max(best.loss, 1e-12) and not _nearer_on_most(best, own):
        return None
    sure = Confidence.CERTAIN if best.loss <= _CERTAIN and own.loss >= _CLEAR * best.loss else Confidence.LIKELY
    evidence = (
        f"run this way, the reference gives the target's vectors (centred cosine {1 - best.loss:.4f}); "
        f"run right: {1 - own.loss:.4f}"
    )
    return Finding(best.hypothesis.fault, sure, best.hypothesis.what, evidence, best.hypothesis.mend)


def _nearer_on_most(best: _Fit, own: _Fit) -> bool:
    """Whether a fault shows through loss that has nothing to do with it, as 4-bit weights have.

    Only texts that the fault changes are looked at. Such loss points another way in every text, the fault one way.
    """
    right, wrong = own.hypothesis, best.hypothesis
    pairs = zip((*right.queries, *right.documents), (*wrong.queries, *wrong.documents), strict=True)
    changed = np.array([a != b or wrong.way != right.way for a, b in pairs])
    here, there = 1 - best.cosines[changed], 1 - own.cosines[changed]
    return bool(there.mean() >= _NEARER * here.mean() and (here < there).mean() >= _MOST)
