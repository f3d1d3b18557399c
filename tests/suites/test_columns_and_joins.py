"""A user's data is read rightly: columns by the names people give them, and judgements that belong to what is there."""

import json
from pathlib import Path
from typing import Any

import pytest
from test_load_suite import BEIR, TREC, jsonl, write

from steelyard.errors import SuiteError, UsageError
from steelyard.suites.audit import remarks
from steelyard.suites.load import load_suite


def table(folder: Any, text: str | bytes, name: str = "a.csv", **options: Any) -> Any:
    return load_suite(write(folder, {name: text}) / name, **options)


@pytest.mark.parametrize(
    "grade",
    ["相关性", "等级", "标签", "分数", "得分", "是否相关", "相关度", "relevant", "Grade", "RELEVANCE", " 相关性 "],
)
def test_an_explicit_grade_is_read_whatever_its_column_is_called(tmp_path: Path, grade: str) -> None:
    suite = table(tmp_path, f"问题,答案,{grade}\n怎么退,七天,1\n怎么退,发货,0\n")
    assert suite.judgements == {"q1": {"d1": 1, "d2": 0}}


@pytest.mark.parametrize(
    ("query", "document"),
    [("问", "答"), ("标准问", "标准答案"), ("用户问题", "回答"), ("Question", "Answer"), ("anchor", "positive")],
)
def test_questions_and_answers_are_found_by_the_names_people_give_them(
    tmp_path: Path, query: str, document: str
) -> None:
    assert table(tmp_path, f"{query},{document}\n怎么退,七天\n").queries[0].text == "怎么退"


def test_every_column_that_was_not_used_is_named(tmp_path: Path) -> None:
    notes = table(tmp_path, "问题,答案,有用吗,clicks\n怎么退,七天,0,12\n发货,明天,1,1\n").card.notes
    assert any("columns that were not used: '有用吗', 'clicks'" in n for n in notes)
    assert any("no column of grades: every query-document pair counts as relevant" in n for n in notes)
    assert any("'clicks' looks like counts" in n and "--map grade=clicks" in n for n in notes)
    mapped = table(tmp_path, "问题,答案,clicks\n怎么退,七天,12\n发货,明天,1\n", mapping={"grade": "clicks"})
    assert mapped.judgements == {"q1": {"d1": 12}, "q2": {"d2": 1}}
    assert any("grades go up to 12: every grade of 1 or more counts as relevant" in n for n in mapped.card.notes)


@pytest.mark.parametrize(("yes", "no"), [("是", "否"), ("true", "FALSE"), ("相关", "不相关"), ("1.0", "0.0")])
def test_grades_in_words(tmp_path: Path, yes: str, no: str) -> None:
    suite = table(tmp_path, f"问题,答案,是否相关\n怎么退,七天,{yes}\n怎么退,发货,{no}\n")
    assert suite.judgements == {"q1": {"d1": 1, "d2": 0}}


def test_judgements_that_join_nothing_are_an_error_with_two_ids_side_by_side(tmp_path: Path) -> None:
    apart = BEIR | {"qrels/test.tsv": "query-id\tcorpus-id\tscore\n1\td001\t1\n"}
    with pytest.raises(SuiteError) as caught:
        load_suite(write(tmp_path, apart))
    assert "the judgements name query '1', the query file has 'q1'" in str(caught.value)
    assert "the judgements name document 'd001', the document file has 'd1'" in str(caught.value)
    assert caught.value.exit_code == 3


def test_a_query_whose_right_answer_is_not_there_is_an_error_where_it_is_all_there_is(tmp_path: Path) -> None:
    qrels = "query-id\tcorpus-id\tscore\nq1\tgone\t1\nq1\td1\t0\n"
    with pytest.raises(SuiteError, match="query 'q1' is answered by 'gone', and there is 'd1'"):
        load_suite(write(tmp_path, BEIR | {"qrels/test.tsv": qrels}))


def test_grades_of_zero_alone_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(SuiteError, match="none of the 2 judgements has a grade of 1 or more"):
        table(tmp_path, "问题,答案,得分\n怎么退,七天,0\n发货,明天,0\n")


