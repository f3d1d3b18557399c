"""Spreadsheets (.xlsx, .xls, .ods): the first sheet that holds anything, its cells as texts, as in a CSV export."""

from __future__ import annotations

import datetime
import zipfile
from collections.abc import Iterator
from pathlib import Path

from steelyard.errors import MissingExtraError, install_line
from steelyard.suites.findings import Findings, Place

SHEETS = (".xlsx", ".xls", ".ods")
_MOST_BYTES = 1 << 30
"""Of a spreadsheet when it is unpacked."""


def sheet_rows(path: Path, findings: Findings) -> Iterator[tuple[int, list[str]]]:
    """(one-based row, its cells as texts), rows without any text left out.

    Raises:
        MissingExtraError: without python-calamine.
    """
    try:
        import python_calamine as calamine
    except ImportError as error:
        raise MissingExtraError(
            f"reading {path.suffix} files (or save the sheet as CSV UTF-8)", install_line("sheets")
        ) from error
    if not _fits(path, findings):
        return
    try:
        with calamine.CalamineWorkbook.from_path(path) as book:
            filled = [n for n in book.sheet_names if book.get_sheet_by_name(n).height]
            if not filled:
                findings.add("holds no filled sheet", Place(path))
                return
            if len(filled) > 1:
                findings.note(f"read sheet {filled[0]!r}; not read: {', '.join(map(repr, filled[1:]))}")
            cells = book.get_sheet_by_name(filled[0]).to_python(skip_empty_area=False)
    except (calamine.CalamineError, OSError, ValueError) as error:
        findings.add(f"cannot be read as a spreadsheet ({error}); save the sheet as CSV UTF-8", Place(path))
        return
    for number, row in enumerate(cells, 1):
        texts = [_text(cell) for cell in row]
        if any(texts):
            yield number, texts


def _fits(path: Path, findings: Findings) -> bool:
    """False, with a finding, for an archive that unpacks to more than a spreadsheet should."""
    if not zipfile.is_zipfile(path):
        return True
    with zipfile.ZipFile(path) as archive:
        unpacked = sum(part.file_size for part in archive.infolist())
    if unpacked > _MOST_BYTES:
        findings.add(
            f"unpacks to {unpacked / 1e9:.1f} GB; a spreadsheet may have 1 GB. Save the sheet as CSV", Place(path)
        )
    return unpacked <= _MOST_BYTES


def _text(cell: object) -> str:
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    if isinstance(cell, datetime.date | datetime.time):
        return cell.isoformat()
    return str(cell)
