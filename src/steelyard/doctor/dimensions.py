"""What a target makes of ``dimensions``: a shorter vector is the first numbers of the whole one, normalised again."""

from __future__ import annotations

import numpy as np

from steelyard.doctor.case import Case
from steelyard.doctor.finding import Confidence, Fault, Finding
from steelyard.doctor.probes import DOCUMENTS
from steelyard.doctor.target import RefusedError
from steelyard.engines.vectors import cosines
from steelyard.types import Role, Vectors

_TEXTS = DOCUMENTS[:6]
_MEND = (
    "SGLang: --json-model-override-args '{\"is_matryoshka\": true}'; vLLM: --hf-overrides with the same; or put "
    "`steelyard serve --upstream` before it, which cuts and normalises by itself"
)


def check_dimensions(case: Case) -> list[Finding]:
    """Asks for half of the numbers of a model that may be cut, and compares them with the whole."""
    recipe = case.recipe
    if not recipe.matryoshka or recipe.min_dimension >= recipe.dimension:
        return []
    asked = max(recipe.min_dimension, recipe.dimension // 2)
    sent = case.sent(_TEXTS, Role.DOCUMENT)
    whole = case.target.embed(sent, Role.DOCUMENT).vectors
    try:
        cut = case.target.embed(sent, Role.DOCUMENT, asked).vectors
    except RefusedError as wrong:
        what = f"`dimensions` is refused ({asked} asked for), though the model is trained to be cut"
        return [Finding(Fault.DIMENSIONS_REFUSED, Confidence.CERTAIN, what, str(wrong)[-160:], _MEND)]
    return _compare(cut, whole, asked, normalise=recipe.normalise)


def _compare(cut: Vectors, whole: Vectors, asked: int, *, normalise: bool) -> list[Finding]:
    sure = Confidence.CERTAIN
    if cut.shape[1] != asked:
        what = f"`dimensions` is ignored: {asked} asked for, {cut.shape[1]} given"
        return [Finding(Fault.DIMENSIONS_IGNORED, sure, what, "the size of a vector", _MEND)]
    if cosines(cut, whole[:, :asked]).min() < 0.995:
        what = "a shorter vector is not the beginning of the whole one, so it is not what the model was trained for"
        seen = f"cosine to the first {asked} numbers down to {cosines(cut, whole[:, :asked]).min():.3f}"
        return [Finding(Fault.DIMENSIONS_NOT_A_PREFIX, sure, what, seen, f"Keep the first {asked} numbers. {_MEND}")]
    norms = np.linalg.norm(cut, axis=1)
    if normalise and np.abs(norms - 1).max() > 5e-3:
        what = "a shorter vector is cut without being normalised again"
        seen = f"norms from {norms.min():.3f} to {norms.max():.3f} at {asked} dimensions"
        mend = f"Divide by the norm after cutting. {_MEND}"
        return [Finding(Fault.DIMENSIONS_NOT_NORMALISED, sure, what, seen, mend)]
    return []
