"""The packed file read tensor by tensor, and the checkpoint that is written from it."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import packed_e5
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from safetensors.numpy import load_file

from steelyard.engines.builtin.e5_numpy import NumpyE5Encoder, build_bert
from steelyard.engines.builtin.e5_rebuild import PackedE5, dequantised, write_e5_checkpoint
from steelyard.errors import WeightsError
from steelyard.models.registry import load_recipe
from steelyard.types import Role


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> PackedE5:
    return PackedE5(packed_e5.write(tmp_path_factory.mktemp("packed") / "small.bin"))


@given(arrays(np.float32, (3, 32), elements=st.floats(-4, 4, width=32)))
def test_quantised_values_come_back_within_a_step(values: Any) -> None:
    back = dequantised(np.frombuffer(packed_e5.quantise(values), dtype=np.uint8)).reshape(3, 32)
    step = np.abs(values).max(axis=1, keepdims=True) / 8
    assert (np.abs(back - values) <= step * 1.01 + 1e-6).all()


def test_a_block_by_hand() -> None:
    raw = np.zeros(18, dtype=np.uint8)
    raw[:2] = np.array([0.5], dtype="<f2").view(np.uint8)
    raw[2:] = 0x88
    raw[2], raw[17] = 0xF0, 0x1A
    wanted = np.zeros(32, dtype=np.float32)
    wanted[0], wanted[16], wanted[15], wanted[31] = -4, 3.5, 1, -3.5
    np.testing.assert_array_equal(dequantised(raw), wanted)


def test_shapes_and_names_are_the_published_ones(packed: Any) -> None:
    assert packed.shape.hidden_size == packed_e5.HIDDEN
    assert packed.shape.layer_norm_eps == 1e-12
    assert packed.size_of("embeddings.token_type_embeddings.weight") == (2, 64)
    assert packed.size_of("encoder.layer.1.intermediate.dense.weight") == (96, 64)
    assert packed.size_of("encoder.layer.1.output.dense.weight") == (64, 96)
    assert packed.size_of("encoder.layer.0.attention.output.LayerNorm.weight") == (64,)
    assert len(packed.names()) == 5 + 16 * packed_e5.LAYERS


def test_rows_and_parts_are_the_tensor(packed: Any) -> None:
    for name in ("embeddings.word_embeddings.weight", "embeddings.position_embeddings.weight"):
        whole = packed.tensor(name)
        pick = np.array([3, 0, 3, 39])
        np.testing.assert_array_equal(packed.rows(name, pick), whole[pick])
        pieces = list(packed.parts(name, values=96))
        assert len(pieces) > 2
        np.testing.assert_array_equal(np.concatenate(pieces), whole.reshape(-1))


def test_a_folder_in_the_standard_layout(packed: Any, tmp_path: Path) -> None:
    folder = write_e5_checkpoint(tmp_path / "new" / "e5", packed)
    tensors = load_file(folder / "model.safetensors")
    assert set(tensors) == set(packed.names())
    for name, value in tensors.items():
        np.testing.assert_array_equal(value, packed.tensor(name))
    config = json.loads((folder / "config.json").read_text())
    assert config["model_type"] == "bert"
    assert (config["hidden_size"], config["num_hidden_layers"], config["vocab_size"]) == (64, 2, 50)
    assert json.loads((folder / "1_Pooling" / "config.json").read_text())["pooling_mode_mean_tokens"] is True
    assert not list(folder.glob("*.part"))
    assert (folder / "tokenizer.json").stat().st_size > 1e7


@pytest.mark.slow
def test_transformers_reads_the_small_one_and_agrees(packed: Any, tmp_path: Path) -> None:
    import torch
    from transformers import BertModel

    folder = write_e5_checkpoint(tmp_path, packed)
    reference = BertModel.from_pretrained(folder, add_pooling_layer=False).eval()
    texts = [np.arange(n) % packed_e5.VOCABULARY for n in (1, 7, 40, 7, 3)]
    with torch.no_grad():
        wanted = [reference(torch.tensor(ids[None])).last_hidden_state[0].numpy() for ids in texts]
    for ours, theirs in zip(build_bert(packed)(texts), wanted, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=2e-5)


@pytest.mark.slow
def test_transformers_reads_the_real_one_and_agrees(tmp_path: Path) -> None:
    import torch
    from transformers import AutoModel, AutoTokenizer

    folder = write_e5_checkpoint(tmp_path)
    model, tokenizer = AutoModel.from_pretrained(folder).eval(), AutoTokenizer.from_pretrained(folder)
    assert sum(p.numel() for n, p in model.named_parameters() if not n.startswith("pooler")) == 117_505_920
    ours = NumpyE5Encoder(load_recipe("e5-small"))
    texts = ["query: 苹果手机", "query: how are you", "query: 混合 mixed 3.5kg"]
    rows = ours.encode([t.removeprefix("query: ") for t in texts], Role.QUERY)
    for text, row in zip(texts, rows, strict=True):
        with torch.no_grad():
            states = model(**tokenizer(text, return_tensors="pt")).last_hidden_state[0]
        wanted = torch.nn.functional.normalize(states.mean(0), dim=0).numpy()
        np.testing.assert_allclose(row, wanted, atol=1e-5)


def test_damaged_files_are_named(tmp_path: Path) -> None:
    whole = packed_e5.write(tmp_path / "small.bin").read_bytes()
    cases = {
        "other": b"GGUF" + whole[4:],
        "header": whole[:20],
        "directory": whole[:500],
        "tensors": whole[:-1],
        "empty": b"",
        "tiny": whole[:5],
    }
    for name, content in cases.items():
        path = tmp_path / f"{name}.bin"
        path.write_bytes(content)
        with pytest.raises(WeightsError, match=rf"{name}\.bin"):
            PackedE5(path)
    with pytest.raises(WeightsError, match=r"nowhere\.bin"):
        PackedE5(tmp_path / "nowhere.bin")
