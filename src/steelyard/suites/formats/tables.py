"""Suites from tables: one table of query-document pairs, or three tables.

One table (JSON Lines, CSV, TSV, Parquet, a spreadsheet): every row is a pair, ``query``, ``document`` and, where there
are such columns, ``grade`` (1 without it), ``query_id``, ``document_id``, ``category``, ``cluster``. Instead of
``document`` a row may hold ``positives`` and ``negatives``, lists of texts. Equal texts without ids are one query or
one document; a row without a query adds a document that nobody asked for.

Three tables in a folder: ``queries``, ``documents`` (or ``docs``, ``corpus``) and ``judgements`` (or ``qrels``,
``pairs``), each in any of these forms.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from steelyard.suites.building import SuiteBuilder
from steelyard.suites.findings import Findings, Place
from steelyard.suites.formats.columns import Columns, Row
from steelyard.suites.formats.records import SUFFIXES, rows
from steelyard.suites.reading import as_grade, as_id, as_text
from steelyard.suites.suite import Card, Suite

QUERY_COLUMNS = {"query": ("text",), "query_id": ("_id", "id")}
DOCUMENT_COLUMNS = {"document": ("text", "contents", "body"), "document_id": ("_id", "id", "docno")}
DOCUMENT_NAMES = ("documents", "docs", "corpus")
JUDGEMENT_NAMES = ("judgements", "qrels", "pairs")


def find_table(folder: Path, *stems: str) -> Path | None:
    """The first file of a folder that is called ``stem.suffix`` with a table's suffix."""
    return next((p for stem in stems for s in SUFFIXES if (p := folder / f"{stem}{s}").is_file()), None)


def load_three(folder: Path, name: str, mapping: Mapping[str, str], findings: Findings) -> Suite:
    """A suite from the three tables of a folder."""
    builder = SuiteBuilder(findings)
    queries, documents = find_table(folder, "queries"), find_table(folder, *DOCUMENT_NAMES)
    judgements = find_table(folder, *JUDGEMENT_NAMES)
    if queries is None or documents is None or judgements is None:
        findings.add("needs the three tables queries, documents and judgements", Place(folder))
        findings.check()
        raise AssertionError("check raises where something was found")
    take_queries(queries, Columns(mapping, QUERY_COLUMNS), builder)
    take_documents(documents, Columns(mapping, DOCUMENT_COLUMNS), builder)
    take_judgements(judgements, Columns(mapping), builder)
    files = ", ".join(p.name for p in (queries, documents, judgements))
    return builder.build(name, Card(source=f"three tables ({files})"), folder)


def take_queries(path: Path, columns: Columns, builder: SuiteBuilder) -> None:
    """Reads a table of queries: id, text, and a category and a cluster where there are any."""
    for number, row in rows(path, builder.findings):
        place = Place(path, number)
        found = _keyed(row, "query_id", "query", columns, place, builder.findings)
        category = columns.get(row, "category")
        if found is not None:
            builder.query(*found, str(category) if category is not None else None, place, _cluster(row, columns))
    _note(path, columns, builder, whole=False)


def take_documents(path: Path, columns: Columns, builder: SuiteBuilder) -> None:
    """Reads a table of documents: id, text, and a title that is put before the text where there is one."""
    for number, row in rows(path, builder.findings):
        place = Place(path, number)
        found = _keyed(row, "document_id", "document", columns, place, builder.findings)
        title = columns.get(row, "title")
        if found is not None:
            text = f"{title} {found[1]}".strip() if isinstance(title, str) and title.strip() else found[1]
            builder.document(found[0], text, place)
    _note(path, columns, builder, whole=False)


def take_judgements(path: Path, columns: Columns, builder: SuiteBuilder) -> None:
    """Reads a table of judgements: query id, document id, and a grade that is 1 where there is no such column."""
    for number, row in rows(path, builder.findings):
        place = Place(path, number)
        query = columns.need(row, "query_id", place, builder.findings)
        document = columns.need(row, "document_id", place, builder.findings)
        if query is None or document is None:
            continue
        query_id = as_id(query, "query_id", place, builder.findings)
        document_id = as_id(document, "document_id", place, builder.findings)
        grade = as_grade(_or_one(columns.get(row, "grade")), place, builder.findings)
        if query_id is not None and document_id is not None and grade is not None:
            builder.judge(query_id, document_id, grade, place)
    _note(path, columns, builder, whole=bool(columns.unread))


