"""The published experiment, judged."""

import pytest

from steelyard.bench.evaluation.judgement import judge
from steelyard.bench.evaluation.result import load
from steelyard.errors import ResultError, UsageError


def test_the_published_eight_queries_tell_nothing_apart() -> None:
    judgement = judge(load("published:a100-8x24"))
    verdict = judgement.verdict
    assert "No significant difference by Top-1 among the 4 systems on 8 queries" in verdict.sentence
    assert set(verdict.letters.values()) == {"a"}
    assert [c.p for c in verdict.comparisons] == [1.0] * 6


def test_seven_of_eight_carries_its_wide_interval() -> None:
    figure = judge(load("published:a100-8x24")).verdict.figures["Qwen3-4B"]
    assert (round(figure.low, 3), round(figure.high, 3)) == (0.529, 0.978)


def test_how_many_queries_87_against_100_would_need() -> None:
    (needed,) = judge(load("published:a100-8x24")).needed
    assert "62 queries are needed to tell 100.0 from 87.5" in needed


def test_a_measure_that_the_result_lacks_names_those_it_has() -> None:
    with pytest.raises(ResultError, match="it has top1, hit@3"):
        judge(load("published:a100-8x24"), "ndcg@10")
    with pytest.raises(UsageError, match="unknown measure"):
        judge(load("published:a100-8x24"), "goodness")
