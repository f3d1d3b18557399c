"""Which templates a server puts on, told by the tokens that it counts and by vectors that should differ.

A server that leaves its templates out, or puts one and the same on everything, embeds a text alike on both sides.
"""

from __future__ import annotations

import numpy as np

from steelyard.doctor.case import Case
from steelyard.doctor.finding import Confidence, Fault, Finding
from steelyard.doctor.probes import DOCUMENTS
from steelyard.models.recipe import Recipe
from steelyard.types import Role, Vectors

_TEXTS = DOCUMENTS[:4]
_SAME = 1e-6
"""Largest difference of two unit vectors of one and the same text on one and the same server."""


def check_token_count(case: Case) -> list[Finding]:
    """Whether the tokens that the target says it read of one letter are those of the letter and its wrapping."""
    if case.target.templates == "server":
        return _own_templates(case)
    wanted = _wrapped(case.recipe)
    read = case.target.embed(["a"], Role.DOCUMENT).tokens
    if read is None or read == wanted or _takes_apart(case, read):
        return []
    seen = f"it read {read} tokens of 'a', where {wanted} were expected"
    if read < wanted:
        what = "tokens that should close or open every text seem to be missing"
        return [Finding(Fault.END_MISSING, Confidence.POSSIBLE, what, seen, "Use the publisher's tokenizer.json")]
    if read == wanted + 1:
        what = "one token too many: the end token may stand twice"
        return [Finding(Fault.END_DOUBLED, Confidence.POSSIBLE, what, seen, "Let only the tokenizer append it")]
    what = "the server seems to put a template of its own on every text, over the client's"
    mend = "Switch the server's prompt off, or send bare texts (--templates server)"
    return [Finding(Fault.TEMPLATE_DOUBLED, Confidence.LIKELY, what, seen, mend)]


def check_sides(case: Case) -> list[Finding]:
    """Whether a server that is told the side of a text embeds queries and documents differently, as the recipe does."""
    recipe = case.recipe
    if case.target.templates != "server" or not _sides_differ(recipe):
        return []
    query, document = (case.embed(_TEXTS, role) for role in (Role.QUERY, Role.DOCUMENT))
    if not _same(query, document):
        return []
    fault = Fault.INSTRUCTION_MISSING if recipe.instruction else Fault.TEMPLATE_MISSING
    what = "queries and documents are embedded alike: the server leaves the templates out, or ignores the input_type"
    seen = "the same text has one and the same vector as a query and as a document"
    return [Finding(fault, Confidence.CERTAIN, what, seen, _written(recipe))]


def check_silent_side(case: Case) -> list[Finding]:
    """Whether a text of which the request does not say the side is taken for a query.

    Clients of OpenAI's API do not say it; what they store is then embedded with the template of queries.
    """
    if not _sides_differ(case.recipe):
        return []
    silent = case.target.embed(_TEXTS, None).vectors
    document, query = case.embed(_TEXTS, Role.DOCUMENT), case.embed(_TEXTS, Role.QUERY)
    if _same(silent, document) or not _same(silent, query):
        return []
    what = "a text of which the request says no side gets the template of queries, so documents are stored as queries"
    seen = "without an input_type, texts have the vectors that they have as queries"
    mend = "steelyard serve --default-input-type document; queries then say their side, or ask for MODEL:query"
    return [Finding(Fault.TEMPLATE_WRONG, Confidence.CERTAIN, what, seen, mend)]


def _own_templates(case: Case) -> list[Finding]:
    """Counts of a letter alone and with the template written out tell how often the server puts it on."""
    for role, plural in ((Role.QUERY, "queries"), (Role.DOCUMENT, "documents")):
        written = _render(case.recipe, "a", role)
        alone, with_one = (case.target.embed([t], role).tokens for t in ("a", written))
        if written == "a" or alone is None or with_one is None:
            continue
        size, added = with_one - alone, alone - _wrapped(case.recipe)
        if size <= 1 or added == size or 0 < added < size:  # also where it takes a written template for its own
            continue
        seen = f"it read {alone} tokens of 'a' and {with_one} of {written!r}"
        found = _counted(case.recipe, role, added / size)
        if found is not None:
            fault, what = found
            return [Finding(fault, Confidence.LIKELY, what.format(plural=plural), seen, _written(case.recipe))]
    return []


def _counted(recipe: Recipe, role: Role, times: float) -> tuple[Fault, str] | None:
    instructed = role is Role.QUERY and recipe.instruction is not None
    if times <= 0:
        fault = Fault.INSTRUCTION_MISSING if instructed else Fault.TEMPLATE_MISSING
        return fault, "the server puts no template on {plural}"
    if times > 1.8:
        fault = Fault.INSTRUCTION_DOUBLED if instructed else Fault.TEMPLATE_DOUBLED
        return fault, f"the server puts the template on {{plural}} {times:.0f} times"
    return None


def _takes_apart(case: Case, bare: int) -> bool:
    """Whether the server puts templates on bare texts alone, and leaves those that carry one as they are."""
    written = case.recipe.render_document("a")
    return written != "a" and case.target.embed([written], Role.DOCUMENT).tokens == bare


def _wrapped(recipe: Recipe) -> int:
    """Tokens of one letter with the special tokens around it."""
    return 2 if recipe.architecture == "qwen3" else 3


def _sides_differ(recipe: Recipe) -> bool:
    return recipe.render_query("a") != recipe.render_document("a")


def _render(recipe: Recipe, text: str, role: Role) -> str:
    return recipe.render_query(text) if role is Role.QUERY else recipe.render_document(text)


def _written(recipe: Recipe) -> str:
    query = recipe.query_template.replace("{instruction}", recipe.instruction or "")
    return f"Put {query!r} on queries and {recipe.document_template!r} on documents, once each"


def _same(one: Vectors, other: Vectors) -> bool:
    scale = float(np.abs(other).max()) or 1.0
    return one.shape == other.shape and float(np.abs(one - other).max()) <= _SAME * scale * 10
