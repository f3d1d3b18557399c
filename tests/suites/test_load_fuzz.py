"""Whatever lies in a file, it is a suite or a SuiteError, and soon."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from steelyard.errors import SuiteError
from steelyard.suites.load import load_suite
from steelyard.suites.suite import Suite

PIECES = [
    b"\n",
    b"\r\n",
    b"\t",
    b",",
    b'"',
    b"\0",
    b"\xff",
    b"\xef\xbb\xbf",
    b"{",
    b"}",
    b"[",
    b"1",
    b" ",
    "款".encode(),
]
PIECES += [
    b'{"query": "a", "document": "b"}',
    b"query,document\n",
    b"query\tdocument\n",
    b'{"suite": "x"}',
    b'"\\ud800"',
]
PIECES += [
    b"<top>",
    b"</top>",
    b"<num> 1",
    b"<title> x",
    b"<DOC>",
    b"</DOC>",
    b"<DOCNO>a</DOCNO>",
    b"1 0 a 1\n",
    b"1\t1\n",
]
PIECES += [
    b'{"id": "g", "category": "c", "query": "q", "documents": [{"kind": "positive", "text": "t"}]}',
    b"1e999",
    b"nan",
]
content = st.lists(st.sampled_from(PIECES), max_size=14).map(b"".join) | st.binary(max_size=60)


def read(path: Path) -> Any:
    try:
        return load_suite(path)
    except SuiteError as error:
        return error


def attempt(path: Path) -> None:
    suite = read(path)
    if isinstance(suite, SuiteError):
        assert path.name in str(suite)
        return
    assert isinstance(suite, Suite)
    assert suite.queries
    assert suite.documents
    assert suite.judgements
    assert len({q.id for q in suite.queries}) == len(suite.queries)
    assert len({d.id for d in suite.documents}) == len(suite.documents)
    for text in (*(q.text for q in suite.queries), *(d.text for d in suite.documents)):
        text.encode()
        assert "\0" not in text
    assert len(suite.checksum) == 64


@settings(max_examples=150)
@given(content, st.sampled_from([".jsonl", ".csv", ".tsv", ".parquet"]))
def test_files(tmp_path_factory: pytest.TempPathFactory, raw: Any, suffix: str) -> None:
    path = tmp_path_factory.mktemp("fuzz") / f"x{suffix}"
    path.write_bytes(raw)
    attempt(path)


@settings(max_examples=100)
@given(content, content, content, st.sampled_from(["trec", "plain", "beir", "tables"]))
def test_folders(
    tmp_path_factory: pytest.TempPathFactory, queries: Any, documents: Any, judgements: Any, form: str
) -> None:
    folder = tmp_path_factory.mktemp("fuzz")
    names = {
        "trec": ("topics", "docs", "qrels"),
        "plain": ("queries.txt", "docs.txt", "pairs.tsv"),
        "beir": ("queries.jsonl", "corpus.jsonl", "qrels/test.tsv"),
        "tables": ("queries.csv", "documents.jsonl", "judgements.tsv"),
    }[form]
    for name, raw in zip(names, (queries, documents, judgements), strict=True):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(raw)
    attempt(folder)
