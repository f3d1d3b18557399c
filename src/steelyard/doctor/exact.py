"""The exact check: which way of running the model gives the vectors that the target gives."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from steelyard.doctor.case import Case
from steelyard.doctor.compare import centred_cosines, top1
from steelyard.doctor.finding import Fault, Finding, Sureness
from steelyard.doctor.hypotheses import Hypothesis, hypotheses
from steelyard.doctor.local import RIGHT
from steelyard.doctor.probes import DOCUMENTS, QUERIES
from steelyard.types import Role, Vectors

EQUAL = 0.9995
"""Centred cosine from which vectors count as the same, as fp32 on different machines gives them."""
SIXTEEN_BITS = 0.99
"""Above this a difference is what 16-bit numbers make; rankings keep."""
QUANTISED = 0.75
"""Above this a difference is what weights in few bits make."""
_CLEAR = 3.0
"""A cause is sure when it is so much nearer than the recipe itself."""
_OTHER = "Compare the model's name, revision and files with the recipe's; then look at revision, tokenizer and dtype"


@dataclass(frozen=True, slots=True)
class _Fit:
    hypothesis: Hypothesis
    near: float
    """Mean centred cosine of queries or of documents, whichever is lower."""
    query: float
    document: float


def compare_with_reference(case: Case) -> list[Finding]:
    """Runs every wrong recipe that the reference can run, and names the one that gives the target's vectors.

    Without a reference nothing is compared and nothing found.
    """
    if case.reference is None:
        return []
    found = [case.embed(QUERIES, Role.QUERY), case.embed(DOCUMENTS, Role.DOCUMENT)]
    right, *wrong = hypotheses(case.recipe, case.target.templates)
    wanted = _of(case, right)
    if wanted is None:
        raise ValueError("a reference must know the right vectors")
    if found[0].shape[1] != wanted[0].shape[1]:
        return [_other_size(found[0].shape[1], wanted[0].shape[1])]
    cost = top1(*found) - top1(*wanted)
    own = _fit(right, found, wanted)
    if own.near >= EQUAL:
        return []
    fits = [_fit(h, found, v) for h in wrong if (v := _of(case, h)) is not None]
    best = max(fits, key=lambda f: f.near, default=own)
    runs = any(f.hypothesis.way != RIGHT for f in fits)
    finding = _named(best, own) or _sixteen_bits(own) or (_unnamed(own) if runs else _unlike(own))
    return [Finding(finding.fault, finding.sure, finding.what, finding.evidence, finding.mend, cost)]


def _of(case: Case, hypothesis: Hypothesis) -> list[Vectors] | None:
    if case.reference is None:
        return None
    rows = case.reference.vectors([*hypothesis.queries, *hypothesis.documents], hypothesis.way)
    return None if rows is None else [rows[: len(QUERIES)], rows[len(QUERIES) :]]


def _fit(hypothesis: Hypothesis, found: list[Vectors], wanted: list[Vectors]) -> _Fit:
    near = centred_cosines(np.concatenate(found), np.concatenate(wanted))
    query, document = float(near[: len(QUERIES)].mean()), float(near[len(QUERIES) :].mean())
    return _Fit(hypothesis, min(query, document), query, document)


def _named(best: _Fit, own: _Fit) -> Finding | None:
    """The fault of the best wrong recipe, where it explains the vectors far better than the recipe itself."""
    nearer = (1 - own.near) / max(1 - best.near, 1e-9)
    if best.hypothesis.fault is None or nearer < _CLEAR or best.near < 0.9:
        return None
    sure = Sureness.CERTAIN if best.near >= SIXTEEN_BITS else Sureness.LIKELY
    evidence = f"run this way, the reference gives the target's vectors ({best.near:.4f}); run right: {own.near:.4f}"
    return Finding(best.hypothesis.fault, sure, best.hypothesis.what, evidence, best.hypothesis.mend)


def _seen(own: _Fit) -> str:
    return f"centred cosine to the reference {own.query:.4f} on queries, {own.document:.4f} on documents"


def _sixteen_bits(own: _Fit) -> Finding | None:
    if own.near < SIXTEEN_BITS:
        return None
    what = "the numbers differ as 16-bit numbers do"
    return Finding(Fault.DTYPE, Sureness.NOTE, what, _seen(own), "Serve float32 if you must have the same numbers")


def _unlike(own: _Fit) -> Finding:
    """All that a golden file can say, which knows no other ways of running the model."""
    what = "the vectors are not those that were recorded, and no wrong template explains them"
    mend = (
        "Look at pooling, closing token, quantisation and revision; with --reference FOLDER of the same checkpoint the "
        "cause is named"
    )
    return Finding(Fault.UNLIKE_REFERENCE, Sureness.LIKELY, what, _seen(own), mend)


def _unnamed(own: _Fit) -> Finding:
    seen = _seen(own)
    one, other = (own.query, own.document) if own.query < own.document else (own.document, own.query)
    if other >= EQUAL > one + 0.02:
        side = "queries" if one == own.query else "documents"
        what = f"{side} get another template or instruction than the recipe's; the other side is right"
        return Finding(Fault.TEMPLATE_WRONG, Sureness.LIKELY, what, seen, f"Compare what is put on {side}")
    if own.near >= QUANTISED:
        what = "the vectors are the model's with loss, as weights in few bits (int8, int4, GGUF Q4) give"
        mend = "Serve the checkpoint in 16 bits, or weigh this one as the other system that it is"
        return Finding(Fault.QUANTISED, Sureness.LIKELY, what, seen, mend)
    what = "the vectors are not this model's under any known fault: another model, revision or set of weights"
    return Finding(Fault.ANOTHER_MODEL, Sureness.LIKELY, what, seen, _OTHER)


def _other_size(found: int, wanted: int) -> Finding:
    what = f"vectors of {found} dimensions; the model's have {wanted}"
    return Finding(Fault.ANOTHER_MODEL, Sureness.CERTAIN, what, "the size of a vector", _OTHER)
