"""A path becomes a suite: recognises the form, reads it, says what it took it for."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path

from steelyard.errors import SuiteError, UsageError
from steelyard.suites.findings import Findings
from steelyard.suites.formats import beir, plain, tables, traps, trec
from steelyard.suites.formats.columns import Columns
from steelyard.suites.formats.records import SUFFIXES
from steelyard.suites.reading import json_objects, read_encoding
from steelyard.suites.suite import Suite


class Form(StrEnum):
    """The forms that are recognised."""

    TRAPS = "a trap file"
    PAIRS = "a table of query-document pairs"
    BEIR = "a BEIR folder"
    PLAIN = "a folder of plain texts"
    TREC = "a folder of TREC files"
    TABLES = "a folder of three tables"


_FORMS = """a folder with
  - corpus.jsonl, queries.jsonl and qrels/*.tsv (BEIR), or
  - queries.txt, docs.txt and pairs.tsv (plain texts, pairs of line numbers), or
  - topics*, qrels* and docs* (TREC), or
  - queries, documents and judgements as .jsonl, .csv, .tsv, .xlsx or .parquet,
or a file: .jsonl, .csv, .tsv, .xlsx or .parquet with a row for each query-document pair, or a trap file (.jsonl)"""


def recognise(path: Path, encoding: str = "utf-8") -> Form:
    """What a path is taken for.

    Raises:
        SuiteError: when there is nothing, or nothing that fits.
    """
    if path.is_dir():
        return _folder(path)
    if not path.exists():
        raise SuiteError("there is no such file or folder", str(path))
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise SuiteError(
            f"a file of kind {suffix or 'none'!r} cannot be read as a suite; what fits is {_FORMS}", str(path)
        )
    if suffix in {".jsonl", ".json", ".ndjson"}:
        _, first = next(json_objects(path, Findings(encoding=encoding)), (0, {}))
        return Form.TRAPS if traps.is_trap_row(first) else Form.PAIRS
    return Form.PAIRS


def holds_traps(source: str | Path) -> bool:
    """Whether a path is a trap file; False where there is nothing, or nothing that can be read."""
    path = Path(source).expanduser()
    try:
        return path.is_file() and recognise(path) is Form.TRAPS
    except SuiteError:
        return False


def _folder(path: Path) -> Form:
    if (path / "corpus.jsonl").is_file() and (path / "queries.jsonl").is_file() and beir.splits(path):
        return Form.BEIR
    if any((path / name).is_file() for name in ("queries.txt", "docs.txt")):
        return Form.PLAIN
    if trec.find(path) is not None:
        return Form.TREC
    parts = (("queries",), tables.DOCUMENT_NAMES, tables.JUDGEMENT_NAMES)
    if all(tables.find_table(path, *stems) for stems in parts):
        return Form.TABLES
    lacking = _lacking(path)
    if lacking:
        raise SuiteError(lacking, str(path))
    there = ", ".join(sorted(p.name + "/" * p.is_dir() for p in path.iterdir())[:12]) or "nothing"
    raise SuiteError(f"holds {there}, which is not a suite; what fits is {_FORMS}", str(path))


def _lacking(path: Path) -> str:
    """What a folder lacks that is nearly a suite; empty where it is nearly none."""
    corpus, queries = (path / "corpus.jsonl").is_file(), (path / "queries.jsonl").is_file()
    parts = {"corpus.jsonl": corpus, "queries.jsonl": queries, "qrels/test.tsv": bool(beir.splits(path))}
    missing = [name for name, there in parts.items() if not there]
    if len(missing) == 1:
        return f"looks like a BEIR folder and has no {missing[0]}"
    topics = {kind: len(trec.called(path, prefixes)) for kind, prefixes in trec.PARTS.items()}
    wrong = [
        f"{count} files that begin with {kind}" if count else f"no file that begins with {kind}"
        for kind, count in topics.items()
        if count != 1
    ]
    return f"looks like a TREC folder and has {wrong[0]}" if len(wrong) == 1 else ""


def load_suite(
    source: str | Path,
    *,
    mapping: Mapping[str, str] | None = None,
    split: str | None = None,
    name: str | None = None,
    encoding: str = "",
) -> Suite:
    """Reads a suite from the user's own files; ``card.source`` says what they were taken for.

    Args:
        source: a folder or file in one of the forms of :class:`Form`.
        mapping: field -> column, for tables whose columns have other names than those looked for.
        split: which of the judgement files of a BEIR folder; ``test`` or else the first there.
        name: how the suite is called; the file's or folder's own name when None.
        encoding: of text files, as Python calls it; UTF-8 when empty.

    Raises:
        SuiteError: naming file and line of up to twenty things that are wrong.
        UsageError: when the mapping names a field that does not exist, the form takes no mapping or split, or there is
            no such encoding.
        MissingExtraError: for Parquet without pyarrow, a spreadsheet without python-calamine.
    """
    path = Path(source).expanduser()
    found = read_encoding(encoding)
    form = recognise(path, found)
    columns = Columns(mapping or {}).mapping
    if columns and form not in {Form.PAIRS, Form.BEIR, Form.TABLES}:
        raise UsageError(f"{path} is {form.value}, which takes no mapping of columns")
    if split is not None and form is not Form.BEIR:
        raise UsageError(f"{path} is {form.value}, which has no splits; only a BEIR folder has")
    findings = Findings(form.value, found)
    called = name or path.resolve().name.removesuffix(path.suffix if path.is_file() else "")
    return _load(path, form, called, columns, split, findings)


def _load(
    path: Path, form: Form, name: str, mapping: Mapping[str, str], split: str | None, findings: Findings
) -> Suite:
    match form:
        case Form.TRAPS:
            return traps.load(path, name, findings)
        case Form.PAIRS:
            return tables.load_pairs(path, name, mapping, findings)
        case Form.BEIR:
            return beir.load(path, name, mapping, split, findings)
        case Form.PLAIN:
            return plain.load(path, name, findings)
        case Form.TABLES:
            return tables.load_three(path, name, mapping, findings)
        case Form.TREC:
            files = trec.find(path)
            if files is None:
                raise SuiteError("the TREC files went away while they were being read", str(path))
            return trec.load(files, name, findings)
