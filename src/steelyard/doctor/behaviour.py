"""Checks that need no right vectors: size, first token, and whether easy pairs are ranked."""

from __future__ import annotations

import numpy as np

from steelyard.doctor.case import Case
from steelyard.doctor.compare import top1
from steelyard.doctor.finding import Confidence, Fault, Finding
from steelyard.doctor.probes import DOCUMENTS, QUERIES
from steelyard.engines.vectors import normalised
from steelyard.types import Role

_RANKS = 0.7
"""Top-1 of the built-in queries that every model known to be healthy passes by far."""


def check_size(case: Case) -> list[Finding]:
    """Whether a vector has the size that the recipe says."""
    size = case.embed(DOCUMENTS[:1]).shape[1]
    if size == case.recipe.dimension:
        return []
    what = f"vectors of {size} dimensions; {case.recipe.name} has {case.recipe.dimension}"
    mend = (
        "Serve the model of the recipe, or name the recipe of the model (--recipe); look at --dimensions settings too"
    )
    return [Finding(Fault.ANOTHER_MODEL, Confidence.CERTAIN, what, "the size of a vector", mend)]


def check_ranking(case: Case) -> list[Finding]:
    """Whether easy queries find their own document; made where there is no reference to say how well they should."""
    if case.reference is not None:
        return []
    found = top1(case.embed(QUERIES, Role.QUERY), case.embed(DOCUMENTS, Role.DOCUMENT))
    if found >= _RANKS:
        return []
    sure = Confidence.CERTAIN if found < 0.3 else Confidence.LIKELY
    causes = "pooling, the end token, the template or the weights"
    what = f"it cannot rank {len(QUERIES)} easy queries: {causes} must be wrong; which one, needs right vectors to say"
    mend = "Give --reference with a golden file or the folder of the same checkpoint, and the cause is named"
    return [Finding(Fault.DOES_NOT_RANK, sure, what, f"Top-1 {found:.2f}; healthy models: 0.9 to 1", mend)]


def check_first_token(case: Case) -> list[Finding]:
    """Whether a causal model is pooled at its first token, which sees nothing behind it."""
    if case.recipe.architecture != "qwen3" or case.recipe.pooling == "cls":
        return []
    unit = normalised(case.embed(DOCUMENTS)).astype(np.float64)
    alike = unit @ unit.T > 0.99999
    pairs = int(alike.sum() - len(unit)) // 2
    if pairs < 2 or alike.all():
        return []
    what = "wrong pooling: the first token's state is taken, which in this kind of model has seen nothing of the text"
    seen = f"{pairs} pairs of different texts that begin alike have one and the same vector"
    return [Finding(Fault.POOLING, Confidence.CERTAIN, what, seen, f"Set the pooling to {case.recipe.pooling!r}")]
