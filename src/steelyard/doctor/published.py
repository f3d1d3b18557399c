"""Published figures: similarities and scores that model cards print for example texts, which need no weights."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from steelyard.doctor.case import Case, Outcome
from steelyard.doctor.finding import Confidence, Fault, Finding
from steelyard.doctor.local import Reference
from steelyard.doctor.target import Templates
from steelyard.engines.vectors import normalised
from steelyard.models.recipe import Example, Recipe
from steelyard.types import Role, Vectors
from steelyard.wording import say

Figures = NDArray[np.float64]
"""float64[queries, documents]"""
Texts = tuple[list[str], list[str]]
"""Queries and documents."""
_LIKELY = 2.0
"""Times what 16-bit numbers make from which a difference is likely a fault; up to it are 8-bit weights."""
_SMALL = 4.0
"""Times up to which one closing token, or weights in 5 or 6 bits, would make it in the models that were measured."""
_NAMES = (
    "Look at these in the server's settings and files; --reference with the publisher's folder, or a golden file "
    "recorded from it, names the cause"
)
_QWEN_END = (151643, "<|endoftext|>")
_CLEAR = 3.0
"""Times by which a fault that is named must bring the figures nearer."""


@dataclass(frozen=True, slots=True)
class Distance:
    """How far figures are from the published ones.

    Attributes:
        off: the largest difference.
        within: up to which it says nothing.
        count: figures that were compared.
        source: where they were published.
    """

    off: float
    within: float
    count: int
    source: str

    @property
    def share(self) -> float:
        """Of what is allowed; 1 and below agree."""
        return self.off / self.within

    def __str__(self) -> str:
        said = f"{self.count} figures, off by up to {self.off:.4f}; 16-bit numbers may make {self.within:g}"
        return f"{said} ({self.source})"


def farthest(examples: Sequence[Example], figures: Iterable[Figures]) -> Distance:
    """The example whose figures are farthest off for what it allows."""
    found = []
    for one, seen in zip(examples, figures, strict=True):
        wanted = np.array(one.figures)
        found.append(Distance(float(np.abs(seen - wanted).max()), one.within, wanted.size, one.source))
    return max(found, key=lambda d: d.share)


def check_published(case: Case) -> Outcome:
    """:func:`published_findings`, which cover a family only where the target's own figures come out."""
    found = published_findings(case)
    note = next((f for f in found if f.fault is Fault.AS_PUBLISHED), None)
    within = min((e.within for e in case.recipe.examples), default=0.0)
    return Outcome(tuple(found), say("doctor_resolution.published", off=within) if note else "")


def published_findings(case: Case) -> list[Finding]:
    """Whether the published similarities come out; of the reference where one can say, which is what else is trusted.

    Nothing is found for a recipe that has none, or none that the target can be asked.
    """
    examples = askable(case.recipe, case.target.templates)
    if not examples:
        return []
    known = None if case.reference is None else _known(case.reference, case.recipe, examples)
    if known is not None:
        return of_the_reference(known)
    own = farthest(examples, (_asked(case, _sent(case, e)) for e in examples))
    if own.share <= 1:
        return [as_published(own, _moved(case.recipe, examples))]
    undone = (_undone(case, examples, own, way) for way in _ways(case))
    return [next((found for found in undone if found is not None), None) or unlike_published(own)]


def askable(recipe: Recipe, templates: Templates) -> list[Example]:
    """The examples that a target can be asked: one that puts its own instruction on cannot be given another."""
    return [e for e in recipe.examples if templates == "client" or e.instruction is None]


def as_published(own: Distance, moved: str) -> Finding:
    """The note that the figures come out, and what would have moved them."""
    what = f"the published figures come out: {moved} would have moved them further in every model that was tried"
    return Finding(Fault.AS_PUBLISHED, Confidence.NOTE, what, str(own))


def unlike_published(own: Distance, causes: str = "") -> Finding:
    """Figures that do not come out.

    Args:
        own: how far they are off.
        causes: what may move them so far; empty for what was seen to do so in embedding models.
    """
    sure = Confidence.LIKELY if own.share > _LIKELY else Confidence.POSSIBLE
    what = f"the published figures do not come out: {causes or _causes(own)}"
    return Finding(Fault.UNLIKE_PUBLISHED, sure, what, str(own), _NAMES)


def of_the_reference(own: Distance) -> list[Finding]:
    """What is wrong with a reference that does not give the published figures itself."""
    if own.share <= 1:
        return []
    sure = Confidence.LIKELY if own.share > _LIKELY else Confidence.POSSIBLE
    what = "the reference itself does not give the published figures, so what agrees with it proves little"
    mend = "Take the publisher's checkpoint: this one may be packed again, quantised, tuned or another revision"
    return [Finding(Fault.UNLIKE_PUBLISHED, sure, what, str(own), mend)]


