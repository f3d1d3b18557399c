"""The trap format: JSON Lines, a header, then one group a line.

::

    {"suite": "zh-traps", "version": "1.0.0", "licence": "Apache-2.0", "canary": "..."}
    {"id": "negation-001", "category": "negation", "query": "...", "why": "...",
     "documents": [{"id": "negation-001-a", "kind": "positive", "text": "..."}, ...]}

The header and the documents' ids may be missing, as they are while a suite is being written; the ids are then made of
the group's id and a letter.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from steelyard.suites.building import SuiteBuilder
from steelyard.suites.findings import Findings, Place
from steelyard.suites.reading import as_id, as_text, json_objects
from steelyard.suites.suite import Card, Suite
from steelyard.types import TrapKind

_KINDS = tuple(kind.value for kind in TrapKind)


@dataclass(frozen=True, slots=True)
class TrapDocument:
    """One document of a group."""

    id: str
    kind: TrapKind
    text: str


@dataclass(frozen=True, slots=True)
class TrapGroup:
    """One query and its own documents, as they stand in the file.

    Attributes:
        why: the sentence that says what decides; None where groups did not come from a file.
        line: one-based line of the file; None likewise.
    """

    id: str
    category: str
    query: str
    documents: tuple[TrapDocument, ...]
    why: str | None = None
    line: int | None = None

    @property
    def positive(self) -> int:
        """The place of the positive among the documents."""
        return next(i for i, d in enumerate(self.documents) if d.kind is TrapKind.POSITIVE)


@dataclass(frozen=True, slots=True)
class TrapFile:
    """A trap file: its header's fields and its groups."""

    path: Path
    header: Mapping[str, Any]
    groups: tuple[TrapGroup, ...]


def is_trap_row(row: Mapping[str, Any]) -> bool:
    """Whether the first row of a JSON Lines file says that it is a trap file."""
    if "suite" in row and "query" not in row:
        return True
    documents = row.get("documents")
    return isinstance(documents, list) and bool(documents) and isinstance(documents[0], dict) and "kind" in documents[0]


def read_traps(path: Path, findings: Findings | None = None) -> TrapFile:
    """Reads a trap file.

    Raises:
        SuiteError: naming the line of everything that is malformed.
    """
    found = findings or Findings("a trap file")
    header: dict[str, Any] = {}
    groups: list[TrapGroup] = []
    for number, row in json_objects(path, found):
        if not groups and not header and is_trap_row(row) and "documents" not in row:
            header = row
            continue
        group = _group(row, Place(path, number), found)
        if group is not None:
            groups.append(group)
    found.check()
    return TrapFile(path, header, tuple(groups))


def _group(row: Mapping[str, Any], place: Place, findings: Findings) -> TrapGroup | None:
    before = len(findings)
    missing = [name for name in ("id", "category", "query", "documents") if name not in row]
    if missing:
        findings.add(f"a group needs the fields id, category, query, documents; missing: {', '.join(missing)}", place)
        return None
    group_id = as_id(row["id"], "id", place, findings)
    category = as_id(row["category"], "category", place, findings)
    query = as_text(row["query"], "query", place, findings, filled=True)
    why = as_text(row.get("why", ""), "why", place, findings)
    documents = _documents(row["documents"], str(group_id), place, findings)
    if len(findings) > before or group_id is None or category is None or query is None:
        return None
    return TrapGroup(group_id, category, query, documents, why, place.line)


def _documents(rows: object, group_id: str, place: Place, findings: Findings) -> tuple[TrapDocument, ...]:
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        findings.add("field 'documents' is not a list of objects", place)
        return ()
    documents = []
    for i, row in enumerate(rows):
        kind = row.get("kind")
        if kind not in _KINDS:
            findings.add(f"document {i + 1} is of unknown kind {kind!r}; kinds: {', '.join(_KINDS)}", place)
            continue
        document_id = as_id(row.get("id", f"{group_id}-{chr(ord('a') + i)}"), "id", place, findings)
        text = as_text(row.get("text"), "text", place, findings, filled=True)
        documents.append(TrapDocument(str(document_id), TrapKind(kind), str(text)))
    positives = sum(d.kind is TrapKind.POSITIVE for d in documents)
    if positives != 1:
        findings.add(f"a group needs exactly one positive document, this one has {positives}", place)
    return tuple(documents)


def load(path: Path, name: str, findings: Findings) -> Suite:
    """A suite from a trap file; the positive is graded 1, the rest of its group 0."""
    file = read_traps(path, findings)
    header = file.header
    card = Card(
        title=str(header.get("title", "")),
        version=str(header.get("version", "")),
        licence=str(header.get("licence", "")),
        languages=tuple(map(str, header.get("languages", ()))),
        source=f"trap file {path.name}",
        canary=str(header.get("canary", "")),
    )
    return suite_of(file.groups, name, card, path, findings)


def suite_of(groups: tuple[TrapGroup, ...], name: str, card: Card, path: Path, findings: Findings) -> Suite:
    """A suite from groups."""
    builder = SuiteBuilder(findings)
    for group in groups:
        place = Place(path, group.line)
        builder.query(group.id, group.query, group.category, place)
        builder.traps[group.id] = {d.id: d.kind for d in group.documents}
        for document in group.documents:
            builder.document(document.id, document.text, place)
            builder.judge(group.id, document.id, int(document.kind is TrapKind.POSITIVE), place)
    return builder.build(name, card, path)
