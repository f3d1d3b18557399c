import gzip
import json
import re
from pathlib import Path
from typing import Any

import pytest

from steelyard.errors import SuiteError, UsageError
from steelyard.suites.load import Form, load_suite, recognise
from steelyard.types import TrapKind

HEADER = {"suite": "mine", "version": "0.1", "licence": "CC0", "canary": "c-1"}
GROUP = {
    "id": "negation-001",
    "category": "negation",
    "query": "能退款吗",
    "documents": [
        {"id": "n1-a", "kind": "lookalike", "text": "不能退款"},
        {"id": "n1-b", "kind": "positive", "text": "钱可以原路返还"},
    ],
    "why": "只有一条说可以",
}


def jsonl(*rows: Any) -> Any:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def write(folder: Any, files: Any) -> Any:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return folder


BEIR = {
    "corpus.jsonl": jsonl(
        {"_id": "d1", "title": "退款", "text": "七天内可退"}, {"_id": "d2", "title": "", "text": "发货时间"}
    ),
    "queries.jsonl": jsonl({"_id": "q1", "text": "怎么退款"}, {"_id": "q2", "text": "只在训练集"}),
    "qrels/test.tsv": "query-id\tcorpus-id\tscore\nq1\td1\t2\nq1\td2\t0\n",
    "qrels/train.tsv": "query-id\tcorpus-id\tscore\nq2\td2\t1\n",
}
PLAIN = {"queries.txt": "怎么退款\n发货\n", "docs.txt": "七天内可退\n明天发\n\n", "pairs.tsv": "1\t1\n2\t2\t3\n"}
TREC = {
    "topics.txt": "<top>\n<num> Number: 301\n<title> 怎么 &amp; 退款\n<desc> Description:\nx\n</top>\n",
    "qrels.txt": "301 0 D-1 1\n301 0 D-2 0\n",
    "docs.trec": "<DOC>\n<DOCNO> D-1 </DOCNO>\n<TEXT>\n七天内可退 a &lt; b\n</TEXT>\n</DOC>\n"
    "<DOC>\n<DOCNO>D-2</DOCNO>\n<TEXT>发货</TEXT>\n</DOC>\n",
}
TABLES = {
    "queries.csv": 'id,text,category\n1,"怎么退款, 多久\n到账",售后\n',
    "documents.jsonl": jsonl({"id": "a", "text": "七天"}, {"id": "b", "text": "三天"}),
    "judgements.tsv": "query_id\tdocument_id\tgrade\n1\ta\t1\n",
}


def test_beir(tmp_path: Path) -> None:
    folder = write(tmp_path / "shop", BEIR)
    assert recognise(folder) is Form.BEIR
    suite = load_suite(folder)
    assert suite.name == "shop"
    assert [(q.id, q.text) for q in suite.queries] == [("q1", "怎么退款")]
    assert [(d.id, d.text) for d in suite.documents] == [("d1", "退款 七天内可退"), ("d2", "发货时间")]
    assert suite.judgements == {"q1": {"d1": 2, "d2": 0}}
    assert "BEIR" in suite.card.source
    assert "1 of 2 queries" in suite.card.source
    assert [q.id for q in load_suite(folder, split="train").queries] == ["q2"]
    with pytest.raises(SuiteError, match=r"no qrels/dev\.tsv; splits there: test, train"):
        load_suite(folder, split="dev")


def test_plain(tmp_path: Path) -> None:
    suite = load_suite(write(tmp_path, PLAIN))
    assert [(d.id, d.text) for d in suite.documents] == [("1", "七天内可退"), ("2", "明天发")]
    assert suite.judgements == {"1": {"1": 1}, "2": {"2": 3}}


def test_trec(tmp_path: Path) -> None:
    folder = write(tmp_path, TREC)
    assert recognise(folder) is Form.TREC
    suite = load_suite(folder)
    assert [(q.id, q.text) for q in suite.queries] == [("301", "怎么 & 退款")]
    assert [(d.id, d.text) for d in suite.documents] == [("D-1", "七天内可退 a < b"), ("D-2", "发货")]
    assert suite.judgements == {"301": {"D-1": 1, "D-2": 0}}


