"""Files and folders as people have them: malformed, or merely unusual; see inputs_table.py."""

from __future__ import annotations

import gzip
import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass

Content = str | bytes


@dataclass(frozen=True)
class Case:
    """One input.

    Attributes:
        kind: the section of the page.
        what: in words.
        command: what is typed behind ``steelyard``.
        files: path -> content.
    """

    kind: str
    what: str
    command: tuple[str, ...]
    files: Mapping[str, Content]


def _rows(*rows: object) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def _csv(what: str, text: Content, *options: str, name: str = "faq.csv") -> Case:
    return Case("CSV and TSV", what, ("suites", "check", name, *options), {name: text})


def _json(what: str, text: Content, name: str = "faq.jsonl") -> Case:
    return Case("JSON Lines, JSON, Parquet", what, ("suites", "check", name), {name: text})


_BEIR = {
    "shop/corpus.jsonl": _rows({"_id": "d1", "title": "退款", "text": "七天内可退"}, {"_id": "d2", "text": "明天发货"}),
    "shop/queries.jsonl": _rows({"_id": "q1", "text": "怎么退款"}, {"_id": "q2", "text": "多久发货"}),
    "shop/qrels/test.tsv": "query-id\tcorpus-id\tscore\nq1\td1\t1\nq2\td2\t1\n",
}


def _beir(what: str, changes: Mapping[str, Content | None], *options: str) -> Case:
    files = {**_BEIR, **{f"shop/{name}": content for name, content in changes.items()}}
    kept = {name: content for name, content in files.items() if content is not None}
    return Case("BEIR folders", what, ("suites", "check", "shop", *options), kept)


def _qrels(text: str) -> Mapping[str, Content | None]:
    return {"qrels/test.tsv": text}


_TREC = {
    "runs/topics.txt": "<top>\n<num> Number: 301\n<title> 怎么退款\n</top>\n",
    "runs/qrels.txt": "301 0 D-1 1\n301 0 D-2 0\n",
    "runs/docs.trec": "<DOC>\n<DOCNO>D-1</DOCNO>\n七天内可退\n</DOC>\n<DOC>\n<DOCNO>D-2</DOCNO>\n明天发货\n</DOC>\n",
}


def _trec(what: str, changes: Mapping[str, Content | None]) -> Case:
    files = {**_TREC, **{f"runs/{name}": content for name, content in changes.items()}}
    kept = {name: content for name, content in files.items() if content is not None}
    return Case("TREC folders and others", what, ("suites", "check", "runs"), kept)


def _other(what: str, files: Mapping[str, Content], path: str) -> Case:
    return Case("TREC folders and others", what, ("suites", "check", path), files)


def _zipped(**files: str) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return data.getvalue()


_GOOD = "问题,答案,相关性\n怎么退款,七天内可退,1\n怎么退款,明天发货,0\n多久发货,明天发货,1\n"

