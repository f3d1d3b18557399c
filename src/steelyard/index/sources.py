"""Documents for an index out of what people have: tables, JSON Lines, Parquet, and folders of texts and pages."""

from __future__ import annotations

import re
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from steelyard.errors import DataError, UsageError
from steelyard.index.entry import Entry, Scalar
from steelyard.index.papers import READERS, read_text
from steelyard.suites.findings import Findings, Place
from steelyard.suites.formats.columns import Columns
from steelyard.suites.formats.records import SUFFIXES, rows
from steelyard.text.passages import passages

_IDS = ("id", "_id", "编号")
_FIELDS = {"text": "document", "id": "document_id"}
_NUMBER = re.compile(r"-?(0|[1-9]\d{0,14})(\.\d+)?")


@dataclass(frozen=True)
class SourceConfig:
    """How to read documents.

    Attributes:
        size: characters of a passage at the most; 0 keeps every document whole.
        overlap: characters of whole sentences that a passage repeats at the most.
        columns: field -> column of a table: ``id``, ``text`` and ``title``.
    """

    size: int = 400
    overlap: int = 60
    columns: Mapping[str, str] | None = None

    def __post_init__(self) -> None:
        if self.size < 0 or (self.size and not 0 <= self.overlap < self.size):
            raise UsageError(f"passages need a size above the overlap, not {self.size} and {self.overlap}")
        odd = sorted(set(self.columns or {}) - {"id", "text", "title"})
        if odd:
            raise UsageError(f"cannot map {', '.join(odd)}; the fields of documents are id, text, title")


def read_entries(path: Path, config: SourceConfig | None = None) -> Iterator[Entry]:
    """The documents of a file or folder, read as they are needed.

    A table has a document a row: a text, an id where it has one (else its row number), a title that goes before the
    text, and whatever else there is as metadata. In a folder every file is a document whose id is its path. Documents
    longer than ``size`` become passages ``ID#1``, ``ID#2``, ... that know their ``source``, ``start`` and ``stop``.

    Raises:
        DataError: nothing there can be read; names the file, the line and the fix.
    """
    asked = config or SourceConfig()
    if path.is_dir():
        for file in _files(path):
            yield from _passages(Entry(file.relative_to(path).as_posix(), read_text(file), _file_facts(file)), asked)
        return
    if not path.exists():
        raise DataError(f"{path}: there is no such file or folder")
    if path.suffix.lower() in SUFFIXES:
        for entry in _table(path, asked):
            yield from _passages(entry, asked)
        return
    yield from _passages(Entry(path.name, read_text(path), _file_facts(path)), asked)


def _files(folder: Path) -> list[Path]:
    found = sorted(p for p in folder.rglob("*") if p.suffix.lower() in READERS and stat.S_ISREG(p.lstat().st_mode))
    if not found:
        kinds = ", ".join(sorted(READERS))
        raise DataError(
            f"{folder}: no file of a kind that is read ({kinds}); give a table ({', '.join(SUFFIXES)}) by name"
        )
    return found


def _file_facts(path: Path) -> dict[str, Scalar]:
    changed = datetime.fromtimestamp(int(path.stat().st_mtime), UTC)
    return {"kind": path.suffix.lower().lstrip("."), "changed": changed.isoformat()}


def _table(path: Path, config: SourceConfig) -> Iterator[Entry]:
    mapping = {_FIELDS.get(field, field): column for field, column in (config.columns or {}).items()}
    columns = Columns(mapping, {"document_id": _IDS})
    findings = Findings("a table of documents")
    typed = _plain_value if path.suffix.lower() in {".csv", ".tsv"} else _same
    for number, row in rows(path, findings):
        text = columns.need(row, "document", Place(path, number), findings)
        if text is None:
            continue
        if not isinstance(text, str):
            findings.add(f"the text is {type(text).__name__}, not a string", Place(path, number))
            continue
        title, identity = columns.get(row, "title"), columns.get(row, "document_id")
        rest = {str(k): typed(v) for k, v in row.items() if k not in columns.read and _is_scalar(v)}
        yield Entry(str(number if identity is None else identity), f"{title}\n{text}" if title else text, rest)
    findings.check()


def _is_scalar(value: Any) -> bool:
    return isinstance(value, str | int | float | bool | date) and value != ""


def _plain_value(value: Any) -> Any:
    """What a CSV file has as text and is a number: 2021, 3.5; not 007, which is a code."""
    return float(value) if isinstance(value, str) and _NUMBER.fullmatch(value) else value


def _same(value: Any) -> Any:
    return value


def _passages(entry: Entry, config: SourceConfig) -> Iterator[Entry]:
    if not config.size or len(entry.text) <= config.size:
        yield entry
        return
    for number, part in enumerate(passages(entry.text, config.size, config.overlap), 1):
        place: dict[str, Scalar] = {"source": entry.id, "start": part.start, "stop": part.stop}
        yield Entry(f"{entry.id}#{number}", part.text, {**entry.metadata, **place})
