"""Texts that are so long that a run would seem to hang: told before it begins, and bounded unless the user chose."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

from steelyard.errors import SuiteError
from steelyard.suites.suite import Suite
from steelyard.types import Document, Query

BOUND = 100_000
"""Characters of a text that is embedded without asking: about a minute for a small model on two cores."""

Text = TypeVar("Text", Query, Document)


def bounded(suite: Suite, longest: int | None = None) -> Suite:
    """The suite with no text longer than the bound.

    Args:
        suite: whose queries and documents are looked at.
        longest: characters that are kept of each text; 0 keeps all; None refuses texts over :data:`BOUND`.

    Raises:
        SuiteError: a text is over the bound and the user has not chosen.
    """
    limit = BOUND if longest is None else longest
    texts: list[Query | Document] = [*suite.queries, *suite.documents]
    over = [t for t in texts if len(t.text) > limit] if limit else []
    if not over:
        return suite
    if longest is None:
        worst = max(over, key=lambda t: len(t.text))
        raise SuiteError(
            f"{suite.name}: {len(over)} texts have more than {limit:,} characters (the longest: {worst.id!r}, "
            f"{len(worst.text):,}), and a model would take minutes for each. Choose: --longest {limit} keeps so many "
            "characters of each text, --longest 0 reads them whole; or split them into documents of their own"
        )
    note = f"{len(over)} texts were cut to {limit:,} characters, as --longest says"
    card = replace(suite.card, notes=(*suite.card.notes, note))
    return replace(suite, queries=_cut(suite.queries, limit), documents=_cut(suite.documents, limit), card=card)


def _cut(texts: tuple[Text, ...], limit: int) -> tuple[Text, ...]:
    return tuple(replace(t, text=t.text[:limit]) if len(t.text) > limit else t for t in texts)
