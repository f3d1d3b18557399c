"""An index as people use it: by its class and by the command line."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from fake_engines import FakeEncoder
from index_kit import FakePool, fake_builder
from steelyard.cli.app import run
from steelyard.errors import StoreError, UsageError
from steelyard.index.entry import Entry
from steelyard.index.filters import conditions
from steelyard.index.index import Index
from steelyard.retrieval.builder import SystemBuilder

FAQ = "编号,问题,答案,类别\nq1,,退款十日内到账,售后\nq2,,在设置里修改密码,账号\nq3,,发票随货寄出,售后\n"


class Turned(FakePool):
    """The same fingerprint, other vectors: weights that were replaced under the same name."""

    def encoder(self, recipe: Any, backend: Any, asked: Any = None) -> tuple[Any, ...]:
        made, choice = super().encoder(recipe, backend)
        made._vector = lambda text: FakeEncoder(32)._vector(text[::-1] + "!")  # type: ignore[method-assign]
        return made, choice


@pytest.fixture
def kb(tmp_path: Path) -> Index:
    index = Index.create(tmp_path / "kb", "e5-small", builder=fake_builder())
    index.add(
        [
            Entry("a", "退款", {"lang": "zh", "year": 2019, "at": datetime(2020, 1, 1, tzinfo=UTC)}),  # type: ignore[dict-item]
            Entry("b", "退款单", {"lang": "zh", "year": 2021, "live": True}),
            Entry("c", "refund", {"lang": "en", "year": 2022, "at": datetime(2024, 1, 1, tzinfo=UTC)}),  # type: ignore[dict-item]
            Entry("d", "退", {"year": "2021"}),
        ],
        batch=2,
    )
    return index


@pytest.mark.parametrize(
    ("where", "wanted"),
    [
        ("lang=zh", "ab"),
        ("lang!=zh", "cd"),
        ("year>=2021", "bcd"),
        ("year=2021", "bd"),
        ("lang=zh|en,year<2022", "ab"),
        ("live=true", "b"),
        ("at>=2023", "c"),
        ({"lang": ["zh", "en"], "year": {">=": 2020, "<": 2022}}, "b"),
        ({"at": {"<": date(2023, 1, 1)}}, "a"),
        ("nothing=1", ""),
        (None, "abcd"),
    ],
)
def test_filters(kb: Index, where: object, wanted: str) -> None:
    assert sorted(h.id for h in kb.search("退款", where=where)) == list(wanted)  # type: ignore[arg-type]


@pytest.mark.parametrize("where", ["lang", "=zh", {"year": {"~": 1}}, {"year": {">": [1, 2]}}, {"x": object()}])
def test_what_is_no_filter_is_said(where: object) -> None:
    with pytest.raises(UsageError):
        conditions(where)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "entry",
    [
        Entry("", "text"),
        Entry("a\x00", "text"),
        Entry("a\ud800", "text"),
        Entry("a" * 2000, "text"),
        Entry("a", None),  # type: ignore[arg-type]
        Entry("a", "text", {"k": float("nan")}),
        Entry("a", "text", {"k": [1]}),  # type: ignore[dict-item]
    ],
)
def test_documents_that_cannot_be_kept_are_named_and_nothing_is_added(kb: Index, entry: Entry) -> None:
    with pytest.raises(UsageError):
        kb.add([Entry("fine", "text"), entry])
    assert "fine" not in kb


def test_the_same_documents_again_cost_nothing(kb: Index) -> None:
    entries = list(kb)
    done = kb.add([*entries, Entry("a", "另一个", {})])
    assert (done.added, done.replaced, done.unchanged) == (0, 1, 3)
    assert kb.get(["a"])[0].text == "另一个"


def test_another_model_is_refused_unless_forced(kb: Index) -> None:
    with pytest.raises(StoreError, match="--force"):
        Index.open(kb.folder, builder=fake_builder("@2"))
    assert Index.open(kb.folder, force=True, builder=fake_builder("@2")).search("退款")


def test_vectors_of_another_model_are_found_by_embedding_again(kb: Index) -> None:
    assert kb.check(embed=3) == []
    other = Index.open(kb.folder, force=True, builder=SystemBuilder(_engines=Turned()))
    assert other.check() == []
    assert len(other.check(embed=3)) == 3


def test_another_system_is_refused(kb: Index) -> None:
    with pytest.raises(UsageError, match="e5-small, not for bm25"):
        Index.create(kb.folder, "bm25")
    with pytest.raises(UsageError, match="sweep of 2"):
        Index.create(kb.folder.with_name("other"), "e5-small[dim=64|128]")


def test_a_folder_with_other_things_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(UsageError, match="not empty"):
        Index.create(tmp_path, "bm25")


def test_nuls_and_surrogates_in_texts_are_made_harmless(kb: Index) -> None:
    kb.add([Entry("odd", "a\x00b\ud800")])
    assert kb.get(["odd"])[0].text == "a b\ufffd"


def test_the_command_line_builds_searches_checks_and_deletes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, kb = tmp_path / "faq.csv", str(tmp_path / "kb")
    source.write_text(FAQ, encoding="utf-8")
    assert run(["index", "build", kb, str(source), "--system", "bm25"]) == 0
    assert "3 documents added" in capsys.readouterr().out
    assert run(["index", "build", kb, str(source), "--system", "bm25"]) == 0
    assert "3 unchanged" in capsys.readouterr().out
    assert run(["search", kb, "怎么退款", "--where", "类别=售后", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [(h["id"], h["metadata"]) for h in found] == [("q1", {"类别": "售后"})]
    assert run(["index", "delete", kb, "q1", "none"]) == 0
    assert "1 of 2 documents deleted; 2 are left" in capsys.readouterr().out
    assert run(["index", "compact", kb]) == 0
    assert run(["index", "check", kb]) == 0
    assert "is whole: 2 documents" in capsys.readouterr().out
    assert run(["index", "info", kb, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["dead"] == 0.0


def test_a_damaged_index_ends_with_its_code(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Index.create(tmp_path / "kb", "bm25") as index:
        index.add([Entry("a", "退款")])
    for segment in (tmp_path / "kb" / "segments").iterdir():
        segment.write_bytes(b"")
    assert run(["index", "check", str(tmp_path / "kb")]) == 7
    assert run(["search", str(tmp_path / "kb"), "退款"]) == 7
    assert "Traceback" not in capsys.readouterr().err
    assert run(["search", str(tmp_path / "none"), "退款"]) == 7
    assert "steelyard index build" in capsys.readouterr().err