_CSV = [
    _csv("grades under 相关性, an explicit 0 among them", _GOOD),
    _csv("columns 标准问 and 标准答案, no grades", "标准问,标准答案\n怎么退款,七天内可退\n多久发货,明天发货\n"),
    _csv("grades under a name that nobody else uses", _GOOD.replace("相关性", "有用吗")),
    _csv("the same, mapped", _GOOD.replace("相关性", "有用吗"), "--map", "grade=有用吗"),
    _csv("clicks instead of grades", "question,answer,clicks\n怎么退款,七天内可退,12\n多久发货,明天发货,1\n"),
    _csv("是 and 否 as grades", _GOOD.replace(",1\n", ",是\n").replace(",0\n", ",否\n").replace("相关性", "是否相关")),
    _csv("saved by Chinese Excel (GBK)", _GOOD.encode("gbk")),
    _csv("the same, with its encoding", _GOOD.encode("gbk"), "--encoding", "gbk"),
    _csv("Excel's Unicode text (UTF-16)", _GOOD.encode("utf-16")),
    _csv("an encoding that does not exist", _GOOD, "--encoding", "gbk9"),
    _csv("a header and no row", "问题,答案\n"),
    _csv("an empty file", ""),
    _csv("no header", "怎么退款,七天内可退\n多久发货,明天发货\n"),
    _csv("columns called ask and reply", "ask,reply\n怎么退款,七天内可退\n"),
    _csv("a mapping of a field that does not exist", _GOOD, "--map", "qestion=问题"),
    _csv("an answer that holds a comma, without quotes", "question,answer\nrefund?,yes, in a week\n"),
    _csv("a double quote that is never closed", 'question,answer\nrefund?,"in a week\n'),
    _csv("a column named twice", "question,answer,answer\na,b,c\n"),
    _csv("columns separated by blanks", "question answer\nrefund week\n"),
    _csv("separated by |", _GOOD.replace(",", "|")),
    _csv("Excel's first line sep=;", "sep=;\n" + _GOOD.replace(",", ";")),
    _csv("all grades 0", _GOOD.replace(",1\n", ",0\n")),
    _csv("similarities as grades", _GOOD.replace(",1\n", ",0.83\n")),
    _csv("a grade that is empty", _GOOD.replace(",0\n", ",\n")),
    _csv("a grade of 99999", _GOOD.replace(",0\n", ",99999\n")),
    _csv("one pair graded 1 and 0", _GOOD + "怎么退款,七天内可退,0\n"),
    _csv("an id with two texts", "qid,question,answer\n1,怎么退款,七天内可退\n1,多久发货,明天发货\n"),
    _csv("a NUL character", "question,answer\nrefund\0?,week\n"),
    _csv("lines that end with a carriage return alone", "question,answer\ra,b\rc,d\r"),
    _csv("texts nan and NULL", "question,answer\n怎么退款,nan\n多久发货,NULL\n"),
    _csv("commas in a .tsv", "question,answer\na,b\n", name="faq.tsv"),
    _csv("an Excel file named .csv", _zipped(**{"xl/workbook.xml": "<x/>"})),
    _csv("a damaged .xlsx", b"PK\x03\x04 cut off", name="faq.xlsx"),
    _csv("a Word file", _zipped(**{"word/document.xml": "<x/>"}), name="faq.docx"),
]

_JSON = [
    _json("FlagEmbedding's training file", _rows({"query": "怎么退款", "pos": ["七天内可退"], "neg": ["明天发货"]})),
    _json("anchor, positive, negative", _rows({"anchor": "怎么退款", "positive": "七天内", "negative": "明天发货"})),
    _json("a line that is cut off", _rows({"query": "a", "document": "b"}) + '{"query": "c", "docu\n'),
    _json("one list in a .json", json.dumps([{"query": "怎么退款", "document": "七天"}], indent=1), "faq.json"),
    _json("one object over many lines", json.dumps({"data": [{"query": "a"}]}, indent=1), "faq.json"),
    _json("a text that is null", _rows({"query": "怎么退款", "document": None})),
    _json("a text that is a number", _rows({"query": "怎么退款", "document": 7})),
    _json("a line that is a list", '["query", "document"]\n'),
    _json("queries without documents", _rows({"query": "怎么退款"}, {"query": "多久发货"})),
    _json("nested 100,000 deep", "[" * 100_000 + "]" * 100_000 + "\n"),
    _json("half of a surrogate pair", '{"query": "\\ud800", "document": "b"}\n'),
    _json("gzip under a plain name", gzip.compress(b'{"query": "a"}', mtime=0)),
    _json("a trap file with two right answers", _rows({"id": "g", "category": "c", "query": "q", "documents": [
        {"kind": "positive", "text": "a"}, {"kind": "positive", "text": "b"}]})),
    _json("no Parquet inside", b"PAR1 not really", "faq.parquet"),
]  # fmt: skip

_BEIRS = [
    _beir("as it should be", {}),
    _beir("integer ids against text ids", _qrels("query-id\tcorpus-id\tscore\n1\t1\t1\n2\t2\t1\n")),
    _beir("ids that pandas made 1.0", {"corpus.jsonl": _rows({"_id": "1", "text": "七天"}), "queries.jsonl":
        _rows({"_id": "1", "text": "怎么退款"}), **_qrels("query-id\tcorpus-id\tscore\n1.0\t1.0\t1\n")}),
    _beir("right answers that are not in the corpus", _qrels("query-id\tcorpus-id\tscore\nq1\tx9\t1\nq1\td1\t0\n")),
    _beir("all grades 0", _qrels("query-id\tcorpus-id\tscore\nq1\td1\t0\nq2\td2\t0\n")),
    _beir("qrels separated by blanks", _qrels("query-id corpus-id score\nq1 d1 1\n")),
    _beir("qrels without a header", _qrels("q1\td1\t1\nq2\td2\t1\n")),
    _beir("qrels with a header and no row", _qrels("query-id\tcorpus-id\tscore\n")),
    _beir("no queries.jsonl", {"queries.jsonl": None}),
    _beir("no qrels", {"qrels/test.tsv": None}),
    _beir("a split that is not there", {}, "--split", "dev"),
    _beir("a document twice", {"corpus.jsonl": _BEIR["shop/corpus.jsonl"] * 2}),
    _beir("a document whose text is null", {"corpus.jsonl": _rows({"_id": "d1", "text": None})}),
]  # fmt: skip

