from typing import Any

import numpy as np
import pytest
import pytrec_eval
from hypothesis import given
from hypothesis import strategies as st

from steelyard.errors import DataError, UsageError
from steelyard.measures.names import Measure, parse_measure, parse_measures
from steelyard.measures.ranking import Evaluator, evaluate, unanswerable
from steelyard.types import Ranking, ranked

# The same figures asked of pytrec_eval under its own names.
TREC = {
    "top1": "success_1",
    "hit@3": "success_3",
    "hit@5": "success_5",
    "recall@10": "recall_10",
    "mrr": "recip_rank",
    "ndcg@10": "ndcg_cut_10",
    "ndcg": "ndcg",
    "map": "map",
    "map@5": "map_cut_5",
    "P@5": "P_5",
}
IDS = [f"d{i}" for i in range(12)] + ["~", "~2", "~~", "D1", "文档", "é", "\uffff", "\U00020000"]
doc_ids = st.sampled_from(IDS)
# Few distinct scores, some of which differ only beyond float32, so that ties are common.
scores = st.sampled_from([0.0, -0.0, 0.5, 0.5 + 1e-10, 1.0, 1.0 - 1e-12, -3.0, 7.25])
runs = st.dictionaries(st.sampled_from("abcdef"), st.dictionaries(doc_ids, scores, max_size=14), max_size=6)
judgement_sets = st.dictionaries(
    st.sampled_from("abcdef"), st.dictionaries(doc_ids, st.integers(-1, 3), max_size=6), max_size=6
)


def by_pytrec_eval(judgements: Any, run: Any, names: Any) -> dict[Any, Any]:
    """Direct use, with the documented rules added by hand: unanswered 0, unanswerable left out."""
    kept = {q: g for q, g in judgements.items() if any(v > 0 for v in g.values())}
    if not kept:
        return {name: {} for name in names}
    result = pytrec_eval.RelevanceEvaluator(kept, {TREC[n] for n in names}).evaluate(run) if run else {}
    return {name: {q: result.get(q, {}).get(TREC[name], 0.0) for q in kept} for name in names}


@given(judgement_sets, runs)
def test_figures_equal_trec_eval(judgements: Any, run: Any) -> None:
    rankings = [ranked(q, hits) for q, hits in run.items()]
    ours = evaluate(judgements, rankings, list(TREC))
    theirs = by_pytrec_eval(judgements, run, list(TREC))
    assert ours.keys() == theirs.keys()
    for name, values in theirs.items():
        assert list(ours[name]) == list(values)
        for query_id, value in values.items():
            assert ours[name][query_id] == pytest.approx(value, abs=1e-9)


@given(judgement_sets, runs)
def test_cutting_rankings_at_the_deepest_measure_changes_nothing(judgements: Any, run: Any) -> None:
    rankings = [ranked(q, hits) for q, hits in run.items()]
    shallow = ["top1", "hit@3", "ndcg@10"]
    alone = evaluate(judgements, rankings, shallow)
    assert alone == {n: v for n, v in evaluate(judgements, rankings, [*shallow, "map"]).items() if n in shallow}


@given(st.dictionaries(doc_ids, scores, min_size=1, max_size=17))
def test_displayed_order_is_the_order_that_trec_eval_counts(hits: Any) -> None:
    ranking = ranked("q", hits)
    evaluator_rank = {
        d: round(
            1 / pytrec_eval.RelevanceEvaluator({"q": {d: 1}}, {"recip_rank"}).evaluate({"q": hits})["q"]["recip_rank"]
        )
        for d in hits
    }
    assert [evaluator_rank[d] for d in ranking.document_ids] == list(range(1, len(hits) + 1))


@given(judgement_sets, runs, st.integers(1, 12))
def test_mrr_with_a_cutoff_is_the_rank_or_nothing(judgements: Any, run: Any, k: int) -> None:
    rankings = [ranked(q, hits) for q, hits in run.items()]
    values = evaluate(judgements, rankings, ["mrr", f"mrr@{k}", f"hit@{k}"])
    for query_id, full in values["mrr"].items():
        inside = values[str(parse_measure(f"hit@{k}"))][query_id] == 1.0
        assert values[f"mrr@{k}"][query_id] == (full if inside else 0.0)


def test_rules_for_queries() -> None:
    judgements = {"asked": {"a": 1}, "unanswered": {"a": 2}, "hopeless": {"a": 0}, "empty": {}}
    rankings = [ranked("asked", {"a": 1.0}), ranked("hopeless", {"a": 1.0}), ranked("stranger", {"a": 1.0})]
    assert evaluate(judgements, rankings, ["top1"]) == {"top1": {"asked": 1.0, "unanswered": 0.0}}
    assert unanswerable(judgements) == ("hopeless", "empty")


def test_one_evaluator_serves_many_systems() -> None:
    evaluator = Evaluator({"q": {"a": 1}}, ["top1", "mrr"])
    assert evaluator.evaluate([ranked("q", {"a": 2.0, "b": 1.0})]) == {"top1": {"q": 1.0}, "mrr": {"q": 1.0}}
    assert evaluator.evaluate([ranked("q", {"a": 1.0, "b": 2.0})]) == {"top1": {"q": 0.0}, "mrr": {"q": 0.5}}
    assert evaluator.evaluate([]) == {"top1": {"q": 0.0}, "mrr": {"q": 0.0}}


