"""Puts a suite together from whatever order its parts come in, and notes what contradicts itself."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import replace
from pathlib import Path

from steelyard.suites.findings import Findings, Place
from steelyard.suites.joining import unjoined
from steelyard.suites.suite import Card, Suite
from steelyard.types import Document, Query, TrapKind

HIGHEST_GRADE = 1000
"""What the ranking measures take; see :mod:`steelyard.measures.ranking`."""


_USUAL_GRADE = 5


class SuiteBuilder:
    """Collects queries, documents and judgements.

    Args:
        findings: where contradictions go.
    """

    def __init__(self, findings: Findings) -> None:
        self.findings = findings
        self.queries: dict[str, Query] = {}
        self.documents: dict[str, Document] = {}
        self.judgements: dict[str, dict[str, int]] = {}
        self.traps: dict[str, dict[str, TrapKind]] = {}
        self._seen: dict[tuple[str, str], Place] = {}

    def query(self, query_id: str, text: str, category: str | None, place: Place, cluster: str | None = None) -> None:
        """Adds a query; a second one with the same id is a finding."""
        if self._first("query", query_id, place):
            self.queries[query_id] = Query(query_id, text, category or None, cluster or None)

    def document(self, document_id: str, text: str, place: Place) -> None:
        """Adds a document; a second one with the same id is a finding."""
        if self._first("document", document_id, place):
            self.documents[document_id] = Document(document_id, text)

    def judge(self, query_id: str, document_id: str, grade: int, place: Place) -> None:
        """Adds a judgement; repeating one is harmless, contradicting one is a finding."""
        if abs(grade) > HIGHEST_GRADE:
            self.findings.add(f"grade {grade} is beyond {HIGHEST_GRADE}; rescale the grades", place)
            return
        before = self.judgements.setdefault(query_id, {}).setdefault(document_id, grade)
        if before != grade:
            self.findings.add(
                f"query {query_id!r} and document {document_id!r} were judged {before} before and {grade} here", place
            )

    def _first(self, what: str, key: str, place: Place) -> bool:
        before = self._seen.setdefault((what, key), place)
        if before is place:
            return True
        where = f"line {before.line}" if before.path == place.path and before.line else str(before)
        self.findings.add(f"duplicate {what} id {key!r}, first on {where}", place)
        return False

    def build(self, name: str, card: Card, source: Path, only: Container[str] | None = None) -> Suite:
        """The suite.

        Args:
            name: how it will be called.
            card: what is known of it.
            source: the file or folder, for errors.
            only: keep just these queries; all when None.

        Raises:
            SuiteError: with everything that was found, when there are no queries, documents or judgements, or when
            they do not belong together.
        """
        self.findings.check()
        for what, there in (("query", self.queries), ("document", self.documents), ("judgement", self.judgements)):
            if not there:
                self.findings.add(f"holds no {what}", Place(source))
        self.findings.check()
        for message in unjoined(self.queries, self.documents, self.judgements):
            self.findings.add(message, Place(source))
        self.findings.check()
        queries = tuple(q for q in self.queries.values() if only is None or q.id in only)
        notes = tuple(dict.fromkeys((*card.notes, *self.findings.notes, *self._high_grades())))
        card = replace(card, notes=notes)
        return Suite(name, queries, tuple(self.documents.values()), self.judgements, self.traps, card)

    def _high_grades(self) -> tuple[str, ...]:
        """How grades are read where they look like counts or scores."""
        highest = max((g for grades in self.judgements.values() for g in grades.values()), default=0)
        if highest <= _USUAL_GRADE:
            return ()
        return (
            f"grades go up to {highest}: every grade of 1 or more counts as relevant, so only nDCG tells 1 from "
            f"{highest} (its gain is the grade itself)",
        )
