import time

import numpy as np
import pytest

from steelyard.errors import DataError
from steelyard.stats.verdict import judge

# FACTS: 8 queries; two models answered all, two missed one.
PUBLISHED = {
    "BGE-M3": [1, 1, 1, 1, 1, 1, 1, 1],
    "Qwen3-0.6B": [1, 1, 1, 1, 1, 1, 1, 0],
    "Qwen3-4B": [1, 1, 1, 0, 1, 1, 1, 1],
    "Qwen3-8B": [1, 1, 1, 1, 1, 1, 1, 1],
}


def values(rows):
    return {name: {f"q{i}": float(x) for i, x in enumerate(row)} for name, row in rows.items()}


def test_the_published_top1_cannot_be_told_apart():
    verdict = judge(values(PUBLISHED), "top1")
    assert set(verdict.letters.values()) == {"a"}
    assert verdict.groups == (("BGE-M3", "Qwen3-8B", "Qwen3-0.6B", "Qwen3-4B"),)
    assert all(c.p == c.p_holm == 1.0 and not c.distinguishable for c in verdict.comparisons)
    assert verdict.sentence.startswith("No significant difference by Top-1 among the 4 systems on 8 queries.")
    pair = verdict.between("Qwen3-0.6B", "BGE-M3")
    assert (pair.a, pair.difference) == ("BGE-M3", 0.125)
    assert pair.low < 0 < pair.high
    assert pair.sentence == (
        "No significant difference between BGE-M3 and Qwen3-0.6B by Top-1: 12.5 points "
        "(95 % interval [−21.5, +47.1], Holm-adjusted p 1.00)."
    )
    assert "means are equal" in verdict.between("BGE-M3", "Qwen3-8B").sentence


def test_a_real_difference_is_said():
    verdict = judge(values({"bad": [0] * 40 + [1] * 60, "good": [1] * 90 + [0] * 10}), "hit@3")
    (pair,) = verdict.comparisons
    assert pair.distinguishable
    assert pair.sentence.startswith("good is significantly better than bad by hit@3: 30.0 points (95 % interval ")
    assert verdict.sentence.startswith("good is significantly better than every other system by hit@3 on 100 queries.")
    assert list(verdict.figures) == ["good", "bad"]
    assert verdict.letters == {"good": "a", "bad": "b"}


def test_graded_and_unbounded_measures():
    rng = np.random.default_rng(1)
    base = rng.normal(size=60)
    verdict = judge(values({"low": base, "high": base + 1 + rng.normal(0, 0.1, 60)}), "margin")
    (pair,) = verdict.comparisons
    assert pair.distinguishable
    assert pair.low < pair.difference < pair.high
    assert "points" not in pair.sentence
    assert 0 < verdict.detectable < 0.1


def test_the_order_of_systems_changes_nothing():
    rng = np.random.default_rng(2)
    rows = {f"s{i}": rng.random(50) + i * 0.05 for i in range(5)}
    one, other = judge(values(rows), "ndcg@10"), judge(values(dict(reversed(rows.items()))), "ndcg@10")
    assert one == other


def test_identical_systems_have_no_interval_of_zero_width():
    row = np.linspace(0.1, 0.9, 20)
    (pair,) = judge(values({"a": row, "b": row}), "ndcg@10").comparisons
    assert pair.low < 0 < pair.high
    assert not pair.distinguishable


def test_one_system_and_no_query():
    alone = judge(values({"only": [1, 0]}), "top1")
    assert alone.comparisons == ()
    assert alone.sentence == "Only one system was evaluated by Top-1."
    empty = judge(values({"a": [], "b": []}), "top1")
    assert not empty.comparisons[0].distinguishable
    assert empty.n == 0


def test_enough_permutations_for_the_correction():
    rng = np.random.default_rng(4)
    base = rng.random(80)
    rows = {f"s{i:02d}": np.clip(base * 0.5 + i * 0.01 + rng.normal(0, 0.002, 80), 0, 1) for i in range(34)}
    verdict = judge(values(rows), "ndcg@10")
    assert verdict.between("s33", "s00").distinguishable


def test_refusals():
    with pytest.raises(DataError, match="same queries"):
        judge({"a": {"q1": 1.0}, "b": {"q2": 1.0}}, "top1")
    with pytest.raises(DataError, match="not finite"):
        judge({"a": {"q1": float("nan")}}, "margin")
    with pytest.raises(DataError, match="no system"):
        judge({}, "top1")
    with pytest.raises(DataError, match="no comparison"):
        judge(values(PUBLISHED), "top1").between("BGE-M3", "BGE-M3")


@pytest.mark.slow  # seconds of the processor are asserted
def test_twenty_systems_on_a_thousand_queries_are_judged_in_seconds():
    rng = np.random.default_rng(6)
    rows = values({f"s{i}": rng.random(1000) for i in range(20)})
    start = time.process_time()
    judge(rows, "ndcg@10")
    assert time.process_time() - start < 12
