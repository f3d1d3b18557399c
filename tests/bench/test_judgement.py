"""The published experiment, judged."""

import pytest

from steelyard.bench.evaluation.judgement import judge
from steelyard.bench.evaluation.result import load
from steelyard.errors import ResultError, UsageError


def test_the_published_eight_queries_tell_nothing_apart() -> None:
    judgement = judge(load("published:a100-8x24"))
    verdict = judgement.verdict
    assert "Undecided: the 4 systems show no significant difference by Top-1 on 8 queries" in verdict.sentence
    assert set(verdict.letters.values()) == {"a"}
    assert [c.p for c in verdict.comparisons] == [1.0] * 6


def test_seven_of_eight_carries_its_wide_interval() -> None:
    figure = judge(load("published:a100-8x24")).verdict.figures["Qwen3-4B"]
    assert (round(figure.low, 3), round(figure.high, 3)) == (0.529, 0.978)


def test_how_many_queries_87_against_100_would_need() -> None:
    judgement = judge(load("published:a100-8x24"))
    (needed,) = judgement.needed
    assert needed.startswith("BGE-M3 and Qwen3-8B: About 3,927 queries would decide it 80 % of the time")
    assert judgement.verdict.between("BGE-M3", "Qwen3-4B").queries_to_decide == 238
    assert not any(r.allowed for r in judgement.replaced.values())


def test_a_measure_that_the_result_lacks_names_those_it_has() -> None:
    with pytest.raises(ResultError, match="it has top1, hit@3"):
        judge(load("published:a100-8x24"), "ndcg@10")
    with pytest.raises(UsageError, match="unknown measure"):
        judge(load("published:a100-8x24"), "goodness")
