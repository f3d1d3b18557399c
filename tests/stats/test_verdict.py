import math
import time
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from steelyard.errors import DataError
from steelyard.stats.comparing import Rules, compare_named
from steelyard.stats.difference import Answer, PairedDifference
from steelyard.stats.verdict import judge

# FACTS: 8 queries; two models answered all, two missed one.
PUBLISHED = {
    "BGE-M3": [1, 1, 1, 1, 1, 1, 1, 1],
    "Qwen3-0.6B": [1, 1, 1, 1, 1, 1, 1, 0],
    "Qwen3-4B": [1, 1, 1, 0, 1, 1, 1, 1],
    "Qwen3-8B": [1, 1, 1, 1, 1, 1, 1, 1],
}
TWO_POINTS = Rules(margin=0.02)


def values(rows: Any) -> dict[Any, Any]:
    return {name: {f"q{i}": float(x) for i, x in enumerate(row)} for name, row in rows.items()}


def test_the_published_top1_is_undecided_and_says_how_many_queries_would_decide() -> None:
    verdict = judge(values(PUBLISHED), "top1", TWO_POINTS)
    assert set(verdict.letters.values()) == {"a"}
    assert verdict.groups == (("BGE-M3", "Qwen3-8B", "Qwen3-0.6B", "Qwen3-4B"),)
    assert all(c.p == c.p_holm == 1.0 for c in verdict.comparisons)
    assert {c.answer for c in verdict.comparisons} == {c.reversed.answer for c in verdict.comparisons}
    assert {c.answer for c in verdict.comparisons} == {Answer.UNDECIDED}
    assert all(c.queries_to_decide and c.queries_to_decide > 200 for c in verdict.comparisons)
    assert verdict.sentence.startswith("Undecided: the 4 systems show no significant difference by Top-1 on 8 queries")
    pair = verdict.between("Qwen3-0.6B", "BGE-M3")
    assert (pair.a, pair.difference) == ("Qwen3-0.6B", -0.125)
    assert pair.low < 0 < pair.high
    assert "are undecided: a difference of 12.5 points" in pair.sentence
    assert "margin 2.0 points" in pair.sentence


def test_a_real_difference_is_said() -> None:
    verdict = judge(values({"bad": [0] * 40 + [1] * 60, "good": [1] * 90 + [0] * 10}), "hit@3", TWO_POINTS)
    (pair,) = verdict.comparisons
    assert pair.answer is Answer.BETTER
    assert pair.reversed.answer is Answer.WORSE
    assert pair.reversed.sentence == pair.sentence
    assert pair.sentence.startswith("By hit@3 good is better than bad by 30.0 points (95 % interval ")
    assert verdict.sentence.startswith("good is significantly better than every other system by hit@3 on 100 queries.")
    assert list(verdict.figures) == ["good", "bad"]
    assert verdict.letters == {"good": "a", "bad": "b"}


def test_equal_is_said_only_where_both_directions_are_no_worse() -> None:
    rng = np.random.default_rng(3)
    row = rng.random(2_000)
    near = np.clip(row + rng.normal(0, 0.05, 2_000), 0, 1)
    (pair,) = judge(values({"a": row, "b": near}), "ndcg@10", TWO_POINTS).comparisons
    assert pair.equivalent
    assert "equivalent within the margin" in pair.sentence
    few = judge(values({"a": row[:20], "b": near[::-1][:20]}), "ndcg@10", TWO_POINTS).comparisons[0]
    assert not few.equivalent
    assert few.answer is Answer.UNDECIDED


def test_better_and_no_worse_may_both_hold() -> None:
    pair = PairedDifference("a", "b", "top1", 0.01, 0.004, 0.016, 0.001, 0.001, 9_000, margin=0.02)
    assert pair.answer is Answer.BETTER
    assert pair.reversed.answer is Answer.NO_WORSE
    assert "yet b is no worse by the margin" in pair.sentence


def test_without_a_margin_nothing_is_no_worse() -> None:
    pair = PairedDifference("a", "b", "margin", 0.01, 0.004, 0.016, 0.2, 0.2, 9_000)
    assert pair.answer is Answer.UNDECIDED
    assert not pair.equivalent


def test_graded_and_unbounded_measures() -> None:
    rng = np.random.default_rng(1)
    base = rng.normal(size=60)
    verdict = judge(values({"low": base, "high": base + 1 + rng.normal(0, 0.1, 60)}), "margin")
    (pair,) = verdict.comparisons
    assert pair.better
    assert pair.low < pair.difference < pair.high
    assert "points" not in pair.sentence
    assert 0 < verdict.detectable < 0.1


def test_the_order_of_systems_changes_nothing() -> None:
    rng = np.random.default_rng(2)
    rows = {f"s{i}": rng.random(50) + i * 0.05 for i in range(5)}
    one, other = judge(values(rows), "ndcg@10"), judge(values(dict(reversed(rows.items()))), "ndcg@10")
    assert one == other


