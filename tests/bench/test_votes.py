"""All measures vote: what was advised by Top-1 alone, on real ranks of zh-traps."""

import json
from math import log2
from pathlib import Path
from typing import Any

import orjson
import pytest
from bench_results import result

from steelyard.bench.advice.recommend import advise
from steelyard.bench.advice.scenario import load_scenario
from steelyard.bench.evaluation.judgement import judge
from steelyard.bench.evaluation.result import QueryRecord, SuiteSummary, SystemRecord, parse_result
from steelyard.bench.evaluation.sweep import rows, smallest
from steelyard.bench.evaluation.votes import replacements, votes_of
from steelyard.report import sentences
from steelyard.report.content import compose
from steelyard.stats.difference import Answer
from steelyard.wording.words import load_wording

KEPT = json.loads((Path(__file__).parent / "zh_traps_ranks.json").read_text(encoding="utf-8"))
VOTES = ("top1", "hit@3", "recall@10", "ndcg@10")


def measures(ranks: Any) -> dict[Any, Any]:
    """Of queries with one right document each."""
    return {
        "top1": tuple(float(r == 1) for r in ranks),
        "hit@3": tuple(float(0 < r <= 3) for r in ranks),
        "recall@10": tuple(float(0 < r <= 10) for r in ranks),
        "ndcg@10": tuple(1 / log2(1 + r) if 0 < r <= 10 else 0.0 for r in ranks),
    }


def the_example(systems: Any = tuple(KEPT["ranks"]), clusters: str = "") -> Any:
    made = result({"bm25": [0.0] * len(KEPT["categories"])})
    suite = SuiteSummary(
        name="zh-traps", checksum="", queries=416, documents=1438, votes=VOTES, clusters=clusters, chance=0.295
    )
    queries = tuple(
        QueryRecord(id=f"q{i}", text="", category=c, cluster=c if clusters else None)
        for i, c in enumerate(KEPT["categories"])
    )
    weighed = tuple(SystemRecord(name=n, values=measures(KEPT["ranks"][n])) for n in systems)
    return made.model_copy(update={"suite": suite, "measures": VOTES, "queries": queries, "systems": weighed})


@pytest.mark.parametrize("clusters", ["", "category"])
def test_edge_no_longer_takes_dimensions_that_lose_recall(clusters: str) -> None:
    found = advise(the_example(clusters=clusters), load_scenario("edge"))
    assert found.choice == "e5-small[dim=384]"
    assert "e5-small[dim=128] costs less, but it is worse by" in found.reason
    assert "the guard recall@10 −13.0 points" in found.reason


def test_the_report_says_the_same() -> None:
    report = compose(the_example())
    for language in ("en", "zh"):
        w = load_wording(language)
        said = " ".join((sentences.title(report, w), sentences.reason(report, w), *sentences.details(report, w)))
        assert "e5-small[dim=384]" in sentences.title(report, w)
        assert "recall@10" in said
        assert "−13.0" in said


def test_top1_alone_separates_nothing_and_the_guards_do() -> None:
    judgement = judge(the_example())
    top1 = judgement.verdict.between("e5-small[dim=384]", "e5-small[dim=128]")
    assert not top1.distinguishable
    assert {pair.b for pair in judgement.separated} == {"e5-small[dim=128]", "e5-small[dim=64]"}
    assert not any(r.allowed for r in judgement.replaced.values())
    assert judgement.to_dict()["answers"]


def test_a_sweep_saves_nothing_that_a_guard_loses() -> None:
    sweep = the_example([n for n in KEPT["ranks"] if n != "bm25"])
    found = rows(sweep, "e5-small[dim=384]", "top1")
    assert smallest(found) is None
    lost = next(r.replacement for r in found if r.name == "e5-small[dim=128]")
    assert [v.measure for v in lost.spoke] == ["hit@3", "recall@10", "ndcg@10"]
    assert {v.answer for v in lost.spoke} == {Answer.WORSE}


def test_a_wider_margin_lets_the_cheaper_in() -> None:
    allowed = replacements(the_example(), "e5-small[dim=384]", ["e5-small[dim=128]"], margin=0.25)
    found = allowed["e5-small[dim=128]"]
    assert found.allowed
    assert "is no worse than e5-small[dim=384] by every measure that votes (margin 25.0 points" in found.sentence


def test_at_the_floor_top1_does_not_measure_a_system() -> None:
    example = the_example()
    by_chance = tuple(float(i % 10 < 3) for i in range(416))
    inside = tuple(s.model_copy(update={"values": s.values | {"group1": by_chance}}) for s in example.systems)
    notes = judge(example.model_copy(update={"systems": inside})).notes
    assert any("no more often than chance (29.5 %)" in line and "recall@10" in line for line in notes)
    assert any("Independence of the queries is assumed" in line for line in notes)


def test_near_the_ceiling_a_suite_shows_nothing_better() -> None:
    notes = judge(result({"a": [1.0] * 60, "b": [1.0] * 59 + [0.0]})).notes
    assert any("near 100 by Top-1" in line for line in notes)


def test_clusters_are_named_with_their_design_effect() -> None:
    notes = judge(the_example(clusters="category")).notes
    assert any("16 clusters (category)" in line and "recall@10" in line for line in notes)


def test_results_of_before_votes_were_named_stay_readable() -> None:
    old = json.loads(orjson.dumps(the_example().model_dump(by_alias=True)))
    for key in ("votes", "chance", "clusters", "notice"):
        del old["suite"][key]
    for query in old["queries"]:
        del query["cluster"]
    kept = parse_result(orjson.dumps(old), "old.json")
    assert votes_of(kept) == ("top1", "ndcg@10", "recall@10", "hit@3")
    assert judge(kept).verdict.n == 416
