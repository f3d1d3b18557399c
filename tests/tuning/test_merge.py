"""Merged checkpoints: equal to arithmetic written out in torch, loaded by transformers and by our own engine."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from steelyard.cli.app import run
from steelyard.errors import UsageError, WeightsError
from steelyard.tuning.merge import MergeConfig, merge, slerp
from steelyard.tuning.tensors import rounded_bytes


def checkpoint(folder: Path, seed: int, kind: Any = torch.float32, shards: int = 1) -> Path:
    """Two tensors, one vector and a buffer of whole numbers."""
    folder.mkdir()
    generator = torch.Generator().manual_seed(seed)
    tensors = {
        "a.weight": torch.randn(7, 5, generator=generator).to(kind),
        "b.weight": torch.randn(300, 11, generator=generator).to(kind),
        "b.bias": torch.randn(11, generator=generator).to(kind),
        "positions": torch.arange(6),
    }
    if shards == 1:
        save_file(tensors, folder / "model.safetensors")
    else:
        names = [f"model-0000{i + 1}-of-00002.safetensors" for i in range(2)]
        of = {n: names[i % 2] for i, n in enumerate(tensors)}
        for name in names:
            save_file({n: t for n, t in tensors.items() if of[n] == name}, folder / name)
        (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": of}))
    (folder / "config.json").write_text("{}")
    (folder / "tokenizer.json").write_text("{}")
    (folder / "README.md").write_text("of the first model")
    return folder


def weights(folder: Path) -> dict[str, Any]:
    return {n: t for f in sorted(folder.glob("*.safetensors")) for n, t in load_file(f).items()}


def written_out(one: Any, other: Any, t: float) -> Any:
    """SLERP as a textbook has it, in float64."""
    a, b = one.double().flatten(), other.double().flatten()
    angle = torch.arccos(torch.dot(a / a.norm(), b / b.norm()).clamp(-1, 1))
    return ((torch.sin((1 - t) * angle) * a + torch.sin(t * angle) * b) / torch.sin(angle)).reshape(one.shape)


@pytest.mark.parametrize("shards", [1, 2])
@pytest.mark.parametrize("share", [0.0, 0.3, 0.5, 1.0])
def test_slerp_is_that_of_the_textbook(tmp_path: Path, share: float, shards: int) -> None:
    one, other = checkpoint(tmp_path / "a", 1, shards=shards), checkpoint(tmp_path / "b", 2)
    merged = weights(merge([one, other], tmp_path / "out", MergeConfig(weights=(1 - share, share))))
    a, b = weights(one), weights(other)
    assert merged.keys() == a.keys()
    for name in a:
        if a[name].is_floating_point():
            torch.testing.assert_close(merged[name].double(), written_out(a[name], b[name], share), atol=1e-6, rtol=0)
    assert torch.equal(merged["positions"], a["positions"])


def test_linear_task_and_three_of_them(tmp_path: Path) -> None:
    folders = [checkpoint(tmp_path / name, seed) for seed, name in enumerate("abc")]
    a, b, c = (weights(f)["b.weight"].double() for f in folders)
    mean = weights(merge(folders, tmp_path / "mean", MergeConfig("linear", (2, 1, 1))))["b.weight"]
    torch.testing.assert_close(mean.double(), (2 * a + b + c) / 4, atol=1e-6, rtol=0)
    task = weights(merge(folders[1:], tmp_path / "task", MergeConfig("task", (0.5, 0.25), base=folders[0])))["b.weight"]
    torch.testing.assert_close(task.double(), a + 0.5 * (b - a) + 0.25 * (c - a), atol=1e-6, rtol=0)
    three = weights(merge(folders, tmp_path / "three"))["b.weight"]
    torch.testing.assert_close(three.double(), written_out(written_out(a, b, 1 / 2), c, 1 / 3), atol=1e-6, rtol=0)


def test_types_stay_and_round_to_the_nearest(tmp_path: Path) -> None:
    one, other = checkpoint(tmp_path / "a", 1, torch.bfloat16), checkpoint(tmp_path / "b", 2, torch.float16)
    merged = weights(merge([one, other], tmp_path / "out", MergeConfig("linear")))
    exact = (weights(one)["b.weight"].float() + weights(other)["b.weight"].float()) / 2
    assert merged["b.weight"].dtype is torch.bfloat16
    assert torch.equal(merged["b.weight"], exact.to(torch.bfloat16))


@given(st.lists(st.floats(width=32, allow_nan=True), max_size=40))
def test_rounding_is_that_of_torch(values: list[float]) -> None:
    array = np.array(values, dtype=np.float32)
    for kind, theirs in (("BF16", torch.bfloat16), ("F16", torch.float16)):
        with np.errstate(over="ignore"):
            ours = torch.frombuffer(bytearray(rounded_bytes(array, kind) or b"\0\0"), dtype=theirs)[: len(array)]
        torch.testing.assert_close(ours, torch.from_numpy(array).to(theirs), equal_nan=True, atol=0, rtol=0)


@given(st.integers(0, 1000), st.floats(0, 1))
def test_the_arc_keeps_lengths_and_parallel_tensors(seed: int, share: float) -> None:
    random = np.random.default_rng(seed)
    one, other = random.standard_normal((2, 20)).astype(np.float32)
    other *= np.linalg.norm(one) / np.linalg.norm(other)
    assert np.linalg.norm(slerp(one, other, share)) == pytest.approx(np.linalg.norm(one), rel=1e-5)
    np.testing.assert_allclose(slerp(one, one, share), one, atol=1e-6)
    np.testing.assert_allclose(slerp(np.zeros_like(one), one, share), share * one, atol=1e-6)


def test_what_does_not_fit_is_named_and_nothing_is_written(tmp_path: Path) -> None:
    one, other = checkpoint(tmp_path / "a", 1), checkpoint(tmp_path / "b", 2)
    odd = checkpoint(tmp_path / "odd", 3)
    (odd / "tokenizer.json").write_text('{"other": 1}')
    short = checkpoint(tmp_path / "short", 3)
    (short / "model.safetensors").write_bytes((other / "model.safetensors").read_bytes()[:-8])
    out = tmp_path / "out"
    with pytest.raises(WeightsError, match="tokenizers"):
        merge([one, odd], out)
    with pytest.raises(WeightsError, match="truncated"):
        merge([one, short], out)
    for config in (MergeConfig(weights=(1,)), MergeConfig(weights=(-1, 2)), MergeConfig("task"), MergeConfig(base=one)):
        with pytest.raises(UsageError):
            merge([one, other], out, config)
    with pytest.raises(UsageError, match="already"):
        merge([one, other], one)
    assert not out.exists()


def test_the_command_writes_a_folder_that_transformers_and_our_engine_load_alike(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import checkpoints
    import transformers as hf

    from steelyard.engines.load import open_encoder
    from steelyard.models.folder import read_recipe
    from steelyard.types import Role

    one = tmp_path / "one"
    checkpoints.bert(one)
    other = Path(shutil.copytree(one, tmp_path / "other"))
    tensors = load_file(one / "model.safetensors")
    random = torch.Generator().manual_seed(5)
    save_file(
        {
            n: t + 0.1 * torch.randn(t.shape, generator=random) if t.is_floating_point() else t
            for n, t in tensors.items()
        },
        other / "model.safetensors",
    )
    assert run(["merge", str(one), str(other), "-t", "0.4", "-o", str(tmp_path / "merged")]) == 0
    assert "Weigh it" in capsys.readouterr().out
    model = hf.AutoModel.from_pretrained(tmp_path / "merged")
    tokens = hf.AutoTokenizer.from_pretrained(tmp_path / "merged")(["退款规则 refund"], return_tensors="pt")
    with torch.no_grad():
        state = model(**tokens).last_hidden_state[0]
    engine = open_encoder(read_recipe(tmp_path / "merged"), "torch-fp32")
    ours = engine.encode(["退款规则 refund"], Role.DOCUMENT)[0]
    pooled = {"cls": state[0], "mean": state.mean(0)}[read_recipe(tmp_path / "merged").pooling]
    theirs = (pooled / pooled.norm()).numpy()
    assert float(ours @ theirs) == pytest.approx(1.0, abs=1e-5)
