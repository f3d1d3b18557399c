"""Whether judgements, queries and documents belong together, or nothing could be found whatever a system does."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

_PARTS = re.compile(r"0*(?P<digits>[0-9]+)(?:\.0+)?\Z")


def unjoined(
    queries: Iterable[str], documents: Iterable[str], judgements: Mapping[str, Mapping[str, int]]
) -> tuple[str, ...]:
    """Why no query can be answered, in one sentence; empty where at least one can.

    Args:
        queries: the ids that there are.
        documents: likewise.
        judgements: query id -> document id -> grade.
    """
    asked, kept = dict.fromkeys(queries), dict.fromkeys(documents)
    judged = dict.fromkeys(d for grades in judgements.values() for d in grades)
    apart = [
        _apart(what, named, there)
        for what, named, there in (("query", judgements, asked), ("document", judged, kept))
        if not any(key in there for key in named)
    ]
    if apart:
        return tuple(apart)
    grades = [(q, d, g) for q, row in judgements.items() for d, g in row.items()]
    relevant = [(q, d) for q, d, g in grades if g > 0]
    if not relevant:
        return (
            f"none of the {len(grades):,} judgements has a grade of 1 or more, so no query has a right answer; if the "
            "grades stand in another column: --map grade=COLUMN",
        )
    if any(q in asked and d in kept for q, d in relevant):
        return ()
    query, document = relevant[0]
    return (
        f"no query has a relevant document among the documents: query {query!r} is answered by {document!r}, "
        f"and there is {next(iter(kept))!r}",
    )


def _apart(what: str, named: Iterable[str], there: Iterable[str]) -> str:
    """Two ids side by side, the most alike that are easily found."""
    by_digits = {_digits(key): key for key in there}
    ours = next((key for key in named if _digits(key) in by_digits), next(iter(named)))
    theirs = by_digits.get(_digits(ours), next(iter(there)))
    return (
        f"no judgement is of a {what} that there is: the judgements name {what} {ours!r}, the {what} file has "
        f"{theirs!r}; both must be the same text, character for character"
    )


def _digits(key: str) -> str:
    """The number at the end of an id without leading zeros and ``.0``; the id where there is none."""
    found = _PARTS.search(key.strip())
    return found["digits"] if found else key.strip().casefold()
