"""Sweeps: which systems they make, how each is compared, and what is said of it."""

import io
from pathlib import Path
from typing import Any

import pytest
from bench_results import outcomes, result
from rich.console import Console

from steelyard.bench.evaluation.against import compare_with
from steelyard.bench.evaluation.sweep import Axes, chinese_against_english, ladder, rows, smallest, storage_of, variants
from steelyard.cli import main
from steelyard.errors import ExpressionError, ResultError, UsageError
from steelyard.report.sweep_view import sweep_blocks
from steelyard.report.terminal import print_blocks
from steelyard.retrieval.resolve import read_system
from steelyard.stats.paired import paired_test
from steelyard.wording.words import load_wording


def names(source: Any, **axes: Any) -> list[Any]:
    return [str(n) for n in variants(read_system(source), Axes(**axes))]


def test_dimensions_and_precisions_are_crossed_and_the_whole_is_the_base() -> None:
    assert names("e5-small", dimensions=(64, 384), precisions=("float32", "binary")) == [
        "e5-small",
        "e5-small[dim=64]",
        "e5-small[dim=64, precision=binary]",
        "e5-small[precision=binary]",
    ]


def test_rescoring_is_tried_beside_going_without() -> None:
    assert names("e5-small", precisions=("float32", "int8"), rescore=40) == [
        "e5-small",
        "e5-small[precision=int8]",
        "e5-small[precision=int8, rescore=40]",
    ]


def test_other_axes_stand_alone() -> None:
    assert names("qwen3-0.6b", dimensions=(256,), instructions=("none", "查找答案"), max_tokens=(64,)) == [
        "qwen3-0.6b",
        "qwen3-0.6b[dim=256]",
        "qwen3-0.6b[instruction=none]",
        'qwen3-0.6b[instruction="查找答案"]',
        "qwen3-0.6b[max_tokens=64]",
    ]


def test_deep_reranking_comes_first() -> None:
    assert names("bm25 >> maxsim", tops=(10, 50, 20)) == [
        "bm25 >> maxsim",
        "bm25 >> maxsim[top=50]",
        "bm25 >> maxsim[top=20]",
        "bm25 >> maxsim[top=10]",
    ]


def test_weights_share_one() -> None:
    assert names("bm25 + e5-small", weights=(0.25,))[1] == "bm25[weight=0.75] + e5-small[weight=0.25]"
    assert names("bm25 + e5-small >> maxsim", weights=(1.0,))[1].startswith("bm25[weight=0] + e5-small[weight=1]")


@pytest.mark.parametrize(
    ("source", "axes", "error"),
    [
        ("bm25", {"dimensions": (64,)}, UsageError),
        ("e5-small", {"tops": (5,)}, UsageError),
        ("e5-small", {"weights": (0.5,)}, UsageError),
        ("bm25 + e5-small", {"weights": (1.5,)}, UsageError),
        ("e5-small", {"dimensions": (512,)}, ExpressionError),
    ],
)
def test_an_axis_that_a_system_does_not_have(source: str, axes: dict[Any, Any], error: Any) -> None:
    with pytest.raises(error):
        variants(read_system(source), Axes(**axes))


def test_the_ladder_ends_at_the_model_and_begins_where_it_was_trained() -> None:
    assert ladder(read_system("e5-small")) == (32, 64, 96, 128, 192, 256, 384)
    assert ladder(read_system("qwen3-0.6b"))[0] >= 32
    assert len(ladder(read_system("qwen3-0.6b"))) >= 8
    with pytest.raises(UsageError, match="--dims"):
        ladder(read_system("openai:m@http://localhost/v1"))


def test_storage_of_a_system() -> None:
    assert storage_of(read_system("e5-small")).bytes_per_million == 384 * 4_000_000
    assert (
        storage_of(read_system("e5-small[dim=64, precision=binary, rescore=9]")).rescore_bytes_per_million
        == 256_000_000
    )
    assert storage_of(read_system("bm25")) is None
    assert storage_of(read_system("bm25 + e5-small")) is None


def test_differences_are_from_the_base_and_signed() -> None:
    base, worse = outcomes(0.8), outcomes(0.5, seed=1)
    (found,) = compare_with(result({"a": base, "b": worse}), "a", ["a", "b"], "top1")
    assert found.difference == pytest.approx(sum(worse) / 200 - sum(base) / 200)
    assert found.low < found.difference < found.high < 0
    assert found.p == paired_test(worse, base).p
    assert found.worse
    assert not found.better


