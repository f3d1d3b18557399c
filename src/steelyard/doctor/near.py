"""Texts as a target may read them that is nearly right: templates a few letters off, and spoilt encodings."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from steelyard.doctor.probes import DOCUMENTS, QUERIES
from steelyard.models.recipe import Recipe

Write = Callable[[str], str]
CHANGES_OF_TEXT = frozenset({"mojibake", "ascii", "quoted", "behind", "markers"})
"""Those that are no matter of the template."""


def near(recipe: Recipe) -> Iterator[tuple[str, tuple[str, ...], tuple[str, ...]]]:
    """(key of section ``doctor_near``, queries, documents) as they would be read."""
    query, document = recipe.render_query, recipe.render_document
    for name, change in _OF_WHOLE:
        yield name, tuple(change(query(t)) for t in QUERIES), tuple(change(document(t)) for t in DOCUMENTS)
    if query("") == document("") == "":
        return
    for name, change in _OF_TEMPLATES:
        new = [change(query("")), change(document(""))]
        if new != [query(""), document("")]:
            yield name, tuple(new[0] + t for t in QUERIES), tuple(new[1] + t for t in DOCUMENTS)


def _mojibake(text: str) -> str:
    return text.encode().decode("latin-1")


def _ascii(text: str) -> str:
    return text.encode("ascii", "replace").decode()


_OF_WHOLE: tuple[tuple[str, Write], ...] = (
    ("mojibake", _mojibake),
    ("ascii", _ascii),
    ("quoted", lambda t: f'"{t}"'),
    ("behind", lambda t: f"{t}\n"),
    ("behind", lambda t: f"{t} "),
    ("behind", lambda t: f"{t}."),
    ("before", lambda t: f"\n{t}"),
    ("before", lambda t: f" {t}"),
    ("markers", lambda t: f"<s>{t}</s>"),
    ("markers", lambda t: f"[CLS] {t} [SEP]"),
)
_OF_TEMPLATES: tuple[tuple[str, Write], ...] = (
    ("no_space", str.rstrip),
    ("space", lambda t: f"{t} "),
    ("newline", lambda t: f"{t.rstrip()}\n"),
    ("small", str.upper),
    ("large", str.title),
    ("full_width", lambda t: t.replace(": ", "：").replace(":", "：")),
    ("search", lambda t: t.replace("query", "search_query").replace("passage", "search_document")),
)