@pytest.mark.parametrize(
    ("judgements", "rankings", "message"),
    [
        ({"q": {"a": 1}}, [ranked("q", {"a": 1.0})] * 2, "two rankings"),
        ({"q": {"a": 1}}, [Ranking("q", ("b", "a", "a"), np.array([3, 2, 1], np.float32))], "holds document 'a' twice"),
        ({"q": {"a": 1}}, [Ranking("q", ("b", "a"), np.array([1, 2], np.float32))], "out of order at hit 2"),
        ({"q": {"a": 1}}, [Ranking("q", ("a", "b"), np.array([1, 1], np.float32))], "out of order at hit 2"),
        ({"q": {"a": 1}}, [Ranking("q", ("a",), np.array([np.nan], np.float32))], "NaN"),
        ({"q": {"a": 1}}, [Ranking("q", ("a", "b"), np.array([1], np.float32))], "2 documents but 1 scores"),
        ({"q": {"a": 5000}}, [], "grade of 5000"),
        ({"q": {"a\0b": 1}}, [], "NUL"),
        ({"q": {"\ud800": 1}}, [], "surrogate"),
        ({"q\0": {"a": 1}}, [], "NUL"),
    ],
)
def test_what_cannot_be_counted_is_refused(judgements: dict[Any, Any], rankings: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        evaluate(judgements, rankings, ["map"])


def test_unjudged_ids_may_be_anything() -> None:
    scores = {"x\0y": 3.0, "x\0z": 3.0, "\udfff": 2.0, "~0": 1.5, "~1": 1.0, "a": 0.5, "~~": 0.1}
    judgements = {"q": {"a": 1, "~": 0, "~5": 2}}
    assert evaluate(judgements, [ranked("q", scores)], ["mrr"])["mrr"] == {"q": pytest.approx(1 / 6)}


@given(st.integers(1, 400), st.integers(0, 500), st.lists(st.integers(0, 499), min_size=1, max_size=9, unique=True))
def test_long_rankings_equal_trec_eval(n: int, shift: int, relevant: list[int]) -> None:
    hits = {f"d{(i * 7919 + shift) % 503}": float(i % 37) for i in range(n)}
    judgements = {"q": {f"d{i}": 1 + i % 2 for i in relevant}}
    ours = evaluate(judgements, [ranked("q", hits)], list(TREC))
    theirs = by_pytrec_eval(judgements, {"q": hits}, list(TREC))
    assert {n: v["q"] for n, v in ours.items()} == pytest.approx({n: v["q"] for n, v in theirs.items()}, abs=1e-9)


@pytest.mark.parametrize("name", ["top1", "hit@3", "P@5", "recall@100", "mrr", "mrr@10", "ndcg", "ndcg@10", "map"])
def test_names_print_as_typed(name: str) -> None:
    assert str(parse_measure(name)) == name
    assert str(parse_measure(f" {name.upper()} ")) == name


@pytest.mark.parametrize(
    "name", ["", "top", "top1@3", "hit", "recall", "hit@0", "hit@-1", "ndcg@1000000", "p@x", "map@x"]
)
def test_bad_names_say_what_fits(name: str) -> None:
    with pytest.raises(UsageError, match=r"hit@|between 1"):
        parse_measure(name)


SPELLED = {
    "nDCG@10": "ndcg@10",
    "NDCG_at_10": "ndcg@10",
    "ndcg_cut.10": "ndcg@10",
    "nDCG＠10": "ndcg@10",
    "MRR": "mrr",
    "RR@10": "mrr@10",
    "recip_rank": "mrr",
    "Top1": "top1",
    "Top-1": "top1",
    "hit@1": "top1",
    "Accuracy@1": "top1",
    "top 3": "hit@3",
    "success_5": "hit@5",
    "Recall@10": "recall@10",
    "R@10": "recall@10",
    "召回率@10": "recall@10",
    "P_5": "P@5",
    "Precision@5": "P@5",
    "MAP": "map",
    "AP@100": "map@100",
}


@pytest.mark.parametrize(("typed", "printed"), SPELLED.items())
def test_names_as_people_and_other_tools_write_them(typed: Any, printed: Any) -> None:
    assert str(parse_measure(typed)) == printed


def test_a_near_miss_is_named() -> None:
    with pytest.raises(UsageError, match="did you mean ndcg@10"):
        parse_measure("ndgc@10")


def test_lists_of_measures() -> None:
    assert parse_measures(["mrr", "MRR", "map"]) == (Measure("mrr"), Measure("map"))
    with pytest.raises(UsageError, match="no measure"):
        parse_measures([])
    with pytest.raises(UsageError, match="sequence"):
        parse_measures("mrr")


@given(judgement_sets, st.lists(runs, max_size=4))
def test_what_is_remembered_of_other_systems_changes_nothing(judgements: Any, systems: list[Any]) -> None:
    one = Evaluator(judgements, list(TREC))
    for run in [*systems, *systems]:
        rankings = [ranked(q, hits) for q, hits in run.items()]
        assert one.evaluate(rankings) == evaluate(judgements, rankings, list(TREC))
