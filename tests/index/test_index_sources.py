from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steelyard.errors import DataError, SteelyardError
from steelyard.index.sources import SourceConfig, read_entries


def write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def test_a_table_with_titles_ids_and_metadata(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", '{"id": 7, "title": "退款", "text": "十日内到账", "lang": "zh", "n": [1]}\n')
    (entry,) = read_entries(path)
    assert (entry.id, entry.text, entry.metadata) == ("7", "退款\n十日内到账", {"lang": "zh"})


def test_rows_without_ids_are_numbered(tmp_path: Path) -> None:
    found = list(read_entries(write(tmp_path / "a.csv", "内容\n甲\n乙\n")))
    assert [e.text for e in found] == ["甲", "乙"]
    assert len({e.id for e in found}) == 2


def test_long_documents_become_passages_that_know_their_place(tmp_path: Path) -> None:
    text = "第一句话在这里。" * 40
    found = list(read_entries(write(tmp_path / "a.txt", text), SourceConfig(size=100, overlap=20)))
    assert found[0].id == "a.txt#1"
    for entry in found:
        assert entry.text == text[int(entry.metadata["start"]) : int(entry.metadata["stop"])]
    assert [e.text for e in read_entries(tmp_path / "a.txt", SourceConfig(size=0))] == [text]


def test_a_folder_of_every_kind(tmp_path: Path) -> None:
    docx = pytest.importorskip("docx")
    write(tmp_path / "a.txt", "文本".encode("gb18030"))
    write(tmp_path / "b.md", "# 标题\n正文")
    write(tmp_path / "c.html", "<title>页</title><script>alert(1)</script><p>退款<b>规则</b></p>")
    document = docx.Document()
    document.add_paragraph("合同第一条")
    document.save(str(tmp_path / "d.docx"))
    (tmp_path / "sub").mkdir()
    write(tmp_path / "sub" / "e.txt", "深处")
    write(tmp_path / "skipped.bin", b"\x00")
    (tmp_path / "link.txt").symlink_to("/dev/zero")
    found = {e.id: e.text for e in read_entries(tmp_path)}
    assert found["a.txt"] == "文本"
    assert "退款" in found["c.html"]
    assert "alert" not in found["c.html"]
    assert found["d.docx"] == "合同第一条"
    assert sorted(found) == ["a.txt", "b.md", "c.html", "d.docx", "sub/e.txt"]


def test_a_pdf(tmp_path: Path) -> None:
    pypdf = pytest.importorskip("pypdf")
    writer = pypdf.PdfWriter()
    writer.add_blank_page(100, 100)
    writer.write(tmp_path / "scan.pdf")
    with pytest.raises(DataError, match="OCR"):
        list(read_entries(tmp_path / "scan.pdf"))
    with pytest.raises(DataError, match=r"broken\.pdf cannot be read as PDF"):
        list(read_entries(write(tmp_path / "broken.pdf", b"%PDF-1.7 broken")))


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("none.csv", None, "no such file"),
        ("a.csv", "x,y\n1,2\n", "text"),
        ("a.jsonl", '{"text": 5}\n', "not a string"),
        ("a.xyz", "x", "not read"),
        ("empty", "folder", "no file of a kind"),
    ],
)
def test_bad_sources_are_named(tmp_path: Path, name: str, content: str | None, said: str) -> None:
    path = tmp_path / name
    if content == "folder":
        path.mkdir()
    elif content is not None:
        write(path, content)
    with pytest.raises(DataError, match=said):
        list(read_entries(path))


@given(st.binary(max_size=200), st.sampled_from(["a.jsonl", "a.csv", "a.txt", "a.html", "a.pdf", "a.docx", "a.tsv"]))
def test_any_bytes_are_read_or_refused_in_a_sentence(
    tmp_path_factory: pytest.TempPathFactory, raw: bytes, name: str
) -> None:
    path = write(tmp_path_factory.mktemp("fuzz") / name, raw)
    try:
        assert all(isinstance(e.text, str) for e in read_entries(path))
    except SteelyardError as wrong:
        assert name in str(wrong)  # noqa: PT017 - most bytes are read
