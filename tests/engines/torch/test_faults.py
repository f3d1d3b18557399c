"""Broken, hostile and wrong checkpoints: an error that names the file and the mend, never a vector."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import checkpoints
import pytest
import safetensors.torch as st
import tokenizers_for_tests as tokenizers
import torch

from steelyard.engines.checkpoint.files import digest
from steelyard.engines.checkpoint.pickled import convert
from steelyard.engines.torch.config import TorchConfig
from steelyard.engines.torch.encoder import TorchEncoder
from steelyard.engines.torch.precision import Precision
from steelyard.errors import RecipeError, SteelyardError, WeightsError
from steelyard.models.recipe import Recipe, Sources
from steelyard.models.registry import load_recipe
from steelyard.types import Role

WEIGHTS = "model.safetensors"
QUERY_WEIGHT = "encoder.layer.1.attention.self.query.weight"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    checkpoints.bert(tmp_path)
    return tmp_path


def recipe(folder: Path) -> Recipe:
    return checkpoints.recipe("all-minilm-l6-v2", folder, dimension=48)


def encode(folder: Path) -> None:
    TorchEncoder(recipe(folder), TorchConfig(Precision.FP32)).encode(["a steelyard"], Role.DOCUMENT)


def edit(folder: Path, change: Callable[[dict[str, torch.Tensor]], object]) -> None:
    state = st.load_file(folder / WEIGHTS)
    change(state)
    st.save_file(state, folder / WEIGHTS)


def configure(folder: Path, **changes: object) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def truncate(folder: Path) -> None:
    data = (folder / WEIGHTS).read_bytes()
    (folder / WEIGHTS).write_bytes(data[: len(data) // 2])


def pickled(folder: Path) -> None:
    torch.save(st.load_file(folder / WEIGHTS), folder / "pytorch_model.bin")
    (folder / WEIGHTS).unlink()


def sharded(folder: Path) -> None:
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"a": "model-00001.safetensors"}}))


def outside(folder: Path) -> None:
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"a": "../secret.safetensors"}}))


@pytest.mark.parametrize(
    ("damage", "fault"),
    [
        (truncate, "truncated or corrupt"),
        (lambda f: (f / WEIGHTS).write_bytes(b"not weights at all"), "truncated or corrupt"),
        (lambda f: (f / WEIGHTS).unlink(), "download the model again"),
        (pickled, "weights are a pickle"),
        (sharded, "shards are missing"),
        (outside, "outside its folder"),
        (lambda f: edit(f, lambda s: s.pop(QUERY_WEIGHT)), f"1 tensors are missing: {QUERY_WEIGHT}"),
        (lambda f: edit(f, lambda s: s.update({QUERY_WEIGHT: torch.zeros(48, 47)})), r"is \(48, 47\), expected"),
        (lambda f: edit(f, lambda s: s.pop("embeddings.word_embeddings.weight")), "another architecture"),
        (lambda f: configure(f, hidden_act="relu"), "hidden_act is 'relu'"),
        (lambda f: configure(f, hidden_size=96), "states of 96 numbers"),
        (lambda f: configure(f, num_hidden_layers="three"), "num_hidden_layers must be a whole number"),
        (lambda f: configure(f, model_type="qwen3"), "model_type is 'qwen3'"),
        (lambda f: tokenizers.write(tokenizers.xlmr(), f), "250002 tokens, but the embedding table has 30522 rows"),
        (lambda f: (f / "tokenizer.json").write_text("{}"), "not a tokenizer.json"),
        (lambda f: (f / "tokenizer.json").unlink(), r"tokenizer\.json: not there"),
    ],
)
def test_a_broken_checkpoint_names_place_and_fault(folder: Path, damage: Callable[[Path], object], fault: str) -> None:
    encode(folder)
    damage(folder)
    with pytest.raises((WeightsError, RecipeError), match=fault) as caught:
        encode(folder)
    assert str(folder) in str(caught.value)


def test_a_pickle_is_converted_without_running_it(folder: Path) -> None:
    wanted = TorchEncoder(recipe(folder)).encode(["a steelyard"], Role.DOCUMENT)
    pickled(folder)
    assert convert(folder) == folder / WEIGHTS
    assert (TorchEncoder(recipe(folder)).encode(["a steelyard"], Role.DOCUMENT) == wanted).all()
    assert not list(folder.glob("*.partial"))
    (folder / WEIGHTS).unlink()
    (folder / "pytorch_model.bin").write_bytes(b"\x80\x04junk")
    with pytest.raises(WeightsError, match="not a plain file of tensors"):
        convert(folder)
    assert not (folder / WEIGHTS).exists()


def test_weights_that_are_nowhere_say_how_to_get_them() -> None:
    nowhere = load_recipe("qwen3-8b").model_copy(update={"sources": Sources()})
    with pytest.raises(SteelyardError, match="steelyard models pull qwen3-8b"):
        TorchEncoder(nowhere)


def test_other_weights_have_another_fingerprint(folder: Path) -> None:
    edit(folder, lambda s: s)
    before, size = TorchEncoder(recipe(folder)).info.fingerprint, (folder / WEIGHTS).stat().st_size
    assert TorchEncoder(recipe(folder)).info.fingerprint == before
    edit(folder, lambda s: s[QUERY_WEIGHT].mul_(1.0001))
    assert (folder / WEIGHTS).stat().st_size == size
    assert TorchEncoder(recipe(folder)).info.fingerprint != before
    assert digest([folder / WEIGHTS]) == digest([folder / WEIGHTS])