def _note(path: Path, columns: Columns, builder: SuiteBuilder, *, whole: bool) -> None:
    for line in columns.reading(whole=whole):
        builder.findings.note(f"{path.name}: {line}")


def _cluster(row: Row, columns: Columns) -> str | None:
    value = columns.get(row, "cluster")
    return None if value is None else str(value)


def _or_one(value: object) -> object:
    return 1 if value is None else value


def _keyed(row: Row, key: str, name: str, columns: Columns, place: Place, findings: Findings) -> tuple[str, str] | None:
    raw_id = columns.need(row, key, place, findings)
    raw_text = columns.need(row, name, place, findings)
    if raw_id is None or raw_text is None:
        return None
    found_id, text = as_id(raw_id, key, place, findings), as_text(raw_text, name, place, findings)
    return None if found_id is None or text is None else (found_id, text)


def load_pairs(path: Path, name: str, mapping: Mapping[str, str], findings: Findings) -> Suite:
    """A suite from one table of pairs."""
    pairs = _Pairs(path, Columns(mapping), SuiteBuilder(findings))
    for number, row in rows(path, findings):
        pairs.take(row, Place(path, number))
    _note(path, pairs.columns, pairs.builder, whole=True)
    source = f"table of query-document pairs {path.name}"
    return pairs.builder.build(name, Card(source=source), path)


class _Pairs:
    """Gives ids to texts that have none, and one id to equal texts."""

    def __init__(self, path: Path, columns: Columns, builder: SuiteBuilder) -> None:
        self.path, self.columns, self.builder = path, columns, builder
        self._ids: dict[str, dict[str, str]] = {"query": {}, "document": {}}

    def take(self, row: Row, place: Place) -> None:
        """Reads one row."""
        query_id = self._query(row, place)
        for text, grade, document_id in self._documents(row, query_id is not None, place):
            known = self._document(document_id, text, place)
            if query_id is not None and known is not None and grade is not None:
                self.builder.judge(query_id, known, grade, place)

    def _query(self, row: Row, place: Place) -> str | None:
        findings = self.builder.findings
        if not self.columns.places(row, "query"):
            findings.add(self.columns.missing("query", tuple(row)), place, once=True)
            return None
        value = self.columns.get(row, "query")
        if value is None or value == "":
            return None
        text = as_text(value, "query", place, findings)
        given = self.columns.get(row, "query_id")
        query_id = None if given is None else as_id(given, "query_id", place, findings)
        category = self.columns.get(row, "category")
        if text is None:
            return None
        key = self._id("query", query_id, text)
        known = self.builder.queries.get(key)
        if known is None:
            cluster = _cluster(row, self.columns)
            self.builder.query(key, text, str(category) if category is not None else None, place, cluster)
        elif known.text != text:
            findings.add(f"query id {key!r} had another text before", place)
        return key

    def _documents(self, row: Row, asked: bool, place: Place) -> Iterator[tuple[str, int | None, str | None]]:
        """(text, grade, id or None) of every document of a row."""
        findings, columns = self.builder.findings, self.columns
        listed = False
        for name, list_grade in (("positives", 1), ("negatives", 0)):
            values = columns.get(row, name)
            listed = listed or values is not None
            for value in [] if values is None else values if isinstance(values, list) else [values]:
                text = as_text(value, name, place, findings)
                if text is not None:
                    yield text, list_grade, None
        value = columns.get(row, "document") if listed else columns.need(row, "document", place, findings)
        text = None if value is None else as_text(value, "document", place, findings)
        if text is not None:
            given = columns.get(row, "document_id")
            document_id = None if given is None else as_id(given, "document_id", place, findings)
            grade = as_grade(_or_one(columns.get(row, "grade")), place, findings) if asked else None
            yield text, grade, document_id

    def _document(self, document_id: str | None, text: str, place: Place) -> str | None:
        key = self._id("document", document_id, text)
        known = self.builder.documents.get(key)
        if known is None:
            self.builder.document(key, text, place)
        elif known.text != text:
            self.builder.findings.add(f"document id {key!r} had another text before", place)
        return key

    def _id(self, what: str, given: str | None, text: str) -> str:
        if given is not None:
            return given
        known = self._ids[what]
        return known.setdefault(text, f"{what[0]}{len(known) + 1}")