def test_trec_with_tab_separated_topics_and_json_documents(tmp_path: Path) -> None:
    files = {
        "topics.tsv": "301\t怎么退款\n",
        "qrels": TREC["qrels.txt"],
        "docs.jsonl": jsonl({"docid": "D-1", "contents": "七天"}, {"docno": "D-2", "text": "发货"}),
    }
    suite = load_suite(write(tmp_path, files))
    assert [d.id for d in suite.documents] == ["D-1", "D-2"]
    assert suite.queries[0].text == "怎么退款"


def test_three_tables_of_different_kinds(tmp_path: Path) -> None:
    suite = load_suite(write(tmp_path, TABLES))
    assert (suite.queries[0].text, suite.queries[0].category) == ("怎么退款, 多久\n到账", "售后")
    assert suite.judgements == {"1": {"a": 1}}


def test_traps(tmp_path: Path) -> None:
    path = write(tmp_path, {"mine.jsonl": jsonl(HEADER, GROUP)}) / "mine.jsonl"
    suite = load_suite(path)
    assert (suite.name, suite.card.canary, suite.card.licence) == ("mine", "c-1", "CC0")
    assert suite.traps == {"negation-001": {"n1-a": TrapKind.LOOKALIKE, "n1-b": TrapKind.POSITIVE}}
    assert suite.judgements == {"negation-001": {"n1-a": 0, "n1-b": 1}}
    assert suite.queries[0].category == "negation"


def test_traps_without_header_or_document_ids(tmp_path: Path) -> None:
    bare = GROUP | {"documents": [{k: d[k] for k in ("kind", "text")} for d in GROUP["documents"]]}  # type: ignore[index]
    path = write(tmp_path, {"draft.jsonl": jsonl(bare)}) / "draft.jsonl"
    assert recognise(path) is Form.TRAPS
    assert [d.id for d in load_suite(path).documents] == ["negation-001-a", "negation-001-b"]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_pairs_in_every_form_give_the_same_suite(tmp_path: Path, end: str, mark: str) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    rows = [("怎么退款", "七天内", 1), ("怎么退款", "明天发", 0), ("发货", "明天发", 1)]
    names = ("query", "document", "grade")
    as_dicts = [dict(zip(names, row, strict=True)) for row in rows]
    text = "".join(",".join(map(str, row)) + end for row in [names, *rows])
    files = {
        "a.csv": mark + text,
        "a.tsv": mark + text.replace(",", "\t"),
        "s.csv": mark + text.replace(",", ";"),
        "a.jsonl": mark + jsonl(*as_dicts).replace("\n", end),
    }
    write(tmp_path, files)
    parquet.write_table(pyarrow.Table.from_pylist(as_dicts), tmp_path / "a.parquet")
    suites = [load_suite(tmp_path / name, name="x") for name in (*files, "a.parquet")]
    assert len({suite.checksum for suite in suites}) == 1
    assert suites[0].judgements == {"q1": {"d1": 1, "d2": 0}, "q2": {"d2": 1}}


def test_mapping_columns(tmp_path: Path) -> None:
    path = write(tmp_path, {"a.csv": "ask,reply,stars\n怎么退,七天,2\n"}) / "a.csv"
    with pytest.raises(SuiteError, match=r"no field 'query' .*there is 'ask', 'reply', 'stars'.*query=COLUMN"):
        load_suite(path)
    suite = load_suite(path, mapping={"query": "ask", "document": "reply", "grade": "stars"})
    assert suite.judgements == {"q1": {"d1": 2}}
    with pytest.raises(UsageError, match="cannot map querry; the fields are query"):
        load_suite(path, mapping={"querry": "ask"})
    with pytest.raises(UsageError, match="takes no mapping"):
        load_suite(write(tmp_path / "p", PLAIN), mapping={"query": "ask"})
    with pytest.raises(UsageError, match="no splits"):
        load_suite(path, split="test")


