"""The wrong recipes: for each known fault, the texts that the model would read and the way it would be run.

Which of them reproduces a target's vectors names its fault.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from steelyard.doctor.finding import Fault
from steelyard.doctor.local import RIGHT, Way
from steelyard.doctor.near import CHANGES_OF_TEXT, near
from steelyard.doctor.probes import DOCUMENTS, QUERIES
from steelyard.doctor.simulated import PART, simulated
from steelyard.doctor.target import Templates
from steelyard.models.recipe import Pooling, Recipe
from steelyard.wording import say

Write = Callable[[str], str]
_POOLINGS: dict[Pooling, str] = {
    "cls": "the first token's state",
    "mean": "the mean of all tokens",
    "last": "the last token's state",
}
_SERVER_ADDS = "Switch the server's own prompt or template off, or send bare texts and let it alone put them on"


@dataclass(frozen=True, slots=True)
class RunVariant:
    """One way for a target to be.

    Attributes:
        fault: None for the recipe itself.
        what: the fault in plain words.
        mend: what to do about it.
        queries: texts as the model would read them.
        documents: the same.
        way: how they would become vectors.
        is_part: whether it is run for the places :data:`steelyard.doctor.simulated.PART` alone.
    """

    fault: Fault | None
    what: str
    mend: str
    queries: tuple[str, ...]
    documents: tuple[str, ...]
    way: Way = RIGHT
    is_part: bool = False

    @property
    def texts(self) -> tuple[str, ...]:
        """What is read, queries first; a part of it where only a part is run."""
        both = (self.queries, self.documents)
        return tuple(some[i] for some in both for i in (PART if self.is_part else range(len(some))))


def hypotheses(recipe: Recipe, templates: Templates) -> tuple[RunVariant, ...]:
    """The recipe first, then every fault that can be told from it by the texts read or the way of running.

    Args:
        recipe: an embedding recipe.
        templates: who puts the templates on; a server that gets them from its client cannot leave them out.
    """
    right = _made(recipe, None, "as the recipe says", "", recipe.render_query, recipe.render_document)
    found, seen = [right], {(right.queries, right.documents, right.way)}
    wrong = [*_ways(recipe, right), *_doubled(recipe, templates)]
    if templates == "server":
        wrong += _written_wrong(recipe)
    for one in wrong:
        key = (one.queries, one.documents, one.way)
        if key not in seen:
            seen.add(key)
            found.append(one)
    return tuple(found)


def simulations(recipe: Recipe, templates: Templates) -> tuple[RunVariant, ...]:
    """The ways inside a trunk, and templates and texts that are nearly right; all of them for a part of the texts."""
    right = _made(recipe, None, "as the recipe says", "", recipe.render_query, recipe.render_document)
    found = []
    for name, way in simulated(recipe).items():
        pooled = way.fault is Fault.POOLING
        fix = say("doctor_ways.fix_pooling", pooling=recipe.pooling) if pooled else say("doctor_ways.fix")
        texts, how = (right.queries, right.documents), Way(simulated=name)
        found.append(RunVariant(way.fault, say(f"doctor_ways.{name}"), fix, *texts, how, is_part=True))
    for name, queries, documents in near(recipe):
        what = say("doctor_ways.near_template", said=say(f"doctor_near.{name}"))
        fix = say("doctor_ways.near_fix")
        fault = Fault.TEXT_CHANGED if name in CHANGES_OF_TEXT else Fault.TEMPLATE_WRONG
        found.append(RunVariant(fault, what, fix, queries, documents, is_part=True))
    return tuple(found)


def _ways(recipe: Recipe, right: RunVariant) -> Iterator[RunVariant]:
    for pooling, words in _POOLINGS.items():
        if pooling != recipe.pooling:
            what = f"wrong pooling: it takes {words}, the recipe {_POOLINGS.get(recipe.pooling, recipe.pooling)}"
            mend = f"Set the pooling to {recipe.pooling!r} (SGLang and vLLM read 1_Pooling/config.json; TEI: --pooling)"
            yield RunVariant(Fault.POOLING, what, mend, right.queries, right.documents, Way(pooling=pooling))
    named = "end token (EOS)" if recipe.architecture == "qwen3" else "closing token (SEP or </s>)"
    missing, doubled = Fault.END_MISSING, Fault.END_DOUBLED
    mend = "Use the tokenizer.json of the publisher: its post-processor appends the token, once"
    texts = (right.queries, right.documents)
    yield RunVariant(missing, f"the {named} is missing behind every text", mend, *texts, Way(end="missing"))
    if recipe.architecture != "qwen3":
        yield RunVariant(missing, "the special tokens around every text are missing", mend, *texts, Way(end="bare"))
    mend = "Let the tokenizer or the client append the token, not both; drop it from the template"
    yield RunVariant(doubled, f"the {named} stands twice behind every text", mend, *texts, Way(end="doubled"))


def _doubled(recipe: Recipe, templates: Templates) -> Iterator[RunVariant]:
    query, document = recipe.render_query, recipe.render_document
    instructed = "{instruction}" in recipe.query_template
    fault = Fault.INSTRUCTION_DOUBLED if instructed else Fault.TEMPLATE_DOUBLED
    noun = "instruction" if instructed else "template"
    if templates == "server":
        mend = "The prompt stands in the model's files and in the server's settings: drop one of them"
        yield _made(recipe, fault, f"the {noun} stands twice", mend, lambda t: query(query(t)), _twice(document))
        return
    what = f"the server puts the {noun} on again, which the client has put on"
    yield _made(recipe, fault, what, _SERVER_ADDS, _twice(query), _twice(document))
    what = f"the server puts the {noun} of queries on every text, over the client's"
    yield _made(recipe, fault, what, _SERVER_ADDS, _twice(query), lambda t: query(document(t)))
    what = "the server puts the template of documents on every text, over the client's"
    mend = _SERVER_ADDS
    yield _made(recipe, Fault.TEMPLATE_DOUBLED, what, mend, lambda t: document(query(t)), _twice(document))


def _written_wrong(recipe: Recipe) -> Iterator[RunVariant]:
    query, document = recipe.render_query, recipe.render_document
    missing, wrong = Fault.TEMPLATE_MISSING, Fault.TEMPLATE_WRONG
    instructed = "{instruction}" in recipe.query_template
    if instructed:
        mend = f"Put {recipe.query_template!r} on queries, with {recipe.instruction!r}"
        fault, what = Fault.INSTRUCTION_MISSING, "queries are embedded without their instruction"
        yield _made(recipe, fault, what, mend, lambda t: recipe.render_query(t, ""), document)
        yield _made(recipe, fault, what, mend, _bare, document)
    mend = f"Put {recipe.query_template!r} on queries and {recipe.document_template!r} on documents"
    yield _made(recipe, missing, "neither queries nor documents get their template", mend, _bare, _bare)
    yield _made(recipe, missing, "queries do not get their template", mend, _bare, document)
    yield _made(recipe, missing, "documents do not get their template", mend, query, _bare)
    yield _made(recipe, wrong, "documents get the template of queries", mend, query, query)
    yield _made(recipe, wrong, "queries get the template of documents", mend, document, document)
    yield _made(recipe, wrong, "the templates of queries and documents are swapped", mend, document, query)


def _made(
    recipe: Recipe, fault: Fault | None, what: str, mend: str, query: Write, document: Write
) -> RunVariant:  # fmt: skip
    return RunVariant(fault, what, mend, tuple(map(query, QUERIES)), tuple(map(document, DOCUMENTS)))


def _twice(write: Write) -> Write:
    return lambda text: write(write(text))


def _bare(text: str) -> str:
    return text
