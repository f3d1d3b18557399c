"""Checkpoints of published shapes with random values, and e5-small with its real ones; sized as the real files are."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests" / "engines"))
import tokenizers_for_tests as tokenizers

from steelyard.engines.builtin.e5_rebuild import write_e5_checkpoint
from steelyard.engines.checkpoint.layout import bert_shapes, qwen3_shapes
from steelyard.engines.checkpoint.shape import read_shape
from steelyard.models.recipe import Recipe, Sources
from steelyard.models.registry import load_recipe

XLMR = {
    "model_type": "xlm-roberta",
    "architectures": ["XLMRobertaModel"],
    "hidden_size": 1024,
    "num_hidden_layers": 24,
    "num_attention_heads": 16,
    "intermediate_size": 4096,
    "vocab_size": 250_002,
    "max_position_embeddings": 8194,
    "type_vocab_size": 1,
    "pad_token_id": 1,
    "layer_norm_eps": 1e-5,
    "hidden_act": "gelu",
}


def qwen3(hidden: int, inner: int, layers: int, heads: int) -> dict[str, object]:
    return {
        "model_type": "qwen3",
        "architectures": ["Qwen3ForCausalLM"],
        "hidden_size": hidden,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "num_key_value_heads": 8,
        "head_dim": 128,
        "intermediate_size": inner,
        "vocab_size": tokenizers.ROWS,
        "max_position_embeddings": 32768,
        "rms_norm_eps": 1e-6,
        "rope_theta": 1_000_000,
        "hidden_act": "silu",
        "tie_word_embeddings": True,
        "eos_token_id": 151643,
        "torch_dtype": "bfloat16",
    }


CONFIGS = {
    "bge-m3": XLMR,
    "qwen3-0.6b": qwen3(1024, 3072, 28, 16),
    "qwen3-4b": qwen3(2560, 9728, 36, 32),
    "qwen3-8b": qwen3(4096, 12288, 36, 32),
}
CONFIGS["qwen3-reranker-0.6b"] = CONFIGS["qwen3-0.6b"]


def write(name: str, folder: Path) -> Recipe:
    """A recipe pointing at a checkpoint of its model's shape, written once."""
    if name == "e5-small":
        if not (folder / "model.safetensors").exists():
            write_e5_checkpoint(folder)
        return load_recipe(name).model_copy(update={"sources": Sources(folder=str(folder))})
    recipe = load_recipe(name).model_copy(update={"sources": Sources(folder=str(folder)), "heads": ("dense",)})
    if (folder / "complete").exists():
        return recipe
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(CONFIGS[name]))
    qwen = recipe.architecture == "qwen3"
    tokenizers.write(
        tokenizers.xlmr()
        if not qwen
        else tokenizers.qwen3()
        if recipe.kind == "reranker"
        else tokenizers.qwen3_with_end(),
        folder,
    )
    special = (
        {"pad_token": "<|endoftext|>", "eos_token": "<|im_end|>"}
        if qwen
        else {"pad_token": "<pad>", "cls_token": "<s>", "sep_token": "</s>"}
    )
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "PreTrainedTokenizerFast"} | special))
    _weights(recipe, folder)
    _sentence_transformers(recipe, folder)
    (folder / "complete").touch()
    return recipe


def _weights(recipe: Recipe, folder: Path) -> None:
    shape = read_shape(folder, recipe.architecture)
    qwen = recipe.architecture == "qwen3"
    names = {f"model.{k}": v for k, v in qwen3_shapes(shape).items()} if qwen else bert_shapes(shape)
    shards: dict[str, str] = {}
    state: dict[str, torch.Tensor] = {}
    generator = torch.Generator().manual_seed(0)
    count = 1
    for key, size in names.items():
        value = torch.randn(size, generator=generator) / (size[-1] ** 0.5 if len(size) > 1 else 20)
        value = value + 1 if len(size) == 1 and key.endswith("weight") else value
        state[key] = value.to(torch.bfloat16 if qwen else torch.float32)
        shards[key] = f"model-{count:05d}.safetensors"
        if sum(v.nbytes for v in state.values()) > 2 << 30:
            save_file(state, folder / shards[key], metadata={"format": "pt"})
            state, count = {}, count + 1
    if count == 1:
        save_file(state, folder / "model.safetensors", metadata={"format": "pt"})
        return
    if state:
        save_file(state, folder / f"model-{count:05d}.safetensors", metadata={"format": "pt"})
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": shards}))


def _sentence_transformers(recipe: Recipe, folder: Path) -> None:
    kinds = {"": "Transformer", "1_Pooling": "Pooling", "2_Normalize": "Normalize"}
    modules = [
        {"idx": i, "name": str(i), "path": path, "type": f"sentence_transformers.models.{kind}"}
        for i, (path, kind) in enumerate(kinds.items())
    ]
    (folder / "modules.json").write_text(json.dumps(modules))
    (folder / "1_Pooling").mkdir(exist_ok=True)
    mode = {"cls": "cls_token", "mean": "mean_tokens", "last": "lasttoken", "none": "lasttoken"}[recipe.pooling]
    size = CONFIGS[recipe.name]["hidden_size"]
    pooling = {"word_embedding_dimension": size, "pooling_mode_mean_tokens": False, f"pooling_mode_{mode}": True}
    (folder / "1_Pooling" / "config.json").write_text(json.dumps(pooling))
    (folder / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": 8192}))