_OTHERS = [
    _trec("qrels with three fields", {"qrels.txt": "301 D-1 1\n"}),
    _trec("a grade in words", {"qrels.txt": "301 0 D-1 gut\n"}),
    _trec("qrels of another collection", {"qrels.txt": "401 0 X-1 1\n"}),
    _trec("a document that is never closed", {"docs.trec": "<DOC>\n<DOCNO>D-1</DOCNO>\n七天\n"}),
    _trec("no documents", {"docs.trec": None}),
    _trec("two files of qrels", {"qrels.dev": "301 0 D-1 1\n"}),
    _other("plain texts with a pair beyond the last line",
        {"faq/queries.txt": "怎么退款\n", "faq/docs.txt": "七天\n", "faq/pairs.tsv": "1\t9\n"}, "faq"),
    _other("a folder of other things", {"stuff/notes.md": "x", "stuff/scan.pdf": b"%PDF-1.7"}, "stuff"),
    _other("a path that does not exist", {}, "nowhere.csv"),
]  # fmt: skip


def _result(what: str, content: Content) -> Case:
    return Case("Result files", what, ("compare", "r.json"), {"r.json": content})


def _stored(**changes: object) -> str:
    system = {"name": "bm25", "values": {"top1": [1.0, 0.0]}}
    base: dict[str, object] = {
        "schema": "steelyard.result/1", "created": "2026-01-01T00:00:00+00:00", "measures": ["top1"], "seed": 1,
        "depth": 10, "complete": True, "queries": [{"id": "q1", "text": "a"}, {"id": "q2", "text": "b"}],
        "suite": {"name": "faq", "checksum": "x", "queries": 2, "documents": 2}, "systems": [system],
        "environment": {"steelyard": "", "python": "", "platform": "", "processor": "", "cores": 1,
                        "memory_bytes": 1, "packages": {}},
    }  # fmt: skip
    return json.dumps(base | changes)


_RESULTS = [
    _result("a measure that does not exist", _stored(measures=["goodness"])),
    _result("a negative seed", _stored(seed=-1)),
    _result("winners of one query of two", _stored(systems=[{
        "name": "bm25", "values": {"top1": [1.0, 0.0]}, "winners": ["positive"]}])),
    _result("a value beyond 1", _stored(systems=[{"name": "bm25", "values": {"top1": [1e308, 0.0]}}])),
    _result("a system called by terminal commands", _stored(systems=[{
        "name": "\x1b]0;owned\x07\x1b[2Jbm25", "values": {"top1": [1.0, 0.0]}}])),
    _result("cut off", _stored()[:200]),
    _result("a suite instead of a result", _rows({"query": "a", "document": "b"})),
]  # fmt: skip

_CONFIG = {"architectures": ["BertModel"], "model_type": "bert", "hidden_size": 8, "num_attention_heads": 2,
           "num_hidden_layers": 1, "intermediate_size": 8, "vocab_size": 10, "max_position_embeddings": 16,
           "type_vocab_size": 1, "layer_norm_eps": 1e-12, "hidden_act": "gelu"}  # fmt: skip


def _model(what: str, files: Mapping[str, Content]) -> Case:
    placed = {"faq.csv": _GOOD, **{f"model/{name}": content for name, content in files.items()}}
    return Case("Folders of models", what, ("weigh", "./model", "--suite", "faq.csv", "--no-cache"), placed)


_MODELS = [
    _model("a README alone", {"README.md": "x"}),
    _model("a config.json that is no JSON", {"config.json": "{"}),
    _model("no weights", {"config.json": json.dumps(_CONFIG), "tokenizer.json": "{}"}),
    _model("weights as a pickle alone", {"config.json": json.dumps(_CONFIG), "pytorch_model.bin": b"\x80\x04."}),
    _model("an architecture that no engine runs", {"config.json": json.dumps(_CONFIG | {
        "architectures": ["MambaModel"], "model_type": "mamba"}), "model.safetensors": b"\0" * 16}),
]  # fmt: skip

CASES = (*_CSV, *_JSON, *_BEIRS, *_OTHERS, *_RESULTS, *_MODELS)