def test_identical_systems_have_no_interval_of_zero_width() -> None:
    row = np.linspace(0.1, 0.9, 20)
    (pair,) = judge(values({"a": row, "b": row}), "ndcg@10").comparisons
    assert pair.low < 0 < pair.high
    assert not pair.distinguishable


def test_one_system_and_no_query() -> None:
    alone = judge(values({"only": [1, 0]}), "top1")
    assert alone.comparisons == ()
    assert alone.sentence == "Only one system was evaluated by Top-1."
    empty = judge(values({"a": [], "b": []}), "top1", TWO_POINTS)
    assert empty.comparisons[0].answer is Answer.UNDECIDED
    assert empty.comparisons[0].queries_to_decide is None
    assert empty.n == 0


def test_many_pairs_can_still_be_significant() -> None:
    rng = np.random.default_rng(4)
    base = rng.random(80)
    rows = {f"s{i:02d}": np.clip(base * 0.5 + i * 0.01 + rng.normal(0, 0.002, 80), 0, 1) for i in range(34)}
    verdict = judge(values(rows), "ndcg@10")
    assert verdict.between("s33", "s00").better


def test_the_reach_falls_with_the_number_of_pairs() -> None:
    rng = np.random.default_rng(5)
    rows = {f"s{i}": (rng.random(200) < 0.5).astype(float) for i in range(5)}
    two = judge(values({name: rows[name] for name in ("s0", "s1")}), "top1")
    five = judge(values(rows), "top1")
    assert five.detectable > two.detectable * 1.15
    assert "with Holm's correction over 10 pairs" in five.reach


grades = st.sampled_from([0.0, 0.0, 0.25, 0.5, 1.0])


@settings(max_examples=120, deadline=None)
@given(
    st.lists(st.tuples(grades, grades, st.integers(0, 9)), min_size=1, max_size=40),
    st.booleans(),
    st.booleans(),
)
def test_interval_and_test_never_contradict_each_other_and_mirror(
    rows: list[Any], clustered: bool, binary: bool
) -> None:
    a, b, codes = (np.array(column, dtype=float) for column in zip(*rows, strict=True))
    if binary:
        a, b = np.ceil(a), np.ceil(b)
    clusters = {f"q{i}": str(c) for i, c in enumerate(codes)} if clustered else None
    both = values({"a": a, "b": b})
    one, other = compare_named(both, [("a", "b"), ("b", "a")], "m", Rules(margin=0.02, clusters=clusters))
    assert one.low <= one.difference + 1e-12
    assert one.high >= one.difference - 1e-12
    assert (one.p <= 0.05) == (not one.low <= 0 <= one.high)
    assert (one.low, one.high) == pytest.approx((-other.high, -other.low), abs=1e-9)
    assert math.isfinite(one.low)


def test_no_difference_is_in_reach_of_a_handful_of_units() -> None:
    verdict = judge(values({"a": [0.9, 0.1], "b": [0.5, 0.2]}), "ndcg@10", TWO_POINTS)
    assert verdict.detectable is None
    assert "no difference can be detected" in verdict.sentence


def test_clusters_widen_what_only_looks_certain() -> None:
    rng = np.random.default_rng(6)
    effect = np.repeat(rng.normal(0.05, 0.2, 12), 20)
    a, b = np.clip(0.5 + effect + rng.normal(0, 0.1, 240), 0, 1), np.full(240, 0.5)
    clusters = {f"q{i}": f"c{i // 20}" for i in range(240)}
    alone = judge(values({"a": a, "b": b}), "ndcg@10", TWO_POINTS)
    together = judge(values({"a": a, "b": b}), "ndcg@10", Rules(0.02, clusters))
    assert together.clusters == 12
    assert together.design_effect > 5
    assert together.comparisons[0].high - together.comparisons[0].low > 1.8 * (
        alone.comparisons[0].high - alone.comparisons[0].low
    )
    assert together.comparisons[0].p > alone.comparisons[0].p


def test_refusals() -> None:
    with pytest.raises(DataError, match="same queries"):
        judge({"a": {"q1": 1.0}, "b": {"q2": 1.0}}, "top1")
    with pytest.raises(DataError, match="not finite"):
        judge({"a": {"q1": float("nan")}}, "margin")
    with pytest.raises(DataError, match="no system"):
        judge({}, "top1")
    with pytest.raises(DataError, match="no comparison"):
        judge(values(PUBLISHED), "top1").between("BGE-M3", "BGE-M3")


@pytest.mark.slow  # seconds of the processor are asserted
def test_twenty_systems_on_a_thousand_queries_are_judged_in_seconds() -> None:
    rng = np.random.default_rng(6)
    rows = values({f"s{i}": rng.random(1000) for i in range(20)})
    start = time.process_time()
    judge(rows, "ndcg@10")
    assert time.process_time() - start < 12
