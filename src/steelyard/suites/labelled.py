"""Texts with a label each, from a table of the user's: what classification and clustering are measured on."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from steelyard.errors import SuiteError
from steelyard.suites.findings import Findings, Place
from steelyard.suites.formats.records import SUFFIXES, rows
from steelyard.suites.reading import as_text
from steelyard.suites.suite import Card


@dataclass(frozen=True)
class Labelled:
    """Texts with one label each, in the order of their file.

    Attributes:
        name: how they are asked for, or the table's name.
        texts: each once.
        labels: of them.
        card: what is known of them besides.
    """

    name: str
    texts: tuple[str, ...]
    labels: tuple[str, ...]
    card: Card = field(default_factory=Card)

    @property
    def commonest(self) -> float:
        """How often the most frequent label would be right."""
        return max(Counter(self.labels).values()) / len(self.labels)

    @property
    def checksum(self) -> str:
        """sha256 over texts and labels."""
        digest = hashlib.sha256()
        for part in (p for pair in zip(self.texts, self.labels, strict=True) for p in pair):
            raw = part.encode("utf-8", "surrogatepass")
            digest.update(len(raw).to_bytes(8, "little") + raw)
        return digest.hexdigest()


def read_labelled(path: Path, text: str = "text", label: str = "label") -> Labelled:
    """Reads a table of texts and labels (JSON Lines, CSV, TSV, Parquet); a text that comes twice is kept once.

    Raises:
        SuiteError: with every line that is not what it should be, or a text with two labels.
    """
    if not path.is_file() or path.suffix.lower() not in SUFFIXES:
        raise SuiteError(f"is no table of texts and labels; give a file that ends in {', '.join(SUFFIXES)}", str(path))
    findings = Findings(f"a table with the columns {text} and {label}")
    found: dict[str, str] = {}
    for number, row in rows(path, findings):
        _take(row, (text, label), Place(path, number), findings, found)
    if not found:
        findings.add("holds no labelled text", Place(path))
    findings.check()
    return Labelled(path.stem, tuple(found), tuple(found.values()))


def _take(
    row: Mapping[str, Any], columns: tuple[str, str], place: Place, findings: Findings, found: dict[str, str]
) -> None:
    missing = [c for c in columns if c not in row]
    if missing:
        there = ", ".join(map(repr, row)) or "nothing"
        findings.add(f"has no column {missing[0]!r}; there is {there}. Name yours: --text or --label", place, once=True)
        return
    text = as_text(row[columns[0]], columns[0], place, findings, filled=True)
    raw = row[columns[1]]
    label = str(raw) if isinstance(raw, int) else as_text(raw, columns[1], place, findings, filled=True)
    if text is None or label is None:
        return
    if found.setdefault(text, label) != label:
        findings.add(f"gives {text[:30]!r} the label {label!r}, and an earlier line {found[text]!r}", place)
