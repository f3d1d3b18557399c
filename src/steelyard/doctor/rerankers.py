"""Checks of rerankers: order, batches, which way the scores point, and the prompt that was really read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from steelyard.doctor.cost import check_cost, cost
from steelyard.doctor.families import Coverage, Family
from steelyard.doctor.finding import Confidence, Diagnosis, Fault, Finding, in_order
from steelyard.doctor.probes import DOCUMENTS, PAIRS
from steelyard.doctor.published import Distance, as_published, farthest, named, of_the_reference, unlike_published
from steelyard.doctor.small_suite import Hits
from steelyard.doctor.target import RerankTarget, Templates
from steelyard.doctor.truncation import ROOM, TAIL, Words, end_of_reading, long_text
from steelyard.engines.protocol import Reranker
from steelyard.models.recipe import Example, Recipe
from steelyard.types import Scores
from steelyard.wording import say

_QUERIES = 6
_EQUAL = 0.01
"""Difference of probabilities that other numbers (bf16) make."""
_FLOAT32 = 1e-5
"""Difference of probabilities that fp32 on other machines makes."""
_READ = 1e-5
"""Share of a score by which it must change for the end of a document to count as read."""
_TEMPLATE = (
    "Serve it with the reranker's template: `steelyard launch vllm MODEL` prints the line, and ships the template"
)


class RerankReference(Protocol):
    """Right scores, and those of known wrong ways."""

    @property
    def name(self) -> str:
        """What to call it."""

    def table(self, recipe: Recipe, queries: Sequence[str], documents: Sequence[str]) -> Scores:
        """float32[queries, documents] of the same checkpoint under another recipe."""


class LocalRerankReference:
    """A reranker's checkpoint on this machine, in fp32."""

    def __init__(self, folder: str) -> None:
        self.name = folder
        self._known: dict[str, Scores] = {}

    def table(self, recipe: Recipe, queries: Sequence[str], documents: Sequence[str]) -> Scores:
        """See :class:`RerankReference`; what was asked for before is not run again."""
        key = f"{recipe.model_dump_json()}{queries}{documents}"
        if key not in self._known:
            engine = self.open(recipe)
            self._known[key] = np.stack([engine.score(q, documents) for q in queries])
            engine.close()
        return self._known[key]

    def open(self, recipe: Recipe) -> Reranker:
        """The checkpoint under a recipe."""
        from steelyard.engines.torch.open import reranker_fp32

        sources = recipe.sources.model_copy(update={"folder": self.name})
        return reranker_fp32(recipe.model_copy(update={"sources": sources}))


class FolderReranker:
    """A reranker's folder as a target: run under what the recipe says, with the ids that its own tokenizer has."""

    templates: Templates = "server"

    def __init__(self, folder: str, recipe: Recipe) -> None:
        self.name = folder
        self._engine = LocalRerankReference(folder).open(recipe)

    def rerank(self, query: str, documents: Sequence[str]) -> Scores:
        """See :class:`steelyard.doctor.target.RerankTarget`."""
        return self._engine.score(query, documents)


@dataclass(frozen=True, slots=True)
class RerankCase:
    """A reranking target, what it should be, where right scores come from, and tokens of the longest text sent."""

    target: RerankTarget
    recipe: Recipe
    reference: RerankReference | None = None
    longest: int = 1024

    def score(self, query: str, documents: Sequence[str]) -> Scores:
        """float32[n] as the target gives them, sent as it wants them."""
        if self.target.templates == "server":
            return self.target.rerank(query, documents)
        sent = [self.recipe.render_document(d) for d in documents]
        return self.target.rerank(self.recipe.render_query(query), sent)


def diagnose_reranker(case: RerankCase, before: Sequence[Finding] = ()) -> Diagnosis:
    """Makes every check of a reranking target.

    Raises:
        EndpointError: the target cannot be asked.
    """
    table = _table(case)
    first = _hits(table)
    findings = [*before, *_order(case), *check_document_truncation(case)]
    checks = ["order and batches", "end of long documents"]
    price = None
    if case.recipe.examples:
        findings += check_published_scores(case)
        checks.append("published figures")
    if case.reference is None:
        findings += _points(table)
        checks.append("which way scores point")
    else:
        findings += _exact(case, case.reference, table)
        checks.append("right scores")
        price = cost(first, _hits(_scores(case.reference, case.recipe)))
        findings += check_cost(price)
    skipped = () if case.reference else ("right scores: give --reference with the folder of the same checkpoint",)
    name = case.reference.name if case.reference else ""
    return Diagnosis(
        case.target.name,
        case.recipe.name,
        name,
        in_order(findings),
        tuple(checks),
        _coverage(case, findings),
        skipped,
        float(first.mean()),
        price,
    )


