"""Rows of JSON Lines, CSV, TSV, Parquet and spreadsheet files, all alike."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Literal

from steelyard.errors import MissingExtraError, install_line
from steelyard.suites.findings import Findings, Place
from steelyard.suites.formats.columns import Row
from steelyard.suites.formats.sheets import SHEETS, sheet_rows
from steelyard.suites.reading import json_objects, raw_lines

SUFFIXES: Final = (".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".parquet", *SHEETS)
_LONGEST_FIELD = 2**30
_SEPARATORS = ",;\t|"


def rows(path: Path, findings: Findings) -> Iterator[tuple[int, Row]]:
    """(line or row number, row) of a file, by its suffix (see :data:`SUFFIXES`).

    Raises:
        MissingExtraError: for a Parquet file without pyarrow, a spreadsheet without python-calamine.
        SuiteError: when the file cannot be read.
    """
    suffix = path.suffix.lower()
    if suffix == ".parquet":
        return _parquet(path, findings)
    if suffix in SHEETS:
        return _named(sheet_rows(path, findings), path, findings)
    if suffix in {".csv", ".tsv"}:
        return _separated(path, findings)
    return json_objects(path, findings)


def _separated(path: Path, findings: Findings) -> Iterator[tuple[int, Row]]:
    text = (line for _, line in raw_lines(path, findings))
    first = next(text, "")
    given = _given_separator(first)
    if given:
        first = next(text, "")
    delimiter = given or ("\t" if path.suffix.lower() == ".tsv" else max(_SEPARATORS, key=first.count))

    def all_lines() -> Iterator[str]:
        yield first
        yield from text

    quoting: Literal[0, 3] = csv.QUOTE_NONE if delimiter == "\t" else csv.QUOTE_MINIMAL
    reader = csv.reader(all_lines(), delimiter=delimiter, quoting=quoting, strict=True)
    numbered = ((reader.line_num, values) for values in reader if values)
    with _long_fields():
        try:
            yield from _named(numbered, path, findings)
        except csv.Error as error:
            findings.add(f"is not {path.suffix[1:].upper()} ({_csv_error(error)})", Place(path, reader.line_num))


def _given_separator(line: str) -> str:
    """The separator of a first line ``sep=;``, which Excel writes and reads; empty where it is none."""
    mark = line.rstrip("\r\n")
    return mark[4] if len(mark) == 5 and mark.startswith("sep=") else ""


def _csv_error(error: csv.Error) -> str:
    if "new-line character" in str(error):
        return "lines end with a carriage return alone; save it with line feeds"
    return f"{error}; a double quote is open at the end" if "unexpected end" in str(error) else str(error)


def _named(numbered: Iterable[tuple[int, Sequence[str]]], path: Path, findings: Findings) -> Iterator[tuple[int, Row]]:
    """Rows under their header; columns without a name are left out, and noted where they hold anything."""
    header: list[str] | None = None
    rows_there = False
    for number, values in numbered:
        if header is None:
            header = [name.strip() for name in values]
            _check_header(header, Place(path, number), findings)
            continue
        rows_there = True
        if len(values) != len(header):
            findings.add(
                f"has {len(values)} fields where the header has {len(header)}; "
                "a text that holds the separator stands in double quotes",
                Place(path, number),
            )
            continue
        if any(value and not name for name, value in zip(header, values, strict=True)):
            findings.note(f"{path.name}: a column without a name was not used")
        yield number, {name: value for name, value in zip(header, values, strict=True) if name}
    if header is not None and not rows_there and not len(findings):
        findings.add("holds a header and no row", Place(path))


def _check_header(header: Sequence[str], place: Place, findings: Findings) -> None:
    twice = sorted({name for name in header if name and header.count(name) > 1})
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
        raise MissingExtraError("reading Parquet files", install_line("parquet")) from error
    number = 0
    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=4096):
                for row in batch.to_pylist():
                    number += 1
                    yield number, row
    except (pyarrow.ArrowException, OSError) as error:
        findings.add(f"cannot be read as Parquet: {str(error).splitlines()[0]}", Place(path))
        return
    if not number:
        findings.add("is empty", Place(path))
