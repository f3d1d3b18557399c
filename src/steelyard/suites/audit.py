"""What looks wrong in a suite but may be meant; a malformed file is an error long before (see :mod:`.load`)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from steelyard.suites.similar import near_duplicates
from steelyard.suites.suite import Suite
from steelyard.types import Document, Query

OVER_LONG = 8_000
"""Characters; models read 512 to 32,768 tokens, and one token is about one to four characters."""
SIMILAR = 0.8
"""Share of character trigrams in common from which an unjudged document is taken for a likely right answer."""
FEW = 20
"""Documents below which a good figure says little."""
_SHOWN = 3
_NULLS = frozenset({"nan", "null", "none", "nil", "n/a", "#n/a", "undefined"})


class Problem(StrEnum):
    """The kinds of findings."""

    DUPLICATE_QUERIES = "queries with the same text"
    DUPLICATE_DOCUMENTS = "documents with the same text"
    UNKNOWN_DOCUMENTS = "judged documents that do not exist"
    UNKNOWN_QUERIES = "judged queries that do not exist"
    UNJUDGED_QUERIES = "queries without a judgement"
    UNANSWERABLE_QUERIES = "queries without a relevant document, which no measure counts"
    EMPTY_TEXTS = "empty texts"
    LONG_TEXTS = f"texts of over {OVER_LONG:,} characters, which most models cut"
    NULL_TEXTS = "texts that are a table's word for nothing (nan, null, #N/A), not a text"
    FALSE_NEGATIVES = "unjudged documents (nearly) identical to a relevant one: likely right answers counted as wrong"


@dataclass(frozen=True, slots=True)
class AuditFinding:
    """One kind of problem and whom it concerns.

    Attributes:
        problem: what it is.
        ids: the ids concerned, in the order of the suite; groups of equal texts as ``a = b``, likely right
            answers as ``query: document ~ relevant document (similarity)``.
    """

    problem: Problem
    ids: tuple[str, ...]

    def __str__(self) -> str:
        shown = ", ".join(self.ids[:_SHOWN])
        rest = f" and {len(self.ids) - _SHOWN:,} more" if len(self.ids) > _SHOWN else ""
        return f"{len(self.ids):,} {self.problem.value}: {shown}{rest}"


@dataclass(frozen=True, slots=True)
class Audit:
    """All that looks wrong in a suite; true where there is something."""

    suite: str
    findings: tuple[AuditFinding, ...]

    def __bool__(self) -> bool:
        return bool(self.findings)

    def of(self, problem: Problem) -> tuple[str, ...]:
        """The ids that a problem concerns; empty where it does not occur."""
        return next((f.ids for f in self.findings if f.problem is problem), ())


def audit(suite: Suite) -> Audit:
    """Looks for what may spoil a measurement; near-linear in the texts (100,000 short documents take seconds)."""
    found: dict[Problem, list[str]] = {problem: [] for problem in Problem}
    queries, documents = suite.queries, suite.documents
    found[Problem.DUPLICATE_QUERIES] = _equal((q.id, q.text) for q in queries)
    found[Problem.DUPLICATE_DOCUMENTS] = _equal((d.id, d.text) for d in documents)
    _judgements(suite, found)
    texts: list[Query | Document] = [*queries, *documents]
    found[Problem.EMPTY_TEXTS] = [t.id for t in texts if not t.text.strip()]
    found[Problem.NULL_TEXTS] = [t.id for t in texts if t.text.strip().casefold() in _NULLS]
    found[Problem.LONG_TEXTS] = [t.id for t in texts if len(t.text) > OVER_LONG]
    found[Problem.FALSE_NEGATIVES] = _false_negatives(suite)
    return Audit(suite.name, tuple(AuditFinding(p, tuple(ids)) for p, ids in found.items() if ids))


def remarks(suite: Suite) -> tuple[str, ...]:
    """How the files of a suite were read and what looks wrong in it, in sentences for the record of a run."""
    count = len(suite.documents)
    few = f"{count} documents in all: any system finds the right one among so few" if count < FEW else ""
    return (*suite.card.notes, *((few,) if few else ()), *map(str, audit(suite).findings))


def _equal(pairs: Iterable[tuple[str, str]]) -> list[str]:
    ids: dict[str, list[str]] = defaultdict(list)
    for key, text in pairs:
        ids[text.strip()].append(key)
    return [_chain(same) for text, same in ids.items() if len(same) > 1 and text]


def _chain(ids: list[str]) -> str:
    more = f" = ... ({len(ids)} in all)" if len(ids) > _SHOWN else ""
    return " = ".join(ids[:_SHOWN]) + more


def _judgements(suite: Suite, found: dict[Problem, list[str]]) -> None:
    queries, documents = {q.id for q in suite.queries}, {d.id for d in suite.documents}
    judged = dict.fromkeys(d for grades in suite.judgements.values() for d in grades)
    found[Problem.UNKNOWN_DOCUMENTS] = [d for d in judged if d not in documents]
    found[Problem.UNKNOWN_QUERIES] = [q for q in suite.judgements if q not in queries]
    for query in suite.queries:
        grades = suite.judgements.get(query.id, {})
        if not grades:
            found[Problem.UNJUDGED_QUERIES].append(query.id)
        elif not any(g > 0 and d in documents for d, g in grades.items()):
            found[Problem.UNANSWERABLE_QUERIES].append(query.id)


def _false_negatives(suite: Suite) -> list[str]:
    """``query: document ~ relevant document (similarity)``, for unjudged documents close to a relevant one."""
    asked_by: dict[str, list[str]] = defaultdict(list)
    for query in suite.queries:
        for document_id, grade in suite.judgements.get(query.id, {}).items():
            if grade > 0:
                asked_by[document_id].append(query.id)
    ids = [d.id for d in suite.documents]
    positives = [i for i, document_id in enumerate(ids) if document_id in asked_by]
    pairs = near_duplicates([d.text for d in suite.documents], positives, SIMILAR)
    found = []
    for positive, other, similarity in pairs:
        for query_id in asked_by[ids[positive]]:
            if ids[other] not in suite.judgements[query_id]:
                found.append(f"{query_id}: {ids[other]} ~ {ids[positive]} ({similarity:.2f})")
    return found
