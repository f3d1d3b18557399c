"""Files to lines and lines to fields, with a finding for every line that is not what it should be."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from steelyard.errors import SuiteError, UsageError
from steelyard.suites.findings import Findings, Place

_MAGIC = {
    b"\x1f\x8b": "is gzip-compressed; unpack it first (gunzip)",
    b"PK\x03\x04": "is a zip archive; unpack it first (unzip), or name it .xlsx if it is an Excel file",
    b"\xd0\xcf\x11\xe0": "is an Excel 97 file; name it .xls, or save the sheet as CSV UTF-8",
    b"PAR1": "is a Parquet file; give it a name that ends in .parquet",
}
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_BOM = b"\xef\xbb\xbf"
_WIDER = {"gbk": "gb18030", "gb2312": "gb18030", "utf-8-sig": "utf-8"}
"""Encodings read as another that holds all of theirs."""


def read_encoding(name: str) -> str:
    """An encoding as Python calls it; empty for UTF-8.

    Raises:
        UsageError: when there is none of that name.
    """
    try:
        found = codecs.lookup(name or "utf-8")
        "".encode(found.name)  # refuses codecs that do not make text
    except LookupError as error:
        raise UsageError(
            f"--encoding {name}: there is no such encoding; usual ones are gb18030, big5, utf-16"
        ) from error
    return _WIDER.get(found.name, found.name)


def raw_lines(path: Path, findings: Findings) -> Iterator[tuple[int, str]]:
    """(one-based number, line with its end) of a text file, a byte order mark taken off.

    Only a line feed ends a line: the other characters that Python's ``splitlines`` takes for one occur in texts.
    A line that holds a NUL becomes a finding and is left out; the first that is not in the encoding ends the file.

    Raises:
        SuiteError: when the file cannot be opened.
    """
    try:
        with path.open("rb") as file:
            start = file.read(8)
        wrong = next((text for magic, text in _MAGIC.items() if start.startswith(magic)), None)
        if wrong is None and findings.encoding == "utf-8" and start.startswith(_UTF16):
            wrong = "is UTF-16; save it as UTF-8, or add --encoding utf-16"
        if wrong:
            findings.add(wrong, Place(path))
            return
        yield from _decoded(path, findings)
    except OSError as error:
        raise SuiteError(f"cannot be read: {error.strerror}", str(path)) from error


def _decoded(path: Path, findings: Findings) -> Iterator[tuple[int, str]]:
    empty, number = True, 0
    try:
        for number, line in _text_lines(path, findings.encoding):
            empty = empty and not line.strip()
            if "\0" in line:
                column = line.index("\0") + 1
                findings.add(f"holds a NUL character at column {column}; take it out", Place(path, number))
            else:
                yield number, line
    except UnicodeDecodeError as error:
        findings.add(_not_in(findings.encoding, error), Place(path, number + 1))
        return
    if empty:
        findings.add("is empty", Place(path))


def _text_lines(path: Path, encoding: str) -> Iterator[tuple[int, str]]:
    if encoding != "utf-8":
        with path.open(encoding=encoding, newline="\n") as text:
            yield from ((number, line.removeprefix("\ufeff")) for number, line in enumerate(text, 1))
        return
    with path.open("rb") as file:
        for number, raw in enumerate(file, 1):
            yield number, (raw.removeprefix(_BOM) if number == 1 else raw).decode("utf-8")


def _not_in(encoding: str, error: UnicodeDecodeError) -> str:
    raw = error.object[error.start]
    if encoding != "utf-8":
        return f"is not {encoding} (byte 0x{raw:02x}); name the encoding that it was saved in: --encoding NAME"
    return (
        f"is not UTF-8 (byte 0x{raw:02x} at byte {error.start + 1} of the line); if it was saved in Chinese Windows or "
        "Excel, add --encoding gb18030, else the encoding that it was saved in, or save it as UTF-8"
    )


def lines(path: Path, findings: Findings) -> Iterator[tuple[int, str]]:
    """(one-based number, line without its end); blank lines are skipped."""
    for number, line in raw_lines(path, findings):
        if line.strip():
            yield number, line.rstrip("\r\n")


def json_objects(path: Path, findings: Findings) -> Iterator[tuple[int, dict[str, Any]]]:
    """(one-based number, object) of a JSON Lines file, or of a ``.json`` file that is one list of objects."""
    numbered = lines(path, findings)
    for number, line in numbered:
        if number == 1 and path.suffix.lower() == ".json" and line.lstrip().startswith("["):
            yield from _listed(path, [line, *(rest for _, rest in numbered)], findings)
            return
        place = Place(path, number)
        try:
            value = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            why = str(error).replace(": line 1 column", ", column")
            findings.add(f"is not JSON ({why}); every line must be one JSON object", place)
            if number == 1 and line.strip() in {
                "{",
                "[",
            }:  # one document over many lines: each of them would be a finding
                findings.add("this looks like one JSON document over many lines; write one object a line", place)
                return
            continue
        if not isinstance(value, dict):
            findings.add(f"is a JSON {_kind(value)}; every line must be one JSON object, {{...}}", place)
        else:
            yield number, value


def _listed(path: Path, parts: list[str], findings: Findings) -> Iterator[tuple[int, dict[str, Any]]]:
    """The objects of one JSON list; the number is the place in it."""
    try:
        values = orjson.loads("\n".join(parts))
    except orjson.JSONDecodeError as error:
        findings.add(f"is not JSON ({error.msg})", Place(path, error.lineno))
        return
    for number, value in enumerate(values, 1):
        if isinstance(value, dict):
            yield number, value
        else:
            findings.add(f"entry {number} of the list is a JSON {_kind(value)}, not an object {{...}}", Place(path))


def _kind(value: object) -> str:
    names = {str: "text", bool: "truth value", int: "number", float: "number", list: "list", dict: "object"}
    return names.get(type(value), "null")


def as_id(value: object, name: str, place: Place, findings: Findings) -> str | None:
    """An id as text, surrounding blanks taken off; whole numbers are taken as their digits."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str):
        findings.add(f"field {name!r} is a {_kind(value)}, not a text or a whole number", place)
        return None
    text = as_text(value, name, place, findings, filled=True)
    return None if text is None else text.strip()


def as_text(value: object, name: str, place: Place, findings: Findings, *, filled: bool = False) -> str | None:
    """A text; an empty one is a finding when it must be filled."""
    if not isinstance(value, str):
        findings.add(f"field {name!r} is a {_kind(value)}, not a text", place)
    elif "\0" in value:
        findings.add(f"field {name!r} holds a NUL character; take it out", place)
    elif filled and not value.strip():
        findings.add(f"field {name!r} is empty", place)
    else:
        return value
    return None


_YES = frozenset({"true", "yes", "y", "是", "相关", "有关"})
_NO = frozenset({"false", "no", "n", "否", "不是", "不相关", "无关"})


def as_grade(value: object, place: Place, findings: Findings) -> int | None:
    """A whole-number grade from text or number; ``1.0`` counts as whole, yes and no (是, 否) as 1 and 0."""
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, str) and value.strip().casefold() in _YES | _NO:
        return int(value.strip().casefold() in _YES)
    try:
        number = float(value) if isinstance(value, str | int | float) else None
    except ValueError:
        number = None
    if number is None or number != number or not number.is_integer():
        shown = "is empty" if value == "" else f"{value!r} is not a whole number"
        findings.add(
            f"grade {shown} (0 is not relevant, 1 or more is); if another column holds the grades: --map grade=COLUMN",
            place,
        )
        return None
    return int(number)