def _coverage(case: RerankCase, findings: Sequence[Finding]) -> tuple[Coverage, ...]:
    """What the checks of a reranker tell; texts that must differ and repeats are not asked of it yet."""
    is_known = case.reference is not None or any(f.fault is Fault.AS_PUBLISHED for f in findings)
    exact, none = say("doctor_resolution.exact", off=_EQUAL), say("doctor_resolution.none")
    found = [Coverage(f, checked=False, detail="") for f in (Family.TEXTS, Family.REPEATS)]
    found += [Coverage(f, is_known, exact if is_known else none) for f in (Family.TEMPLATES, Family.WEIGHTS)]
    lengths = Coverage(Family.LENGTHS, checked=True, detail=say("doctor_resolution.lengths", words=case.longest))
    return (*found, Coverage(Family.BATCHES, checked=True, detail=""), lengths)


def check_published_scores(case: RerankCase) -> list[Finding]:
    """Whether the published scores come out; of the reference where there is one, which is what else is trusted."""
    reference, recipe = case.reference, case.recipe
    if reference is not None:
        return of_the_reference(_published(recipe, lambda q, d: reference.table(recipe, [q], d)[0]))
    own = _published(recipe, case.score)
    if own.share <= 1:
        moved = "a prompt left out, yes and no swapped, a wrong head and another model"
        return [as_published(own, moved)]
    found = [named(f, own, _published(recipe, score)) for f, score in _undoing(case)]
    causes = "the prompt (template), the tokens of yes and no, the head or the weights are not this reranker's"
    return [next((f for f in found if f is not None), None) or unlike_published(own, causes)]


def check_document_truncation(case: RerankCase) -> list[Finding]:
    """Whether a long document whose answer stands at its end is read to the end; see :mod:`.truncation`."""
    query = PAIRS[-1].query

    def reads(words: int) -> bool:
        ends = (DOCUMENTS[-1], DOCUMENTS[-2])
        one, other = (float(case.score(query, [f"{long_text(words - TAIL, 'a')} {end}"])[0]) for end in ends)
        return abs(one - other) > _READ * max(abs(one), abs(other))

    limit = case.recipe.max_tokens or case.longest
    words = min(limit, case.longest) - 4 * ROOM  # the prompt of a reranker is longer than a template
    return end_of_reading(reads, words, Words(limit, "documents", "have the same score"))


def _table(case: RerankCase) -> Scores:
    """float32[queries, documents], each score from a request of its own query."""
    return np.stack([case.score(p.query, DOCUMENTS[:_QUERIES]) for p in PAIRS[:_QUERIES]])


def _order(case: RerankCase) -> list[Finding]:
    query, documents = PAIRS[0].query, [*DOCUMENTS[:_QUERIES], " ".join(DOCUMENTS[8:12])]
    alone = np.array([case.score(query, [d])[0] for d in documents])
    batch, turned = case.score(query, documents), case.score(query, documents[::-1])[::-1]
    worst = float(max(np.abs(batch - alone).max(), np.abs(turned - alone).max()))
    scale = max(1.0, float(np.abs(alone).max()))
    if worst <= 0.02 * scale:
        return []
    seen = f"alone and in a request of {len(documents)}, scores differ by up to {worst:.3f}"
    same = all(np.allclose(np.sort(b), np.sort(alone), atol=0.02 * scale) for b in (batch, turned))
    if same:
        what = "documents get each other's scores: the answer's order or numbering is broken"
        mend = "Number the results by the order of the request's documents"
        return [Finding(Fault.ORDER, Confidence.CERTAIN, what, seen, mend)]
    what = "a document's score depends on what stands beside it: padding is read as text"
    return [Finding(Fault.BATCH, Confidence.CERTAIN, what, seen, "Pass the attention mask; pad at the left for Qwen3")]


def _points(table: Scores) -> list[Finding]:
    own = np.diag(table)
    others = table[~np.eye(len(table), dtype=bool)].reshape(len(table), -1)
    above = float((own > others.max(axis=1)).mean())
    below = float((own < others.min(axis=1)).mean())
    if above >= 0.7:
        return []
    seen = f"the right document scores highest for {above:.0%} of {len(table)} easy queries, lowest for {below:.0%}"
    if below >= 0.7:
        return [_swapped(seen, Confidence.CERTAIN)]
    what = "it cannot rank easy pairs: the prompt (template), the yes and no tokens or the head are wrong"
    return [Finding(Fault.RERANK_TEMPLATE_MISSING, Confidence.LIKELY, what, seen, _TEMPLATE)]


def _exact(case: RerankCase, reference: RerankReference, table: Scores) -> list[Finding]:
    wanted = _scores(reference, case.recipe)
    distance = _distance(table, wanted)
    if distance <= _EQUAL:
        return [] if distance <= _FLOAT32 else [_sixteen_bits(distance)]
    near = [(_distance(table, scores), finding) for scores, finding in _wrong(case, reference, wanted)]
    best, finding = min(near, key=lambda pair: pair[0])
    if best > max(_EQUAL, distance / 3):
        what = "scores are not this reranker's under any known fault: another model, template or set of weights"
        seen = f"scores differ from the reference by {distance:.3f} on the mean"
        return [Finding(Fault.ANOTHER_MODEL, Confidence.LIKELY, what, seen, _TEMPLATE)]
    seen = f"this way the reference gives the target's scores (off by {best:.4f}; run right: {distance:.4f})"
    sure = Confidence.CERTAIN if best <= _EQUAL else Confidence.LIKELY
    return [Finding(finding.fault, sure, finding.what, seen, finding.mend)]


