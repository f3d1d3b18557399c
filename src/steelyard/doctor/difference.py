"""What a difference is that no known fault explains: other numbers, fewer bits, another model."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from steelyard.doctor.finding import Confidence, Fault, Finding
from steelyard.doctor.local import Reference
from steelyard.doctor.probes import DOCUMENTS, QUERIES
from steelyard.doctor.ruler import Ruler
from steelyard.engines.vectors import centred, centred_cosines, normalised
from steelyard.types import Vectors
from steelyard.wording import Said, say

_FLOAT32, _FLOAT16, SIXTEEN_BITS = 14.5, 10.3, 8.35
"""Bits from which a difference is at most what such numbers make."""
_QUANTISED = 7.5
"""Bits below which it is more than any 16-bit path was seen to make."""
_COMMON = 0.3
"""Share of what differs that may be common to all texts where it is rounding of weights."""
_NOTHING_LEFT = 2.5
"""Bits below which a model says nothing of itself any more."""
_SHUFFLES = 999
_ONE_SIDE = 10.0
"""Times that one side loses more than the other where only its template is wrong."""
_OTHER = "Compare the model's name, revision and files with the recipe's; then look at revision, tokenizer and dtype"


@dataclass(frozen=True, slots=True)
class Difference:
    """Vectors that are not the right ones.

    Attributes:
        found: float32[n, d] of the target.
        wanted: float32[n, d], right.
        query: loss on queries.
        document: loss on documents.
        knows_ways: whether the reference could run the model in wrong ways, so that these are ruled out.
    """

    found: Vectors
    wanted: Vectors
    query: float
    document: float
    knows_ways: bool

    @property
    def loss(self) -> float:
        """Of both sides together."""
        return (self.query + self.document) / 2

    def __str__(self) -> str:
        said = f"centred cosine to the reference {1 - self.query:.4f} on queries, {1 - self.document:.4f} on documents"
        return said if self.loss > 1e-4 else f"distance from the reference {self.loss:.1e} (1 - centred cosine)"


def explain_difference(seen: Difference, reference: Reference) -> list[Finding]:
    """The finding, or a note, for a difference; empty where float32 alone makes it."""
    if Ruler().bits(seen.loss) >= _FLOAT32:
        return []
    ruler = reference.ruler()
    bits = ruler.bits(seen.loss)
    if bits >= SIXTEEN_BITS:
        return [_sixteen_bits(seen, bits)]
    is_structural = common_share(seen.found, seen.wanted) > _COMMON
    if reference.within > 0 and reference.within / 6 <= seen.loss <= reference.within and not is_structural:
        return [_within(seen)]
    if not same_model(seen.found, seen.wanted) or bits < _NOTHING_LEFT:
        return [_another(seen) if seen.knows_ways else _unlike(seen)]
    side = _one_side(seen)
    if side:
        return [side]
    if not seen.knows_ways:
        return [_unlike(seen)]
    return [_unexplained(seen) if is_structural else _quantised(seen, ruler, bits)]


def common_share(found: Vectors, wanted: Vectors) -> float:
    """Share of what differs that is the same in every text: rounding points another way in each, a fault one way."""
    off = normalised(found).astype(np.float64) - normalised(wanted)
    whole = float((off**2).sum(axis=1).mean())
    return 0.0 if whole == 0 else float((off.mean(axis=0) ** 2).sum()) / whole


def same_model(found: Vectors, wanted: Vectors) -> bool:
    """Whether vectors lie nearer to their own right vector than to other texts' by more than chance (p = 0.001).

    A model that was trained apart, or shuffled, has its own axes: its vectors are as far from the right vector of their
    own text as from any. Few bits, another revision and a fine-tuned copy keep the axes.
    """
    table = centred(found, wanted) @ centred(wanted, wanted).T
    own, n = float(np.trace(table)), len(table)
    generator = np.random.default_rng(0)
    rows = np.arange(n)
    shuffled = [float(table[rows, generator.permutation(n)].sum()) for _ in range(_SHUFFLES)]
    return own > max(shuffled)


def other_size(found: int, wanted: int) -> Finding:
    """Vectors of another size than the reference's."""
    what = f"vectors of {found} dimensions; the model's have {wanted}"
    return Finding(Fault.ANOTHER_MODEL, Confidence.CERTAIN, what, "the size of a vector", _OTHER)


