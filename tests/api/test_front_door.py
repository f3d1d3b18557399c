"""Python's front door: whatever can be weighed is weighed, and what comes out shows itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import steelyard as sy
from steelyard.bench.costing.costs import CostConfig
from steelyard.bench.costing.worker import Plan
from steelyard.errors import DataError, UsageError
from steelyard.suites.suite import Suite
from steelyard.types import Ranking

QRELS = {f"q{i}": {f"d{i}": 1} for i in range(12)}
GOOD = {q: {d: 2.0, "d99": 1.0} for q, grades in QRELS.items() for d in grades}
BAD = {q: {"d99": 2.0, d: 1.0} for q, grades in QRELS.items() for d in grades}


@pytest.fixture(scope="module")
def suite() -> Suite:
    return sy.open_suite("zh-traps-mini")


class Letters:
    """An encoder as users have them: counts of characters."""

    def encode(self, texts: list[str]) -> Any:
        rows = np.zeros((len(texts), 256), dtype=np.float64)
        for row, text in zip(rows, texts, strict=True):
            for character in text:
                row[ord(character) % 256] += 1
        return rows


class TwoSided(Letters):
    """One with prompts of its own, as sentence-transformers since version 5."""

    def encode_query(self, texts: list[str]) -> Any:
        return self.encode([text[:1] for text in texts])


def names(found: sy.Evaluation) -> list[str]:
    return [s.name for s in found.result.systems]


def test_everything_that_ranks_can_be_evaluated(suite: Suite) -> None:
    first = suite.documents[0].id
    given = [
        "bm25[k1=0.5|1.5]",
        Letters(),
        Letters(),
        ("two sides", TwoSided()),
        ("one", lambda text: [first]),
        ("pairs", lambda text, k: [(first, 0.5)][:k]),
        ("run", {suite.queries[0].id: {first: 1.0}}),
        *sy.read_systems(["bm25"]),
    ]
    found = sy.evaluate(given, suite, cache=False)
    wanted = ["bm25[k1=0.5]", "bm25[k1=1.5]", "Letters", "Letters (2)", "two sides", "one", "pairs", "run", "bm25"]
    assert names(found) == wanted
    assert not [s.error for s in found.result.systems if s.error]
    by_name = {s.name: s for s in found.result.systems}
    assert by_name["Letters"].values == by_name["Letters (2)"].values != by_name["two sides"].values
    assert by_name["one"].values == by_name["pairs"].values
    (alone,) = sy.weigh(["bm25"], suite, sy.WeighConfig(found.result.measures)).systems
    assert by_name["bm25"].values == alone.values


def test_code_that_fails_ends_its_own_system_alone(suite: Suite) -> None:
    def broken(text: str) -> list[str]:
        raise KeyError(text)

    found = sy.evaluate(["bm25", broken, ("odd", lambda text: 3)], suite, cache=False)
    errors = {s.name: s.error for s in found.result.systems}
    assert errors["bm25"] == ""
    assert "broken failed: KeyError" in errors["broken"]
    assert "returned a int" in errors["odd"]
    assert "broken failed" in repr(found)


def test_a_name_of_ours_and_what_is_no_system_are_refused(suite: Suite) -> None:
    with pytest.raises(UsageError, match="give yours another name"):
        sy.evaluate([("e5-small", Letters())], suite)
    with pytest.raises(UsageError, match="evaluate takes an expression"):
        sy.evaluate([("three", 3)], suite)
    with pytest.raises(UsageError, match="name one system"):
        sy.evaluate([], suite)


def trec(folder: Path) -> tuple[Path, dict[str, Path]]:
    qrels = folder / "qrels.txt"
    qrels.write_text("".join(f"{q} 0 {d} {g}\n" for q, found in QRELS.items() for d, g in found.items()))
    runs = {}
    for name, run in (("good", GOOD), ("bad", BAD)):
        runs[name] = folder / f"{name}.run"
        runs[name].write_text("".join(f"{q} Q0 {d} 1 {s} x\n" for q, found in run.items() for d, s in found.items()))
    return qrels, runs


def test_runs_compare_the_same_from_dicts_files_and_frames(tmp_path: Path) -> None:
    qrels, files = trec(tmp_path)
    rows = [(q, d, s) for q, found in GOOD.items() for d, s in found.items()]
    judged = [(q, d, g) for q, found in QRELS.items() for d, g in found.items()]
    frames = (
        pd.DataFrame(judged, columns=["qid", "docno", "label"]),
        {
            "good": pd.DataFrame(rows, columns=["query_id", "doc_id", "score"]),
            "bad": pd.DataFrame([(q, d, -s) for q, d, s in rows], columns=["qid", "docno", "score"]),
        },
    )
    found = [sy.compare_runs(*given) for given in ((QRELS, {"good": GOOD, "bad": BAD}), (qrels, files), frames)]
    values = [[(s.name, s.values) for s in one.result.systems] for one in found]
    assert values[0] == values[1] == values[2]
    assert found[0].result.systems[0].values["top1"] == (1.0,) * 12
    assert list(found[0].report.verdict.figures) == ["good", "bad"]
    assert len(set(found[0].report.verdict.letters.values())) == 2


def test_values_of_runs_are_those_of_trec_eval() -> None:
    import ir_measures
    from ir_measures import AP, nDCG

    uneven = {q: run for i, (q, run) in enumerate(BAD.items()) if i % 3}
    found = sy.compare_runs(QRELS, {"uneven": uneven}, measures=["ndcg@10", "map"])
    theirs = ir_measures.calc_aggregate([nDCG @ 10, AP], QRELS, uneven)
    values = found.result.systems[0].values
    assert np.mean([v or 0.0 for v in values["ndcg@10"]]) == pytest.approx(theirs[nDCG @ 10], abs=1e-12)
    assert np.mean([v or 0.0 for v in values["map"]]) == pytest.approx(theirs[AP], abs=1e-12)
    assert "no hit for 4 of 12" in found.result.suite.findings[0]


def test_what_is_no_run_is_refused_with_its_place(tmp_path: Path) -> None:
    broken = tmp_path / "a.run"
    broken.write_text("q1 Q0 d1 1 0.5 x\nq1 Q0 d2\n")
    refused: tuple[tuple[Any, str], ...] = (
        (broken, "a.run:2: expected query"),
        (3, "is a int"),
        ({"q1": 3}, "query id"),
        ({}, "share no query id"),
    )
    for run, message in refused:
        with pytest.raises((DataError, UsageError), match=message):
            sy.compare_runs(QRELS, {"a": run})


def test_a_run_named_as_one_of_our_systems_is_told_apart() -> None:
    assert names(sy.compare_runs(QRELS, {"bm25": GOOD})) == ["run bm25"]


def test_an_evaluation_prints_sets_frames_draws_and_saves(tmp_path: Path) -> None:
    found = sy.compare_runs(QRELS, {"good": GOOD, "bad": BAD}, language="en")
    assert "good" in repr(found)
    assert found._repr_html_().count("<table") >= 1
    frame = found.to_pandas()
    assert list(frame["system"]) == ["good", "bad"]
    assert "good" in found.verdict
    chart = found.plot().to_dict()
    assert chart["title"]
    assert sy.load_result(found.save(tmp_path / "r.json")) == found.result
    (page,) = sy.write_report(found, tmp_path / "r.md")
    assert "good" in page.read_text(encoding="utf-8")


def test_runs_of_ours_go_on_in_advice_and_reports(suite: Suite) -> None:
    found = sy.evaluate(["bm25", "bm25[k1=0.5]"], suite, cache=False)
    assert sy.advise(found, "edge", measure="top1").scenario.name == "edge"


def test_models_open_by_name_and_by_what_they_do() -> None:
    encoder = sy.load_encoder("use-multilingual")
    assert encoder.info.dimension == 512
    with pytest.raises(UsageError, match=r"sy\.load_reranker"):
        sy.load_encoder("qwen3-reranker-0.6b")
    with pytest.raises(UsageError, match="maxsim:e5-small"):
        sy.load_reranker("e5-small")
    assert sy.load_reranker("maxsim:e5-small").info.model == "maxsim(e5-small)"


def test_a_retriever_of_ones_own_is_used_as_it_is(suite: Suite) -> None:
    class Last:
        def index(self, documents: Any, progress: Any = None) -> None:
            self.ids = [d.id for d in documents]

        def search(self, queries: Any, k: int, progress: Any = None) -> list[Ranking]:
            return [Ranking(q.id, (self.ids[-1],), np.ones(1, dtype=np.float32)) for q in queries]

    (system,) = sy.evaluate([Last()], suite, cache=False).result.systems
    assert system.error == ""
    assert {hit.id for hits in system.top for hit in hits} == {suite.documents[-1].id}


def test_a_sweep_and_a_reranker_run(suite: Suite) -> None:
    swept = sy.sweep("use-multilingual", suite, sy.Axes(dimensions=(64,)))
    assert names(swept) == ["use-multilingual", "use-multilingual[dim=64]"]
    near, far = sy.load_reranker("maxsim:e5-small").score("苹果", ["apple", "月亮"])
    assert near > far


def test_costs_are_measured_and_advised_on(suite: Suite) -> None:
    config = CostConfig(rounds=1, plan=Plan(seconds=0.02), texts=16, cold=False)
    costed = sy.costs(["bm25"], suite, config)
    found = sy.add_costs(sy.evaluate(["bm25"], suite, cache=False), costed)
    assert found.result.systems[0].costs == costed[0].record
    assert sy.advise(found, "edge").scenario.name == "edge"