def _published(recipe: Recipe, score: Callable[[str, Sequence[str]], Scores]) -> Distance:
    def figures(example: Example) -> NDArray[np.float64]:
        return np.stack([_probabilities(score(q, example.documents)) for q in example.queries])

    wanted = [e.model_copy(update={"figures": _probabilities(np.array(e.figures)).tolist()}) for e in recipe.examples]
    return farthest(wanted, map(figures, recipe.examples))


def _undoing(case: RerankCase) -> Iterator[tuple[Finding, Callable[[str, Sequence[str]], Scores]]]:
    """Faults, and scores as they would be without each."""
    sure, target, recipe = Confidence.CERTAIN, case.target, case.recipe
    yield _swapped("", sure), lambda q, d: 1 - _probabilities(case.score(q, d)).astype(np.float32)
    if recipe.architecture != "qwen3":
        return
    if case.target.templates == "client":
        yield _twice(), target.rerank
        return
    what = "the prompt is missing: query and document are read as bare text, which this model was not trained on"
    missing = Finding(Fault.RERANK_TEMPLATE_MISSING, sure, what, "", _TEMPLATE)
    yield missing, lambda q, d: target.rerank(recipe.render_query(q), [recipe.render_document(t) for t in d])


def _hits(table: Scores) -> Hits:
    found: Hits = table.argmax(axis=1) == np.arange(len(table))
    return found


def _sixteen_bits(distance: float) -> Finding:
    what = "the scores differ as 16-bit numbers make them"
    seen = f"probabilities differ from the reference by {distance:.1e} on the mean"
    return Finding(Fault.DTYPE, Confidence.NOTE, what, seen, "Serve float32 if you must have the same numbers")


def _wrong(case: RerankCase, reference: RerankReference, wanted: Scores) -> list[tuple[Scores, Finding]]:
    recipe, sure = case.recipe, Confidence.CERTAIN
    found = [(1 - wanted, _swapped("", sure))]
    if recipe.architecture != "qwen3":
        return found
    what = "the prompt is missing: query and document are read as bare text, which this model was not trained on"
    for joint in ("", "\n", " "):
        changes = {"query_template": f"{{text}}{joint}", "document_template": "{text}", "instruction": None}
        scores = _scores(reference, recipe.model_copy(update=changes))
        found.append((scores, Finding(Fault.RERANK_TEMPLATE_MISSING, sure, what, "", _TEMPLATE)))
    bare = recipe.model_copy(update={"query_template": recipe.bare_query_template, "instruction": None})
    what = "the instruction is missing from the prompt"
    found.append((_scores(reference, bare), Finding(Fault.INSTRUCTION_MISSING, sure, what, "", _TEMPLATE)))
    what = "the closing part of the prompt (assistant, empty thinking) is missing"
    unclosed = recipe.model_copy(update={"document_template": "{text}"})
    found.append((_scores(reference, unclosed), Finding(Fault.TEMPLATE_WRONG, sure, what, "", _TEMPLATE)))
    return [*found, _doubled(recipe, reference)]


def _doubled(recipe: Recipe, reference: RerankReference) -> tuple[Scores, Finding]:
    """The prompt of the client inside the prompt of the server."""
    documents = [recipe.render_document(d) for d in DOCUMENTS[:_QUERIES]]
    scores = reference.table(recipe, [recipe.render_query(p.query) for p in PAIRS[:_QUERIES]], documents)
    return scores, _twice()


def _twice() -> Finding:
    what = "the prompt stands twice: the server puts it on again, which the client has put on"
    mend = "Send bare texts (--templates server), or start the server without a template"
    return Finding(Fault.TEMPLATE_DOUBLED, Confidence.CERTAIN, what, "", mend)


def _scores(reference: RerankReference, recipe: Recipe) -> Scores:
    return reference.table(recipe, [p.query for p in PAIRS[:_QUERIES]], DOCUMENTS[:_QUERIES])


def _distance(found: Scores, wanted: Scores) -> float:
    """Mean absolute difference of probabilities."""
    return float(np.abs(_probabilities(found) - wanted).mean())


def _probabilities(scores: Scores | NDArray[np.float64]) -> NDArray[np.float64]:
    """Scores as they are, or of logits, of which some lie outside 0 to 1, the probabilities."""
    exact: NDArray[np.float64] = scores.astype(np.float64)
    return 1 / (1 + np.exp(-exact)) if exact.min() < 0 or exact.max() > 1 else exact


def _swapped(seen: str, sure: Confidence) -> Finding:
    what = "the scores point the wrong way: the tokens of yes and no are swapped"
    mend = 'Order the classifier\'s tokens as no, yes (vLLM: classifier_from_token ["no", "yes"])'
    return Finding(Fault.YES_NO_SWAPPED, sure, what, seen, mend)