def _within(seen: Difference) -> Finding:
    what = (
        "as near as the reference can tell, whose own weights are in 4 bits: of the numbers (dtype, quantisation) and "
        "of faults smaller than that nothing is said"
    )
    mend = "--reference with the folder of the published checkpoint tells those too"
    return Finding(Fault.DTYPE, Confidence.NOTE, what, str(seen), mend)


def _sixteen_bits(seen: Difference, bits: float) -> Finding:
    named = "float16, or steelyard's int16," if bits >= _FLOAT16 else "bfloat16"
    what = f"the numbers differ as {named} makes them ({bits:.1f} bits)"
    return Finding(Fault.DTYPE, Confidence.NOTE, what, str(seen), "Serve float32 if you must have the same numbers")


def _one_side(seen: Difference) -> Finding | None:
    better, worse = sorted((seen.query, seen.document))
    if worse < 0.02 or worse < _ONE_SIDE * better:
        return None
    side = "queries" if worse == seen.query else "documents"
    what = f"{side} get another template or instruction than the recipe's; the other side is right"
    return Finding(Fault.TEMPLATE_WRONG, Confidence.LIKELY, what, str(seen), f"Compare what is put on {side}")


def _quantised(seen: Difference, ruler: Ruler, bits: float) -> Finding:
    whose = "this model" if ruler.measured else "models that were measured"
    evidence = f"{seen}; weights of about {bits:.1f} bits lose so much in {whose}"
    if bits >= _QUANTISED:
        what = "the vectors are this model's with the loss of 8-bit weights, or of a rough 16-bit path"
        mend = "Look at the server's --quantization and --dtype; the cost below says whether it matters"
        return Finding(Fault.QUANTISED, Confidence.POSSIBLE, what, evidence, mend)
    what = (
        f"the vectors are this model's with the loss of weights in about {bits:.0f} bits (int8, int4, GGUF Q4); "
        "another revision or a fine-tuned copy may look the same"
    )
    mend = "Serve the checkpoint in 16 bits, or weigh this one as the other system that it is"
    return Finding(Fault.QUANTISED, Confidence.LIKELY, what, evidence, mend)


def _unexplained(seen: Difference) -> Finding:
    """Where it shows, and that it is no rounding."""
    share = common_share(seen.found, seen.wanted)
    what = say("doctor_exact.unexplained", where=_where(seen))
    told = say("doctor_exact.unexplained_seen", seen=str(seen), share=f"{share:.0%}", rounding=f"{_COMMON:.0%}")
    return Finding(Fault.UNEXPLAINED, Confidence.LIKELY, what, told, say("doctor_exact.unexplained_mend"))


def _where(seen: Difference) -> Said:
    """The group of texts that carries nine tenths of the loss; else everywhere."""
    lost = 1 - centred_cosines(seen.found, seen.wanted)
    texts = (*QUERIES, *DOCUMENTS)
    long = float(np.median([len(t) for t in texts]))
    groups = {
        "in_zh": [not t.isascii() for t in texts],
        "in_en": [t.isascii() for t in texts],
        "in_queries": [i < len(QUERIES) for i in range(len(texts))],
        "in_documents": [i >= len(QUERIES) for i in range(len(texts))],
        "in_long": [len(t) > long for t in texts],
        "in_short": [len(t) <= long for t in texts],
    }
    whole = float(lost.sum()) or 1.0
    key = next((k for k, g in groups.items() if float(lost[np.array(g)].sum()) > 0.9 * whole), "everywhere")
    return say(f"doctor_exact.{key}")


def _another(seen: Difference) -> Finding:
    what = (
        "the vectors are not this model's under any known fault: another model or set of weights, or so few bits that "
        "nothing is left of it"
    )
    evidence = f"{seen}; no nearer to the right vectors of their own texts than few bits or chance would bring them"
    return Finding(Fault.ANOTHER_MODEL, Confidence.LIKELY, what, evidence, _OTHER)


def _unlike(seen: Difference) -> Finding:
    """All that a golden file can say which was recorded from a server, and knows no other ways of running."""
    what = "the vectors are not those that were recorded, and no wrong template explains them"
    mend = (
        "Look at pooling, closing token, quantisation and revision; a reference with weights (--reference FOLDER, or a "
        "golden file recorded from one) names the cause"
    )
    return Finding(Fault.UNLIKE_REFERENCE, Confidence.LIKELY, what, str(seen), mend)
