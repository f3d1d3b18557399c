"""The text of a file: plain text, Markdown, HTML, PDF or Word. What parses is bounded, and nothing in a file is run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from steelyard.errors import DataError, MissingExtraError

_LARGEST = 200 << 20
_ENCODINGS = ("utf-8-sig", "gb18030")


def read_text(path: Path) -> str:
    """The text of one file, by its suffix.

    Raises:
        DataError: it is too large, damaged or of a kind that is not read.
        MissingExtraError: its kind needs a package of the extra ``documents``.
    """
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        raise DataError(f"{path}: files of kind {path.suffix or 'none'!r} are not read; there is {', '.join(READERS)}")
    try:
        if path.stat().st_size > _LARGEST:
            raise DataError(f"{path} has {path.stat().st_size:,} bytes; at most {_LARGEST:,} are read. Split it")
        return reader(path)
    except (DataError, MissingExtraError):
        raise
    except Exception as wrong:
        raise DataError(
            f"{path} cannot be read as {path.suffix[1:].upper()}: {wrong or type(wrong).__name__}"
        ) from wrong


def _plain(path: Path) -> str:
    raw = path.read_bytes()
    for encoding in _ENCODINGS:
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise DataError(f"{path} is neither UTF-8 nor GB18030; save it as UTF-8")


def _html(path: Path) -> str:
    soup = _package("bs4", "HTML").BeautifulSoup(_plain(path), "html.parser")
    for hidden in soup(["script", "style", "template", "noscript"]):
        hidden.decompose()
    lines = (line.strip() for line in soup.get_text("\n").splitlines())
    return "\n".join(line for line in lines if line)


def _pdf(path: Path) -> str:
    pages = _package("pypdf", "PDF").PdfReader(path).pages
    text = "\n\n".join(page.extract_text() for page in pages)
    if not text.strip():
        raise DataError(f"{path} holds no text, only pictures; run OCR over it first")
    return text


def _docx(path: Path) -> str:
    document = _package("docx", "Word files").Document(str(path))
    parts = [p.text for p in document.paragraphs]
    parts += ["\t".join(cell.text for cell in row.cells) for table in document.tables for row in table.rows]
    return "\n".join(part for part in parts if part.strip())


def _package(module: str, what: str) -> Any:
    import importlib

    try:
        return importlib.import_module(module)
    except ImportError as missing:
        raise MissingExtraError(f"reading {what}", "pip install 'steelyard[documents]'") from missing


READERS: Mapping[str, Callable[[Path], str]] = {
    ".txt": _plain,
    ".md": _plain,
    ".html": _html,
    ".htm": _html,
    ".pdf": _pdf,
    ".docx": _docx,
}
"""suffix -> how its text is read"""
