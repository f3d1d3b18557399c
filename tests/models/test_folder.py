"""Folders read into recipes, and plain refusals where a folder needs more than its files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from steelyard.errors import RecipeError, WeightsError
from steelyard.models.folder import count_parameters, read_recipe

BERT = {"model_type": "bert", "hidden_size": 8, "max_position_embeddings": 64}
QWEN = {"model_type": "qwen3", "hidden_size": 8, "max_position_embeddings": 64, "eos_token_id": 151643}
ST = "sentence_transformers.models."


def write(folder: Path, files: dict[str, Any]) -> Path:
    for name, values in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(values if isinstance(values, str) else json.dumps(values), encoding="utf-8")
    return folder


def modules(*kinds: str) -> list[dict[str, Any]]:
    paths = {"Transformer": "", "Pooling": "1_Pooling", "Normalize": "2_Normalize", "Dense": "2_Dense"}
    return [{"idx": i, "name": str(i), "path": paths[k], "type": ST + k} for i, k in enumerate(kinds)]


def sentence_folder(folder: Path, config: dict[str, Any], pooling: dict[str, Any], **more: Any) -> Path:
    files = {
        "config.json": config,
        "modules.json": modules("Transformer", "Pooling", "Normalize"),
        "1_Pooling/config.json": pooling,
    }
    return write(folder, files | more)


def test_qwen3_embedding_as_published(tmp_path: Path) -> None:
    task = "Given a web search query, retrieve relevant passages that answer the query"
    folder = sentence_folder(
        tmp_path / "Qwen3-Embedding-0.6B",
        QWEN,
        {"word_embedding_dimension": 8, "pooling_mode_cls_token": False, "pooling_mode_lasttoken": True},
        **{
            "config_sentence_transformers.json": {
                "prompts": {"query": f"Instruct: {task}\nQuery:", "document": ""},
                "default_prompt_name": None,
            }
        },
    )
    recipe = read_recipe(folder)
    assert (recipe.name, recipe.architecture, recipe.pooling) == ("qwen3-embedding-0.6b", "qwen3", "last")
    assert (recipe.eos_id, recipe.dimension, recipe.max_tokens) == (151643, 8, 64)
    assert recipe.instruction == task
    assert recipe.render_query("秤", "Find code") == "Instruct: Find code\nQuery:秤"
    assert recipe.render_document("秤") == "秤"
    assert recipe.sources.folder == str(folder.resolve())


def test_prompts_and_limits_of_sentence_transformers(tmp_path: Path) -> None:
    recipe = read_recipe(
        sentence_folder(
            tmp_path,
            BERT | {"pad_token_id": 0},
            {"pooling_mode": "mean"},
            **{
                "config_sentence_transformers.json": {"prompts": {"query": "query: ", "passage": "passage: "}},
                "sentence_bert_config.json": {"max_seq_length": 32, "do_lower_case": False},
            },
        )
    )
    assert (recipe.pooling, recipe.max_tokens, recipe.normalise) == ("mean", 32, True)
    assert (recipe.render_query("x"), recipe.render_document("x")) == ("query: x", "passage: x")


def test_without_a_normalise_module_vectors_keep_their_length(tmp_path: Path) -> None:
    sentence_folder(tmp_path, BERT, {"pooling_mode_cls_token": True})
    write(tmp_path, {"modules.json": modules("Transformer", "Pooling")})
    recipe = read_recipe(tmp_path)
    assert (recipe.pooling, recipe.normalise) == ("cls", False)


def test_a_plain_bert_is_mean_pooled_and_says_so(tmp_path: Path) -> None:
    recipe = read_recipe(write(tmp_path, {"config.json": BERT}))
    assert recipe.pooling == "mean"
    assert "No modules.json" in recipe.notes


def test_a_cross_encoder_of_another_family_is_refused_when_its_folder_is_read(tmp_path: Path) -> None:
    config = BERT | {"architectures": ["BertForSequenceClassification"], "num_labels": 1}
    folder = write(tmp_path / "ms-marco", {"config.json": config})
    with pytest.raises(RecipeError, match=r"xlm-roberta, not for bert.*rerank:NAME@URL"):
        read_recipe(folder)


def test_a_classifier_of_one_label_is_a_reranker(tmp_path: Path) -> None:
    config = BERT | {
        "model_type": "xlm-roberta",
        "architectures": ["XLMRobertaForSequenceClassification"],
        "id2label": {"0": "LABEL_0"},
        "pad_token_id": 1,
    }
    recipe = read_recipe(write(tmp_path, {"config.json": config}))
    assert (recipe.kind, recipe.dimension, recipe.max_tokens) == ("reranker", 0, 62)
    write(tmp_path, {"config.json": config | {"id2label": {"0": "a", "1": "b"}}})
    with pytest.raises(RecipeError, match="classifier of 2 labels"):
        read_recipe(tmp_path)


@pytest.mark.parametrize(
    ("files", "fault"),
    [
        ({}, r"config\.json: not there"),
        ({"config.json": "{"}, "not JSON"),
        ({"config.json": "[]"}, "holds a list"),
        ({"config.json": BERT | {"model_type": "llama"}}, "'llama' is not run here"),
        ({"config.json": BERT | {"auto_map": {"AutoModel": "modeling.Jina"}}}, "code of its own"),
        ({"config.json": QWEN}, "embeds or reranks"),
        ({"config.json": BERT, "modules.json": modules("Transformer", "Pooling", "Dense")}, "Dense"),
        ({"config.json": BERT, "modules.json": "3"}, "not a list of modules"),
        (
            {
                "config.json": BERT,
                "modules.json": [{"type": "Transformer", "path": "../x"}, {"type": "Pooling", "path": "p"}],
            },
            "outside itself",
        ),
        (
            {
                "config.json": BERT,
                "modules.json": modules("Transformer", "Pooling"),
                "1_Pooling/config.json": {"pooling_mode_max_tokens": True},
            },
            "max_tokens",
        ),
        (
            {"config.json": BERT | {"max_position_embeddings": "many"}},
            "max_position_embeddings must be .*'many'",
        ),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_place(tmp_path: Path, files: dict[str, Any], fault: str) -> None:
    with pytest.raises(RecipeError, match=fault) as caught:
        read_recipe(write(tmp_path, files))
    assert str(tmp_path) in str(caught.value)


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="no such folder"):
        read_recipe(tmp_path / "none")


def test_parameters_are_counted_from_headers(tmp_path: Path) -> None:
    assert count_parameters(tmp_path) == 0
    header = json.dumps({"__metadata__": {}, "a": {"dtype": "F32", "shape": [3, 4], "data_offsets": [0, 48]}}).encode()
    (tmp_path / "model.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + bytes(48))
    assert count_parameters(tmp_path) == 12
    (tmp_path / "model.safetensors").write_bytes(b"\x00")
    with pytest.raises(WeightsError, match="not a safetensors file"):
        count_parameters(tmp_path)