def test_ids_join_across_number_and_text_and_blanks(tmp_path: Path) -> None:
    files = BEIR | {
        "corpus.jsonl": jsonl({"_id": 1, "text": "七天"}, {"_id": 2.0, "text": "明天"}),
        "queries.jsonl": jsonl({"_id": "7 ", "text": "怎么退"}),
        "qrels/test.tsv": "query-id\tcorpus-id\tscore\n7\t1\t1\n",
    }
    suite = load_suite(write(tmp_path, files))
    assert (suite.queries[0].id, [d.id for d in suite.documents]) == ("7", ["1", "2"])


def test_gbk_is_said_once_and_read_with_an_encoding(tmp_path: Path) -> None:
    text = "问题,答案\n怎么退,七天\n发货,明天\n".encode("gbk")
    with pytest.raises(SuiteError, match="--encoding gb18030") as caught:
        table(tmp_path, text)
    assert str(caught.value).count("is not UTF-8") == 1
    assert table(tmp_path, text, encoding="gbk").queries[0].text == "怎么退"
    assert table(tmp_path, text.decode("gbk").encode("utf-16"), encoding="utf-16").queries[1].text == "发货"
    with pytest.raises(UsageError, match="no such encoding; usual ones are gb18030"):
        table(tmp_path, text, encoding="gbk9")
    with pytest.raises(SuiteError, match="is not big5"):
        table(tmp_path, b"\xff\xff\n", encoding="big5")


def test_a_json_list_is_read_and_one_document_over_many_lines_is_said_once(tmp_path: Path) -> None:
    rows = [{"query": "怎么退", "document": "七天"}, {"query": "发货", "document": "明天"}]
    suite = table(tmp_path, json.dumps(rows, ensure_ascii=False, indent=1), "a.json")
    assert [q.text for q in suite.queries] == ["怎么退", "发货"]
    with pytest.raises(SuiteError, match="one JSON document over many lines") as caught:
        table(tmp_path, json.dumps({"data": rows}, indent=1), "b.json")
    assert str(caught.value).count("is not JSON") == 1
    with pytest.raises(SuiteError, match="entry 1 of the list is a JSON number"):
        table(tmp_path, "[1]", "c.json")


def test_separators_that_excel_gives_and_columns_without_a_name(tmp_path: Path) -> None:
    suite = table(tmp_path, "sep=;\n问题;答案;;\n怎么退;七天;;x\n")
    assert suite.queries[0].text == "怎么退"
    assert any("a column without a name was not used" in n for n in suite.card.notes)
    assert table(tmp_path, "问题|答案\n怎么退|七天\n").documents[0].text == "七天"


def test_spreadsheets(tmp_path: Path) -> None:
    openpyxl = pytest.importorskip("openpyxl")
    pytest.importorskip("python_calamine")
    book = openpyxl.Workbook()
    for row in (("问题", "答案", "相关性", "编号"), ("怎么退", 7, 1, 12.5), ("怎么退", "发货", 0, None)):
        book.active.append(row)
    book.create_sheet("更多").append(["x"])
    book.save(tmp_path / "a.xlsx")
    suite = load_suite(tmp_path / "a.xlsx")
    assert suite.judgements == {"q1": {"d1": 1, "d2": 0}}
    assert suite.documents[0].text == "7"
    assert any("read sheet 'Sheet'; not read: '更多'" in n for n in suite.card.notes)
    with pytest.raises(SuiteError, match=r"name it \.xlsx"):
        table(tmp_path, (tmp_path / "a.xlsx").read_bytes(), "a.csv")
    with pytest.raises(SuiteError, match="cannot be read as a spreadsheet"):
        table(tmp_path, b"PK\x03\x04 cut off", "b.xlsx")


LACKING = [
    ({k: v for k, v in BEIR.items() if k != "queries.jsonl"}, "looks like a BEIR folder and has no queries.jsonl"),
    (
        {k: v for k, v in TREC.items() if k != "qrels.txt"},
        "has no file that begins with qrels",
    ),
    (TREC | {"qrels.dev": "x"}, "2 files that begin with qrels"),
]


@pytest.mark.parametrize(("files", "message"), LACKING)
def test_what_a_folder_lacks_is_named(tmp_path: Path, files: Any, message: Any) -> None:
    with pytest.raises(SuiteError, match=message):
        load_suite(write(tmp_path, files))


def test_few_documents_and_words_for_nothing_are_told(tmp_path: Path) -> None:
    found = remarks(table(tmp_path, "问题,答案\n怎么退,七天\n发货,NaN\n"))
    assert any("2 documents in all" in line for line in found)
    assert any("texts that are a table's word for nothing" in line for line in found)
