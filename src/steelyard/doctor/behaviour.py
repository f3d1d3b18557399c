"""Checks that need no right vectors: size, norm, order, batches, and whether easy pairs are ranked."""

from __future__ import annotations

import numpy as np

from steelyard.doctor.case import Case
from steelyard.doctor.compare import top1
from steelyard.doctor.finding import Confidence, Fault, Finding
from steelyard.doctor.probes import DOCUMENTS, QUERIES
from steelyard.engines.vectors import centred_cosines, cosines, normalised
from steelyard.types import Role, Vectors

_BATCH = 8
_NORM = 5e-3
"""How far from 1 a norm may be; bf16 output stays within."""
_SAME = 0.98
"""Centred cosine under which two vectors of one text are different vectors."""
_NEAR = 0.995
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


def check_norm(case: Case) -> list[Finding]:
    """Whether vectors have norm 1 where the recipe says so."""
    if not case.recipe.normalise:
        return []
    norms = np.linalg.norm(case.embed(DOCUMENTS[:_BATCH]), axis=1)
    if np.abs(norms - 1).max() <= _NORM:
        return []
    what = "vectors are not normalised, so an inner product ranks long vectors first"
    mend = "Switch normalisation on (the Normalize module of modules.json), or divide by the norm before storing"
    seen = f"norms from {norms.min():.3g} to {norms.max():.3g}"
    return [Finding(Fault.NOT_NORMALISED, Confidence.CERTAIN, what, seen, mend)]


def check_order_and_batch(case: Case) -> list[Finding]:
    """Whether each text gets its own vector, and the same one whatever stands beside it."""
    texts = [QUERIES[i] if i % 2 else DOCUMENTS[i] for i in range(_BATCH - 1)]
    texts.append(" ".join(DOCUMENTS[8:13]))  # so that the others are padded
    sent = case.sent(texts, Role.DOCUMENT)
    alone = np.concatenate([case.target.embed([t], Role.DOCUMENT).vectors for t in sent])
    answer = case.target.embed(sent, Role.DOCUMENT)
    turned = case.target.embed(sent[::-1], Role.DOCUMENT).vectors[::-1]
    broken = _order(answer.vectors, alone) or _order(turned, alone)
    if broken:
        return [broken]
    notes = [] if answer.listed == tuple(range(len(texts))) else [_listed_out_of_order()]
    return notes + _batch(answer.vectors, turned, alone)


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


def _order(batch: Vectors, alone: Vectors) -> Finding | None:
    nearest = (normalised(batch) @ normalised(alone).T).argmax(axis=1)
    own = cosines(batch, alone)
    if (nearest == np.arange(len(alone))).all() or sorted(nearest) != list(range(len(alone))):
        return None
    if cosines(batch, alone[nearest]).min() < 0.99 or own.min() > 0.9999:
        return None
    what = "a batch comes back in another order than it was sent: texts get each other's vectors"
    mend = "Undo the sorting by length before answering, and number the items by the order of the request"
    return Finding(
        Fault.ORDER, Confidence.CERTAIN, what, f"text i of a batch got the vector of text {list(nearest)}", mend
    )


def _listed_out_of_order() -> Finding:
    what = "items are listed out of order; their index is right, but clients such as OpenAI's do not sort by it"
    return Finding(Fault.ORDER, Confidence.LIKELY, what, "data[].index does not rise", "List the items by their index")


def _batch(answer: Vectors, turned: Vectors, alone: Vectors) -> list[Finding]:
    near = float(min(centred_cosines(answer, alone).min(), centred_cosines(turned, alone).min()))
    if near >= _NEAR:
        return []
    sure = Confidence.CERTAIN if near < _SAME else Confidence.POSSIBLE
    what = "a text's vector depends on what stands beside it in the batch: padding is read as text"
    mend = "Pass the attention mask to the model and to the pooling; pad on the side that the pooling expects"
    return [Finding(Fault.BATCH, sure, what, f"alone and in a batch, centred cosine down to {near:.3f}", mend)]
