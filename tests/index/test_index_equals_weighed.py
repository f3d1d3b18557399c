"""After any history of adding, replacing and deleting, an index ranks as the weighed system does."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from index_kit import SYSTEMS, fake_builder, weighed
from steelyard.index.entry import Entry
from steelyard.index.index import Index
from steelyard.types import Document, Query, Ranking

MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None  # nothing here tests the disk
WORDS = ("退款", "订单", "发票", "北京大学", "北京", "apple", "密码", "怎么", "修改", "十日内", "7", "不可")
QUERIES = [Query(str(i), text) for i, text in enumerate(("怎么退款", "北京", "apple apple 发票", "没有的词", ""))]
IDS = st.sampled_from([f"d{i}" for i in range(12)])
TEXTS = st.lists(st.sampled_from(WORDS), max_size=6).map("".join)
LANGUAGES = st.sampled_from(["zh", "en"])


def same(found: Ranking, wanted: Ranking) -> None:
    assert found.document_ids == wanted.document_ids
    np.testing.assert_allclose(found.scores, wanted.scores, rtol=0, atol=1e-5)


class History(RuleBasedStateMachine):
    system = "bm25"

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(dir=MEMORY))
        self.index = Index.create(self.folder / "kb", self.system, builder=fake_builder())
        self.truth: dict[str, tuple[str, str]] = {}

    @rule(batch=st.lists(st.tuples(IDS, TEXTS, LANGUAGES), min_size=1, max_size=6))
    def add(self, batch: list[tuple[str, str, str]]) -> None:
        self.index.add([Entry(i, text, {"lang": lang}) for i, text, lang in batch], batch=4)
        self.truth.update({i: (text, lang) for i, text, lang in batch})

    @rule(ids=st.lists(IDS, max_size=4))
    def delete(self, ids: list[str]) -> None:
        assert self.index.delete(ids) == len(self.truth.keys() & set(ids))
        for i in ids:
            self.truth.pop(i, None)

    @rule()
    def compact(self) -> None:
        self.index.compact()

    @rule()
    def reopen(self) -> None:
        self.index.close()
        self.index = Index.open(self.folder / "kb", builder=fake_builder())

    @invariant()
    def ranks_as_weighed(self) -> None:
        documents = [Document(i, text) for i, (text, _) in sorted(self.truth.items())]
        assert {e.id: (e.text, e.metadata["lang"]) for e in self.index} == self.truth
        if documents:
            oracle = weighed(self.system)
            oracle.index(documents)
            for found, wanted in zip(self.index.rankings(QUERIES, 7), oracle.search(QUERIES, 7), strict=True):
                same(found, wanted)
        else:
            assert all(not r.document_ids for r in self.index.rankings(QUERIES, 7))

    @invariant()
    def finds_only_what_the_filter_lets_through(self) -> None:
        for found in self.index.rankings(QUERIES, 7, {"lang": "en"}):
            assert all(self.truth[i][1] == "en" for i in found.document_ids)

    def teardown(self) -> None:
        assert self.index.check() == []
        self.index.close()
        shutil.rmtree(self.folder)


@pytest.mark.parametrize("system", SYSTEMS)
def test_ranks_as_weighed(system: str) -> None:
    machine = type("History", (History,), {"system": system})
    run_state_machine_as_test(machine, settings=settings(max_examples=6, stateful_step_count=8, deadline=None))
