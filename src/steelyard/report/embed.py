"""What goes inline into the page: JSON that cannot end its script element, and the lost queries for the list."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from steelyard.report.content import Report
from steelyard.report.lost import Loss, texts_of
from steelyard.wording.numbers import amount
from steelyard.wording.words import Wording

_UNSAFE = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}


def safe_json(value: object) -> str:
    """JSON for a script element: no character in it can end the element or open another."""
    text = orjson.dumps(_printable(value)).decode()
    for character, escape in _UNSAFE.items():
        text = text.replace(character, escape)
    return text


def lost_data(report: Report, w: Wording) -> dict[str, Any]:
    """The lost queries for the page's script: every text once, everything else by its place.

    ``queries``: ``[text, category, [right documents], [[system, kind, rank or 0, [documents], value as text]]]``.
    """
    shown = report.lost.shown
    documents = tuple(dict.fromkeys(d for lost in shown for d in texts_of(lost)))
    place = {d: i for i, d in enumerate(documents)}
    systems = {name: i for i, name in enumerate(report.systems)}
    queries: list[list[object]] = [
        [
            lost.query.text,
            lost.query.category or "",
            [place[d] for d in lost.query.relevant if d in place],
            [
                [systems[x.system], x.winner, x.rank or 0, [place[d] for d in x.hits], value_of(report, x)]
                for x in lost.losses
            ],
        ]
        for lost in shown
    ]
    categories = {lost.query.category for lost in shown if lost.query.category}
    kinds = [k for k in report.kinds if k != "positive"]
    return {
        "systems": report.systems,
        "documents": [report.result.documents.get(d, "") for d in documents],
        "queries": queries,
        "kept": report.lost.kept,
        "measure": w.measure(report.lost.measure),
        "categories": {c: w.name("category", c) for c in sorted(categories)},
        "kinds": {k: w.name("kind", k) for k in kinds},
        "words": {key.removeprefix("lost."): text for key, text in w.words.items() if key.startswith("lost.")},
    }


def value_of(report: Report, loss: Loss) -> str:
    """The judged measure of a lost query; empty where it can only be right or wrong."""
    return amount(loss.value, points=report.points) if report.lost.graded else ""


def _printable(value: object) -> object:
    """Lone surrogates, which JSON in UTF-8 cannot carry, become question marks."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, Mapping):
        return {_printable(k): _printable(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_printable(v) for v in value]
    return value
