"""Files to lines and lines to fields, with a finding for every line that is not what it should be."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from steelyard.errors import SuiteError
from steelyard.suites.findings import Findings, Place

_MAGIC = {
    b"\x1f\x8b": "is gzip-compressed; unpack it first (gunzip)",
    b"PK\x03\x04": "is a zip archive; unpack it first (unzip)",
    b"\xff\xfe": "is UTF-16; save it as UTF-8",
    b"\xfe\xff": "is UTF-16; save it as UTF-8",
    b"PAR1": "is a Parquet file; give it a name that ends in .parquet",
}
_BOM = b"\xef\xbb\xbf"


def raw_lines(path: Path, findings: Findings) -> Iterator[tuple[int, str]]:
    """(one-based number, line with its end) of a UTF-8 file, a byte order mark taken off.

    Only a line feed ends a line: the other characters that Python's ``splitlines`` takes for one occur in texts.
    A line that is not UTF-8 or holds a NUL becomes a finding and is left out.

    Raises:
        SuiteError: when the file cannot be opened.
    """
    try:
        with path.open("rb") as file:
            empty = True
            for number, raw in enumerate(file, 1):
                if number == 1:
                    wrong = next((text for magic, text in _MAGIC.items() if raw.startswith(magic)), None)
                    if wrong:
                        findings.add(wrong, Place(path))
                        return
                    raw = raw.removeprefix(_BOM)
                empty = empty and not raw.strip()
                line = _decoded(raw, Place(path, number), findings)
                if line is not None:
                    yield number, line
    except OSError as error:
        raise SuiteError(f"cannot be read: {error.strerror}", str(path)) from error
    if empty:
        findings.add("is empty", Place(path))


def _decoded(raw: bytes, place: Place, findings: Findings) -> str | None:
    try:
        line = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        findings.add(
            f"is not UTF-8 (byte 0x{raw[error.start]:02x} at byte {error.start + 1} of the line); "
            f"if the file is GBK: iconv -f GB18030 -t UTF-8 {place.path.name} > utf8-{place.path.name}",
            place,
        )
        return None
    if "\0" in line:
        findings.add(f"holds a NUL character at column {line.index(chr(0)) + 1}; take it out", place)
        return None
    return line


def lines(path: Path, findings: Findings) -> Iterator[tuple[int, str]]:
    """(one-based number, line without its end); blank lines are skipped."""
    for number, line in raw_lines(path, findings):
        if line.strip():
            yield number, line.rstrip("\r\n")


def json_objects(path: Path, findings: Findings) -> Iterator[tuple[int, dict[str, Any]]]:
    """(one-based number, object) of a JSON Lines file."""
    for number, line in lines(path, findings):
        place = Place(path, number)
        try:
            value = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            why = str(error).replace(": line 1 column", ", column")
            findings.add(f"is not JSON ({why}); every line must be one JSON object", place)
            continue
        if not isinstance(value, dict):
            findings.add(f"is a JSON {_kind(value)}; every line must be one JSON object, {{...}}", place)
        else:
            yield number, value


def _kind(value: object) -> str:
    names = {str: "text", bool: "truth value", int: "number", float: "number", list: "list", dict: "object"}
    return names.get(type(value), "null")


def as_id(value: object, name: str, place: Place, findings: Findings) -> str | None:
    """An id as text; whole numbers are taken as their digits."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str):
        findings.add(f"field {name!r} is a {_kind(value)}, not a text or a whole number", place)
        return None
    return as_text(value, name, place, findings, filled=True)


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


def as_grade(value: object, place: Place, findings: Findings) -> int | None:
    """A whole-number grade from text or number; ``1.0`` counts as whole."""
    try:
        number = float(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else None
    except ValueError:
        number = None
    if number is None or number != number or not number.is_integer():
        findings.add(f"grade {value!r} is not a whole number", place)
        return None
    return int(number)