def test_lists_of_positives_and_negatives(tmp_path: Path) -> None:
    rows = [{"query": "怎么退", "pos": ["七天", "可退"], "neg": ["发货"]}, {"query": "", "document": "没人问的"}]
    path = write(tmp_path, {"a.jsonl": jsonl(*rows)}) / "a.jsonl"
    suite = load_suite(path)
    assert suite.judgements == {"q1": {"d1": 1, "d2": 1, "d3": 0}}
    assert [d.text for d in suite.documents] == ["七天", "可退", "发货", "没人问的"]


def broken(**changes: Any) -> Any:
    return GROUP | changes


TRAP_ERRORS = [
    (jsonl(HEADER) + "{bad\n", 2, "is not JSON"),
    (jsonl(HEADER, [1]), 2, "is a JSON list"),
    (jsonl(HEADER, GROUP, GROUP), 3, "duplicate query id 'negation-001', first on line 2"),
    (jsonl(HEADER, {k: v for k, v in GROUP.items() if k != "query"}), 2, "missing: query"),
    (jsonl(HEADER, broken(query=7)), 2, "field 'query' is a number, not a text"),
    (jsonl(HEADER, broken(query=" ")), 2, "field 'query' is empty"),
    (jsonl(HEADER, broken(documents="x")), 2, "not a list of objects"),
    (jsonl(HEADER, broken(documents=[{"kind": "evil", "text": "x"}])), 2, "unknown kind 'evil'; kinds: positive"),
    (
        jsonl(HEADER, broken(documents=[{"kind": "lookalike", "text": "x"}])),
        2,
        "exactly one positive document, this one has 0",
    ),
    (jsonl(HEADER, broken(query="a\0b")), 2, "holds a NUL character"),
    (json.dumps(HEADER) + '\n{"id": "x", "query": "\\ud800"}\n', 2, "is not JSON"),
    (jsonl(HEADER).encode() + "能退款".encode("gbk") + b"\n", 2, "is not UTF-8 (byte 0x"),
    (jsonl(HEADER) + "a\0b\n", 2, "holds a NUL character at column 2"),
    ("", None, "is empty"),
    ("\ufeff\n\n", None, "is empty"),
    (jsonl(HEADER), None, "holds no query"),
    (gzip.compress(b"x", mtime=0), None, "gzip-compressed"),
    ("x".encode("utf-16"), None, "is UTF-16; save it as UTF-8"),
]


@pytest.mark.parametrize(("content", "line", "message"), TRAP_ERRORS)
def test_malformed_trap_files_name_the_line(tmp_path: Path, content: Any, line: Any, message: Any) -> None:
    path = write(tmp_path, {"mine.jsonl": content}) / "mine.jsonl"
    with pytest.raises(SuiteError, match=re.escape(message)) as caught:
        load_suite(path)
    assert caught.value.path == str(path)
    assert caught.value.line == line


