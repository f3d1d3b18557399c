"""BGE-M3's three heads against their published definition, written out here one text at a time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import checkpoints
import numpy as np
import pytest
import torch
from checkpoints import TEXTS

from steelyard.engines.load import open_encoder, open_sparse_encoder, open_token_encoder
from steelyard.engines.protocol import SparseEncoder
from steelyard.engines.torch.config import TorchConfig
from steelyard.engines.torch.encoder import TorchEncoder
from steelyard.engines.torch.precision import Precision
from steelyard.errors import RecipeError, UsageError, WeightsError
from steelyard.models.recipe import Recipe
from steelyard.types import Role

SPECIAL = {0, 1, 2, 3}


@pytest.fixture(scope="module")
def m3(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Recipe, TorchEncoder]:
    folder = tmp_path_factory.mktemp("bge-m3")
    model = checkpoints.xlmr(folder)
    generator = torch.Generator().manual_seed(7)
    for name, outputs in (("sparse", 1), ("colbert", 32)):
        state = {
            "weight": torch.randn(outputs, 32, generator=generator) / 4,
            "bias": torch.randn(outputs, generator=generator) / 8,
        }
        torch.save(state, folder / f"{name}_linear.pt")
    recipe = checkpoints.recipe("bge-m3", folder, dimension=32)
    return model, recipe, TorchEncoder(recipe, TorchConfig(Precision.FP32, budget=60))


def states_of(model: Any, ids: list[int]) -> torch.Tensor:
    with torch.no_grad():
        found: torch.Tensor = model(input_ids=torch.tensor([ids])).last_hidden_state[0]
    return found


def load(recipe: Recipe, name: str) -> tuple[torch.Tensor, torch.Tensor]:
    state = torch.load(Path(str(recipe.sources.folder)) / f"{name}_linear.pt", weights_only=True)
    return state["weight"], state["bias"]


def test_sparse_is_the_largest_weight_of_each_token_id(m3: tuple[Any, Recipe, TorchEncoder]) -> None:
    model, recipe, encoder = m3
    weight, bias = load(recipe, "sparse")
    found = encoder.encode_sparse(TEXTS, Role.DOCUMENT)
    for ids, weights in zip(encoder.token_ids(TEXTS, Role.DOCUMENT), found, strict=True):
        wanted: dict[int, float] = {}
        for token, state in zip(ids, states_of(model, ids), strict=True):
            value = max(float(state @ weight[0] + bias[0]), 0.0)
            if token not in SPECIAL and value > 0:
                wanted[token] = max(wanted.get(token, 0.0), value)
        assert weights.keys() == wanted.keys()
        assert weights == pytest.approx(wanted, abs=1e-5)


def test_colbert_is_a_vector_for_every_token_behind_the_first(m3: tuple[Any, Recipe, TorchEncoder]) -> None:
    model, recipe, encoder = m3
    weight, bias = load(recipe, "colbert")
    found = encoder.encode_tokens(TEXTS, Role.DOCUMENT)
    for ids, vectors in zip(encoder.token_ids(TEXTS, Role.DOCUMENT), found, strict=True):
        wanted = states_of(model, ids)[1:] @ weight.T + bias
        wanted = wanted / wanted.norm(dim=1, keepdim=True)
        np.testing.assert_allclose(vectors, wanted.numpy(), atol=1e-5)


def test_the_doors_open_it(m3: tuple[Any, Recipe, TorchEncoder]) -> None:
    _, recipe, encoder = m3
    dense = open_encoder(recipe, "torch-fp32")
    np.testing.assert_allclose(dense.encode(TEXTS[:2], Role.QUERY), encoder.encode(TEXTS[:2], Role.QUERY), atol=1e-6)
    assert open_token_encoder(recipe, "torch-fp32").info.backend == "torch-fp32"
    sparse = open_sparse_encoder(recipe, "torch-fp32")
    assert isinstance(sparse, SparseEncoder)
    assert (
        sparse.encode_sparse(TEXTS[:1], Role.QUERY)[0].keys() == encoder.encode_sparse(TEXTS[:1], Role.QUERY)[0].keys()
    )


def test_texts_come_back_in_order_and_nothing_gives_nothing(m3: tuple[Any, Recipe, TorchEncoder]) -> None:
    encoder = m3[2]
    assert encoder.encode_sparse([], Role.QUERY) == encoder.encode_tokens([], Role.QUERY) == []
    there, back = encoder.encode_sparse(TEXTS, Role.QUERY), encoder.encode_sparse(TEXTS[::-1], Role.QUERY)
    assert all(a == pytest.approx(b, abs=1e-5) for a, b in zip(there, reversed(back), strict=True))


def test_a_hostile_head_is_not_run(m3: tuple[Any, Recipe, TorchEncoder], tmp_path: Path) -> None:
    class Hostile:
        def __reduce__(self) -> tuple[Any, ...]:
            return (open, (str(tmp_path / "ran"), "w"))

    for file in Path(str(m3[1].sources.folder)).iterdir():
        (tmp_path / file.name).symlink_to(file)
    (tmp_path / "sparse_linear.pt").unlink()
    torch.save({"weight": Hostile()}, tmp_path / "sparse_linear.pt")
    encoder = TorchEncoder(checkpoints.recipe("bge-m3", tmp_path, dimension=32))
    with pytest.raises(WeightsError, match="not a plain file of tensors"):
        encoder.encode_sparse(["a"], Role.QUERY)
    assert not (tmp_path / "ran").exists()


def test_a_model_without_the_head_says_so(m3: tuple[Any, Recipe, TorchEncoder]) -> None:
    plain = TorchEncoder(m3[1].model_copy(update={"heads": ("dense",)}))
    with pytest.raises(RecipeError, match="no sparse head"):
        plain.encode_sparse(["a"], Role.QUERY)
    with pytest.raises(UsageError, match="no sparse head"):
        open_sparse_encoder(m3[1].model_copy(update={"heads": ("dense",)}))
