"""Which templates an endpoint is sent, and that it is said."""

from pathlib import Path

import numpy as np
import pytest

from steelyard.bench.evaluation.result import load
from steelyard.bench.evaluation.runner import WeighConfig, read_systems, weigh  # type: ignore[attr-defined]
from steelyard.engines.remote.matching import endpoint_recipe
from steelyard.errors import RecipeError
from steelyard.models.registry import load_recipe, recipe_called, recipe_names
from steelyard.suites.registry import open_suite
from upstream_kit import Asked, Bad, http


@pytest.mark.parametrize(
    "name",
    [
        "qwen3-4b",
        "Qwen3-Embedding-4B",
        "Qwen/Qwen3-Embedding-4B",
        "qwen3-embedding:4b",
        "dengcao/Qwen3-Embedding-4B:Q8_0",
        "Qwen/Qwen3-Embedding-4B-GGUF",
        "Qwen3-Embedding-4B-Q4_K_M.gguf",
        "qwen3-embedding-4b-awq",
        "/data/models/Qwen3-Embedding-4B/",
        "/root/.cache/huggingface/hub/models--Qwen--Qwen3-Embedding-4B/snapshots/5cf2132abc99cad020ac570b19d031efec650f2b",
    ],
)
def test_the_names_that_servers_give(name: str) -> None:
    assert recipe_called(name).name == "qwen3-4b"


@pytest.mark.parametrize("name", ["m", "", "/", "qwen3:4b", "Qwen3-4B", "Qwen/Qwen3-4B", "intfloat/e5-small-v2"])
def test_names_of_other_models(name: str) -> None:
    assert recipe_called(name) is None


def test_every_recipe_is_called_by_its_own_names() -> None:
    for name in recipe_names():
        recipe = load_recipe(name)
        assert recipe_called(name).name == name
        for known in filter(None, (recipe.sources.huggingface, recipe.sources.modelscope)):
            meant = recipe_called(known)
            assert meant.sources.huggingface == recipe.sources.huggingface


def test_an_embedding_endpoint_gets_no_rerankers_template() -> None:
    assert recipe_called("BAAI/bge-reranker-v2-m3", "embedding") is None


def test_what_is_said_of_each_way() -> None:
    matched = endpoint_recipe("Qwen/Qwen3-Embedding-4B", None)
    assert matched.recipe == load_recipe("qwen3-4b")
    assert "recipe qwen3-4b" in matched.said
    assert "NO template" in endpoint_recipe("my-model", None).said
    asked, bare = endpoint_recipe("my-model", "qwen3-4b"), endpoint_recipe("Qwen3-Embedding-4B", "none")
    assert (asked.recipe, asked.said) == (load_recipe("qwen3-4b"), "")
    assert (bare.recipe, bare.said) == (None, "")
    with pytest.raises(RecipeError, match="no model is called"):
        endpoint_recipe("my-model", "qwen")


@pytest.mark.parametrize(
    ("options", "sent", "said"),
    [
        ("", "query: ", "its name means the recipe e5-small"),
        ("[recipe=e5-small]", "query: ", ""),
        ("[recipe=none]", "", ""),
    ],
)
def test_a_result_records_which_templates_were_sent(tmp_path: Path, options: str, sent: str, said: str) -> None:
    suite = open_suite("zh-traps-mini")
    server = Bad(lambda asked: vectors(asked))
    typed = f"openai:intfloat/multilingual-e5-small@{server.url}/v1{options}"
    weigh(read_systems([typed]), suite, WeighConfig(out=tmp_path / "r.json"))
    server.close()
    (record,) = load(tmp_path / "r.json").systems
    assert record.name == typed
    assert record.engines[0].warning.startswith(said)
    assert bool(record.engines[0].warning) == bool(said)
    texts = {t for asked in server.posts for t in asked.body["input"]}
    assert {sent + q.text for q in suite.queries} <= texts


def vectors(asked: Asked) -> bytes:
    rows = np.random.default_rng(0).normal(size=(len(asked.body["input"]), 384))
    return http(200, {"data": [{"index": i, "embedding": row.tolist()} for i, row in enumerate(rows)]})
