"""TREC's forms: topics, qrels, and documents, in one folder.

* ``topics*``: ``<top>`` blocks with ``<num>`` and ``<title>``, or lines of id, tab, text.
* ``qrels*``: lines of query id, iteration, document id, grade, parted by blanks.
* ``docs*`` (or ``documents*``, ``corpus*``): ``<DOC>`` blocks with ``<DOCNO>``, lines of id, tab, text, or JSON Lines.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from pathlib import Path

from steelyard.suites.building import SuiteBuilder
from steelyard.suites.findings import Findings, Place
from steelyard.suites.formats.columns import Columns
from steelyard.suites.formats.tables import DOCUMENT_COLUMNS, DOCUMENT_NAMES, take_documents
from steelyard.suites.reading import as_grade, as_id, lines
from steelyard.suites.suite import Card, Suite

_TAG = re.compile(r"</?[A-Za-z][A-Za-z0-9_-]*(?:\s[^<>]*)?>")
_DOCNO = re.compile(r"<DOCNO>\s*(.*?)\s*</DOCNO>", re.IGNORECASE | re.DOTALL)
_NUMBER = re.compile(r"<num>\s*(?:Number:)?\s*([^<\s]+)", re.IGNORECASE)
_TITLE = re.compile(r"<title>\s*(?:Topic:)?\s*([^<]*)", re.IGNORECASE)


PARTS = {"topics": ("topics",), "qrels": ("qrels",), "docs": DOCUMENT_NAMES}
"""What a TREC folder consists of, and how the names of each part begin."""


def find(folder: Path) -> tuple[Path, Path, Path] | None:
    """The topics, qrels and documents of a folder; None where one is not there or not the only one."""
    found = [_one(folder, prefixes) for prefixes in PARTS.values()]
    topics, qrels, documents = found
    return None if topics is None or qrels is None or documents is None else (topics, qrels, documents)


def _one(folder: Path, prefixes: tuple[str, ...]) -> Path | None:
    files = called(folder, prefixes)
    return files[0] if len(files) == 1 else None


def called(folder: Path, prefixes: tuple[str, ...]) -> list[Path]:
    """The files of a folder whose names begin in one of some ways."""
    return [p for p in sorted(folder.iterdir()) if p.is_file() and p.name.lower().startswith(prefixes)]


def load(files: tuple[Path, Path, Path], name: str, findings: Findings) -> Suite:
    """A suite from topics, qrels and documents."""
    topics, qrels, documents = files
    builder = SuiteBuilder(findings)
    _take_topics(topics, builder)
    if documents.suffix.lower() in {".jsonl", ".json", ".ndjson"}:
        take_documents(documents, Columns({}, DOCUMENT_COLUMNS), builder)
    else:
        _take_documents(documents, builder)
    for number, line in lines(qrels, findings):
        _take_judgement(line, builder, Place(qrels, number))
    source = f"TREC files ({', '.join(p.name for p in files)})"
    return builder.build(name, Card(source=source), topics.parent, only=builder.judgements.keys())


def _take_judgement(line: str, builder: SuiteBuilder, place: Place) -> None:
    fields = line.split()
    if len(fields) != 4:
        builder.findings.add(
            f"has {len(fields)} fields; a qrels line has four: query id, iteration, document id, grade", place
        )
        return
    grade = as_grade(fields[3], place, builder.findings)
    if grade is not None:
        builder.judge(fields[0], fields[2], grade, place)


def _take_topics(path: Path, builder: SuiteBuilder) -> None:
    for place, block in _blocks(path, "top", builder.findings):
        if isinstance(block, tuple):
            builder.query(*block, None, place)
            continue
        number, title = _NUMBER.search(block), _TITLE.search(block)
        if number is None or title is None:
            builder.findings.add("a <top> block needs <num> and <title>", place)
        else:
            builder.query(number[1], " ".join(html.unescape(title[1]).split()), None, place)


def _take_documents(path: Path, builder: SuiteBuilder) -> None:
    for place, block in _blocks(path, "DOC", builder.findings):
        if isinstance(block, tuple):
            builder.document(*block, place)
            continue
        number = _DOCNO.search(block)
        document_id = as_id(number[1] if number else "", "DOCNO", place, builder.findings)
        if document_id is not None:
            text = html.unescape(_TAG.sub(" ", _DOCNO.sub(" ", block)))
            builder.document(document_id, "\n".join(filter(None, map(str.strip, text.splitlines()))), place)


def _blocks(path: Path, tag: str, findings: Findings) -> Iterator[tuple[Place, str | tuple[str, str]]]:
    """The insides of ``<tag>`` blocks, or the (id, text) of tab-separated lines outside of them."""
    opening, closing = f"<{tag}>".lower(), f"</{tag}>".lower()
    inside: list[str] | None = None
    start = Place(path)
    for number, line in lines(path, findings):
        mark = line.strip().lower()
        if mark.startswith(opening):
            if inside is not None:
                findings.add(f"the <{tag}> before this line has no </{tag}>", start)
            inside, start = [], Place(path, number)
            line, mark = line.strip()[len(opening) :], mark[len(opening) :]
        if inside is None:
            key, tab, text = line.partition("\t")
            if tab and key.strip():
                yield Place(path, number), (key.strip(), text.strip())
            else:
                findings.add(f"is neither in a <{tag}> block nor a line of id, tab, text", Place(path, number))
        elif mark.endswith(closing):
            yield start, "\n".join([*inside, line.rstrip()[: -len(closing)]])
            inside = None
        else:
            inside.append(line)
    if inside is not None:
        findings.add(f"this <{tag}> has no </{tag}>", start)