def test_correction_is_over_the_comparisons_that_are_made() -> None:
    base = outcomes(0.6)
    others = {f"s{i}": outcomes(0.68, seed=i) for i in range(1, 4)}
    found = compare_with(result({"a": base, **others}), "a", list(others), "top1")
    least = min(found, key=lambda a: a.p)
    assert least.p_holm == pytest.approx(min(1.0, 3 * least.p))


def test_a_system_that_is_not_there() -> None:
    with pytest.raises(ResultError, match="c was not weighed; there is a"):
        compare_with(result({"a": [1.0]}), "a", ["c"], "top1")


def test_the_smallest_that_is_not_worse() -> None:
    good, bad = outcomes(0.7), outcomes(0.3, seed=5)
    values = {"e5-small": good, "e5-small[dim=192]": good, "e5-small[dim=64]": good, "e5-small[dim=32]": bad}
    found = rows(result(values), "e5-small", "top1")
    assert smallest(found).name == "e5-small[dim=64]"
    assert smallest(found[:1]) is None


def test_a_sign_of_loss_is_enough_to_keep_off_a_saving() -> None:
    good = outcomes(0.7)
    hint = [float(v and i % 25 != 7) for i, v in enumerate(good)]
    values = {"e5-small": good, "e5-small[dim=64]": hint} | {f"e5-small[dim={d}]": good for d in range(100, 130)}
    found = rows(result(values), "e5-small", "top1")
    lossy = next(r.against for r in found if r.name == "e5-small[dim=64]")
    assert lossy.p < 0.05 < lossy.p_holm
    assert smallest(found).name == "e5-small[dim=100]"


def test_instructions_are_tested_against_none_and_by_language() -> None:
    bare, english, chinese = outcomes(0.4), outcomes(0.75, seed=2), outcomes(0.4, seed=0)
    values = {
        "qwen3-0.6b": english,
        "qwen3-0.6b[instruction=none]": bare,
        "qwen3-0.6b[instruction=find]": english,
        'qwen3-0.6b[instruction="查找"]': chinese,
    }
    found = result(values)
    assert chinese_against_english(found, "top1").worse
    out = io.StringIO()
    print_blocks(Console(file=out, width=200), sweep_blocks(found, "qwen3-0.6b", "top1", load_wording("en")))
    text = out.getvalue()
    assert "qwen3-0.6b[instruction=find] compared with no instruction: better by" in text
    assert 'qwen3-0.6b[instruction="查找"] compared with no instruction: equivalent, 0.0 points' in text
    assert "Chinese compared with English instructions: worse by" in text


def test_without_both_languages_nothing_is_said() -> None:
    assert chinese_against_english(result({"qwen3-0.6b[instruction=find]": [1.0]}), "top1") is None


def test_the_command_sweeps_and_stores(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    out = str(tmp_path / "r.json")
    arguments = ["minilm-en", "--suite", "zh-traps-mini", "--no-cache", "--out", out, "--dims", "64"]
    assert main(["sweep", *arguments, "--precisions", "binary", "--max-tokens", "12"]) == 0
    text = capfd.readouterr().out
    assert "minilm-en[dim=64, precision=binary]" in text
    assert "minilm-en[max_tokens=12]" in text
    assert "not trained to be cut" not in text.splitlines()[1]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["e5-small[dim=32|64]"], "stands for 2"),
        (["e5-small", "--dims", "x"], "--dims takes numbers"),
        (["e5-small", "--dims", "0"], "whole numbers from 1"),
        (["e5-small", "--precisions", "int4"], "--precisions takes float32, int8, binary"),
        (["e5-small", "--top", "5"], "no part that takes top"),
    ],
)
def test_the_command_refuses_at_once(arguments: list[str], words: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["sweep", *arguments]) == 2
    assert words in capfd.readouterr().err


def test_instructions_are_read_from_a_file(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["sweep", "e5-small", "--instructions", str(tmp_path / "none.txt")]) == 3
    empty = tmp_path / "empty.txt"
    empty.write_text("\n\n")
    assert main(["sweep", "e5-small", "--instructions", str(empty)]) == 3
    assert "holds no instruction" in capfd.readouterr().err


def test_the_default_instruction_of_a_bare_system_is_that_system() -> None:
    axes = Axes(instructions=("none", "default", "查"))
    names = [str(n) for n in variants(read_system("qwen3-0.6b"), axes)]
    assert names == ["qwen3-0.6b", "qwen3-0.6b[instruction=none]", 'qwen3-0.6b[instruction="查"]']
    told = [str(n) for n in variants(read_system("qwen3-0.6b[instruction=none]"), axes)]
    assert told[1] == "qwen3-0.6b[instruction=default]"
