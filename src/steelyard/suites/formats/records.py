"""Rows of JSON Lines, CSV, TSV and Parquet files, all alike; and which column holds what."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from steelyard.errors import MissingExtraError, UsageError
from steelyard.suites.findings import Findings, Place
from steelyard.suites.reading import json_objects, raw_lines

Row = Mapping[str, Any]

SUFFIXES: Final = (".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".parquet")
_LONGEST_FIELD = 2**30

FIELDS: Final[Mapping[str, tuple[str, ...]]] = {
    "query": ("query", "question", "查询", "问题"),
    "document": ("document", "doc", "passage", "text", "answer", "positive", "context", "文档", "答案"),
    "query_id": ("query_id", "query-id", "qid", "queryid"),
    "document_id": ("document_id", "document-id", "doc_id", "docid", "corpus-id", "corpus_id", "pid"),
    "grade": ("grade", "relevance", "rel", "label", "score"),
    "category": ("category", "类别"),
    "title": ("title", "标题"),
    "positives": ("positives", "pos"),
    "negatives": ("negatives", "neg"),
}
"""field -> the column names it is looked for under, unless a mapping names another."""


@dataclass(frozen=True)
class Columns:
    """Where the fields of a table are.

    Attributes:
        mapping: field -> column, as the user gave it.
        extra: field -> further names that fit in this kind of table only.
    """

    mapping: Mapping[str, str] = field(default_factory=dict)
    extra: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        unknown = sorted(set(self.mapping) - set(FIELDS))
        if unknown:
            raise UsageError(f"cannot map {', '.join(unknown)}; the fields are {', '.join(FIELDS)}")

    def names(self, name: str) -> tuple[str, ...]:
        """The columns that a field may be in, the mapped one first."""
        mapped = (self.mapping[name],) if name in self.mapping else ()
        return mapped + self.extra.get(name, ()) + FIELDS[name]

    def get(self, row: Row, name: str) -> Any:
        """The field's value in a row; None where the row has none of its columns."""
        return next((row[column] for column in self.names(name) if row.get(column) is not None), None)

    def need(self, row: Row, name: str, place: Place, findings: Findings) -> Any:
        """As :meth:`get`, with a finding where there is none."""
        value = self.get(row, name)
        if value is None:
            findings.add(self.missing(name, tuple(row)), place, once=True)
        return value

    def missing(self, name: str, there: Sequence[str]) -> str:
        """What to say when a field is nowhere."""
        looked = ", ".join(dict.fromkeys(self.names(name)))
        return (
            f"no field {name!r} (looked for {looked}); there is {', '.join(map(repr, there)) or 'nothing'}. "
            f"Name the column with a mapping: {name}=COLUMN"
        )


def rows(path: Path, findings: Findings) -> Iterator[tuple[int, Row]]:
    """(line or row number, row) of a file, by its suffix (see :data:`SUFFIXES`).

    Raises:
        MissingExtraError: for a Parquet file without pyarrow.
        SuiteError: when the file cannot be read.
    """
    suffix = path.suffix.lower()
    if suffix == ".parquet":
        return _parquet(path, findings)
    if suffix in {".csv", ".tsv"}:
        return _separated(path, findings)
    return json_objects(path, findings)


def _separated(path: Path, findings: Findings) -> Iterator[tuple[int, Row]]:
    text = (line for _, line in raw_lines(path, findings))
    header_line = next(text, "")
    delimiter = "\t" if path.suffix.lower() == ".tsv" else max(",;\t", key=header_line.count)

    def all_lines() -> Iterator[str]:
        yield header_line
        yield from text

    if delimiter == "\t":
        reader = csv.reader(all_lines(), delimiter="\t", quoting=csv.QUOTE_NONE, strict=True)
    else:
        reader = csv.reader(all_lines(), delimiter=delimiter, strict=True)
    header: list[str] | None = None
    with _long_fields():
        try:
            for values in reader:
                if header is None:
                    header = [name.strip() for name in values]
                    _check_header(header, Place(path, 1), findings)
                elif values and len(values) != len(header):
                    findings.add(
                        f"has {len(values)} fields where the header has {len(header)}", Place(path, reader.line_num)
                    )
                elif values:
                    yield reader.line_num, dict(zip(header, values, strict=True))
        except csv.Error as error:
            findings.add(f"is not {path.suffix[1:].upper()} ({error})", Place(path, reader.line_num))


def _check_header(header: Sequence[str], place: Place, findings: Findings) -> None:
    twice = sorted({name for name in header if header.count(name) > 1})
    if twice:
        findings.add(f"the header names a column twice: {', '.join(map(repr, twice))}", place)


@contextmanager
def _long_fields() -> Iterator[None]:
    """The csv module refuses fields over 128 KB unless told otherwise, for the whole process."""
    before = csv.field_size_limit(_LONGEST_FIELD)
    try:
        yield
    finally:
        csv.field_size_limit(before)


def _parquet(path: Path, findings: Findings) -> Iterator[tuple[int, Row]]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise MissingExtraError("reading Parquet files", "pip install 'steelyard[parquet]'") from error
    number = 0
    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=4096):
                for row in batch.to_pylist():
                    number += 1
                    yield number, row
    except (pyarrow.ArrowException, OSError) as error:
        findings.add(f"cannot be read as Parquet: {str(error).splitlines()[0]}", Place(path))
    if not number:
        findings.add("is empty", Place(path))