def named(found: Finding, own: Distance, undone: Distance) -> Finding | None:
    """A fault with its sureness and evidence, where undoing it in what is sent brings the published figures."""
    if undone.share > 1 or own.share < _CLEAR * undone.share:
        return None
    sure = Confidence.CERTAIN if own.share >= _CLEAR else Confidence.LIKELY
    seen = f"sent so as to undo it, the published figures come out (off by {undone.off:.4f}; as it is: {own.off:.4f})"
    return replace(found, sure=sure, evidence=seen)


@dataclass(frozen=True, slots=True)
class _Way:
    """Requests that undo a fault; ``swapped`` asks for queries as documents and the other way round."""

    finding: Finding
    write: Callable[[Example], Texts]
    swapped: bool = False


def _ways(case: Case) -> Iterator[_Way]:
    """The faults that what is sent can undo; pooling and weights it cannot."""
    recipe, sure = case.recipe, Confidence.CERTAIN
    instructed = "{instruction}" in recipe.query_template
    written = recipe.query_template != "{text}" or recipe.document_template != "{text}"
    noun = "instruction" if instructed else "template"
    if written and case.target.templates == "client":
        fault = Fault.INSTRUCTION_DOUBLED if instructed else Fault.TEMPLATE_DOUBLED
        what = f"the server puts the {noun} on again, which the client has put on"
        mend = "Switch the server's own prompt off, or send bare texts and let it alone put them on"
        yield _Way(Finding(fault, sure, what, "", mend), _bare)
    if written and case.target.templates == "server":
        fault = Fault.INSTRUCTION_MISSING if instructed else Fault.TEMPLATE_MISSING
        mend = f"Put {recipe.query_template!r} on queries and {recipe.document_template!r} on documents"
        yield _Way(Finding(fault, sure, f"the server leaves the {noun} out", "", mend), lambda e: _rendered(recipe, e))
        what = "the templates of queries and documents are swapped"
        yield _Way(Finding(Fault.TEMPLATE_WRONG, sure, what, "", mend), _bare, swapped=True)
    if recipe.eos_id == _QWEN_END[0]:
        what, mend = "the end token (EOS) is missing behind every text", "Use the tokenizer.json of the publisher"
        yield _Way(Finding(Fault.END_MISSING, sure, what, "", mend), lambda e: _ended(_sent(case, e)))


def _undone(case: Case, examples: Sequence[Example], own: Distance, way: _Way) -> Finding | None:
    other = farthest(examples, (_asked(case, way.write(e), swapped=way.swapped) for e in examples))
    return named(way.finding, own, other)


def _sent(case: Case, example: Example) -> Texts:
    return _bare(example) if case.target.templates == "server" else _rendered(case.recipe, example)


def _bare(example: Example) -> Texts:
    return list(example.queries), list(example.documents)


def _rendered(recipe: Recipe, example: Example) -> Texts:
    queries = [recipe.render_query(q, example.instruction) for q in example.queries]
    return queries, [recipe.render_document(d) for d in example.documents]


def _ended(texts: Texts) -> Texts:
    queries, documents = texts
    return [q + _QWEN_END[1] for q in queries], [d + _QWEN_END[1] for d in documents]


def _asked(case: Case, texts: Texts, *, swapped: bool = False) -> Figures:
    roles = (Role.DOCUMENT, Role.QUERY) if swapped else (Role.QUERY, Role.DOCUMENT)
    queries, documents = (case.target.embed(t, r).vectors for t, r in zip(texts, roles, strict=True))
    return _cosines(queries, documents)


def _known(reference: Reference, recipe: Recipe, examples: Sequence[Example]) -> Distance | None:
    """How far the reference itself is off; None where it knows other texts only, as golden files do."""
    figures = []
    for one in examples:
        queries, documents = map(reference.vectors, _rendered(recipe, one))
        if queries is None or documents is None:
            return None
        figures.append(_cosines(queries, documents))
    return farthest(examples, figures)


def _cosines(queries: Vectors, documents: Vectors) -> Figures:
    found: Figures = normalised(queries).astype(np.float64) @ normalised(documents).astype(np.float64).T
    return found


def _moved(recipe: Recipe, examples: Sequence[Example]) -> str:
    """What was seen to move figures by more than is allowed; templates only where the examples have them on."""
    bare = recipe.query_template == recipe.document_template or all(e.instruction == "" for e in examples)
    templates = "" if bare else "templates and instructions left out, doubled or swapped, "
    return f"wrong pooling, closing tokens missing or doubled, {templates}4-bit weights and another model"


def _causes(own: Distance) -> str:
    if own.share <= _LIKELY:
        return "8-bit weights, or a rough 16-bit path, were seen to move them so far, and small faults may"
    if own.share <= _SMALL:
        return "a closing token missing or doubled, a wrong template, or weights in 5 or 6 bits were seen to"
    return "wrong pooling, a closing token, a template, another model or revision, or weights in 4 bits were seen to"