FOLDER_ERRORS = [
    (TREC | {"qrels.txt": "301 0 D-1 1\n301 D-2 0\n"}, "qrels.txt:2: has 3 fields; a qrels line has four"),
    (TREC | {"qrels.txt": "301 0 D-1 gut\n"}, "qrels.txt:1: grade 'gut' is not a whole number"),
    (TREC | {"docs.trec": "<DOC>\n<DOCNO>D</DOCNO>\n"}, "docs.trec:1: this <DOC> has no </DOC>"),
    (TREC | {"docs.trec": "<DOC>\n<TEXT>x</TEXT></DOC>\n"}, "docs.trec:1: field 'DOCNO' is empty"),
    (TREC | {"topics.txt": "<top><num> 1 </top>\n"}, "topics.txt:1: a <top> block needs <num> and <title>"),
    (TREC | {"topics.txt": "nothing\n"}, "topics.txt:1: is neither in a <top> block"),
    (PLAIN | {"pairs.tsv": "1 1\n"}, "pairs.tsv:1: has 1 fields; a pair is"),
    (PLAIN | {"pairs.tsv": "1\t9\n"}, "pairs.tsv:1: there is no document on line '9' of docs.txt"),
    ({k: v for k, v in PLAIN.items() if k != "pairs.tsv"}, "missing: pairs.tsv"),
    (BEIR | {"qrels/test.tsv": "q1\td1\t1\nq1\td2\t1\n"}, "test.tsv:2: no field 'query_id'"),
    (BEIR | {"qrels/test.tsv": BEIR["qrels/test.tsv"] + "q1\td1\t1\n"}, "were judged 2 before and 1 here"),
    (
        BEIR | {"qrels/test.tsv": "query-id\tcorpus-id\tscore\nq1\td1\n"},
        "test.tsv:2: has 2 fields where the header has 3",
    ),
    (BEIR | {"qrels/test.tsv": "query-id\tcorpus-id\tscore\nq1\td1\t1.5\n"}, "grade '1.5' is not a whole number"),
    (BEIR | {"qrels/test.tsv": "query-id\tcorpus-id\tscore\nq1\td1\t99999\n"}, "grade 99999 is beyond 1000"),
    (BEIR | {"corpus.jsonl": BEIR["corpus.jsonl"] * 2}, "corpus.jsonl:3: duplicate document id 'd1', first on line 1"),
    (BEIR | {"corpus.jsonl": jsonl({"_id": "d1", "text": None})}, "corpus.jsonl:1: field 'text' is null; fill it"),
    (BEIR | {"corpus.jsonl": jsonl({"_id": True, "text": "x"})}, "field 'document_id' is a truth value"),
    (
        TABLES | {"queries.csv": 'id,text\n1,"open\n'},
        "is not CSV (unexpected end of data; a double quote is open at the end)",
    ),
    (TABLES | {"queries.csv": "id,text,id\n1,a,2\n"}, "the header names a column twice: 'id'"),
]


@pytest.mark.parametrize(("files", "message"), FOLDER_ERRORS)
def test_malformed_folders_name_file_and_line(tmp_path: Path, files: Any, message: Any) -> None:
    with pytest.raises(SuiteError, match=re.escape(message)):
        load_suite(write(tmp_path, files))


def test_up_to_twenty_findings_at_once(tmp_path: Path) -> None:
    write(
        tmp_path,
        {"two.jsonl": jsonl(HEADER) + "{\n" + jsonl(broken(query=1)), "many.jsonl": jsonl(HEADER) + "{\n" * 50},
    )
    with pytest.raises(SuiteError) as caught:
        load_suite(tmp_path / "two.jsonl")
    text = str(caught.value)
    assert f"{tmp_path}/two.jsonl:2: is not JSON" in text
    assert f"{tmp_path}/two.jsonl:3: field 'query'" in text
    assert text.endswith("(taken for a trap file)")
    with pytest.raises(SuiteError, match="stopped after 20 findings") as caught:
        load_suite(tmp_path / "many.jsonl")
    assert str(caught.value).count("is not JSON") == 20


def test_what_is_no_suite_at_all(tmp_path: Path) -> None:
    with pytest.raises(SuiteError, match="no such file"):
        load_suite(tmp_path / "nothing")
    with pytest.raises(SuiteError, match=r"holds notes\.md, which is not a suite; what fits is"):
        load_suite(write(tmp_path, {"notes.md": "x"}))
    with pytest.raises(SuiteError, match=r"a file of kind '\.md' cannot be read"):
        load_suite(tmp_path / "notes.md")
    with pytest.raises(SuiteError, match="cannot be read as Parquet"):
        load_suite(write(tmp_path, {"a.parquet": "PAR1 not really"}) / "a.parquet")


def test_line_separators_inside_texts_end_no_line(tmp_path: Path) -> None:
    rows = [{"query": "a\u2028b\u0085c", "document": "d\x1ce"}]
    path = write(tmp_path, {"a.jsonl": jsonl(*rows)}) / "a.jsonl"
    assert load_suite(path).queries[0].text == "a\u2028b\u0085c"


def test_fields_longer_than_the_csv_module_allows(tmp_path: Path) -> None:
    import csv

    before = csv.field_size_limit()
    path = write(tmp_path, {"a.csv": f"query,document\n短,{'长' * 200_000}\n"}) / "a.csv"
    assert len(load_suite(path).documents[0].text) == 200_000
    assert csv.field_size_limit() == before
