"""Several stored results made one, so that their systems can be judged side by side."""

from __future__ import annotations

from collections.abc import Sequence

from steelyard.bench.evaluation.result import Result, SystemRecord
from steelyard.errors import ResultError


def join(results: Sequence[Result], origins: Sequence[str]) -> Result:
    """One result with the systems of all.

    The queries and measures kept are those that all have, in the order of the first. A system that stands in several
    results is named with its file's number, as in ``bm25 (2)``.

    Args:
        results: at least one.
        origins: what to call each in an error.

    Raises:
        ResultError: the results were made on different texts, or share no query or measure.
    """
    first = results[0]
    for other, origin in zip(results[1:], origins[1:], strict=True):
        _check(first, other, origins[0], origin)
    shared = [q.id for q in first.queries if all(q.id in {r.id for r in o.queries} for o in results[1:])]
    measures = tuple(m for m in first.measures if all(m in o.measures for o in results[1:]))
    if not shared or not measures:
        raise ResultError(f"{', '.join(origins)} share no {'measure' if shared else 'query'}: nothing to compare")
    taken: dict[str, int] = {}
    systems = []
    for number, result in enumerate(results, 1):
        for system in result.systems:
            repeated = system.name in taken
            taken.setdefault(system.name, number)
            name = f"{system.name} ({number})" if repeated else system.name
            systems.append(_pick(system, name, [q.id for q in result.queries], shared))
    queries = tuple(q for q in first.queries if q.id in set(shared))
    documents = {i: text for r in reversed(results) for i, text in r.documents.items()}
    complete = all(r.complete for r in results)
    return first.model_copy(
        update={
            "queries": queries, "measures": measures, "systems": tuple(systems),
            "documents": documents, "complete": complete,
        }
    )  # fmt: skip


def _check(first: Result, other: Result, origin: str, other_origin: str) -> None:
    if first.suite.checksum != other.suite.checksum:
        raise ResultError(
            f"{origin} was made on {first.suite.name} ({first.suite.checksum[:12]}) and {other_origin} on "
            f"{other.suite.name} ({other.suite.checksum[:12]}): figures on different texts cannot be compared. "
            "Weigh both sets of systems on the same suite"
        )


def _pick(system: SystemRecord, name: str, own: Sequence[str], shared: Sequence[str]) -> SystemRecord:
    place = {q: i for i, q in enumerate(own)}
    rows = [place[q] for q in shared]
    values = {m: tuple(v[i] for i in rows) for m, v in system.values.items()}
    winners = tuple(system.winners[i] for i in rows) if system.winners else ()
    top = tuple(system.top[i] for i in rows) if system.top else ()
    return system.model_copy(update={"name": name, "values": values, "winners": winners, "top": top})
