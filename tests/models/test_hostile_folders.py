"""Folders as an attacker would write them: each is refused in one sentence, at once, and nothing in it is run."""

from __future__ import annotations

import json
import os
import struct
from pathlib import Path
from typing import Any

import pytest

from steelyard.engines.checkpoint.files import weight_files
from steelyard.engines.checkpoint.shape import read_shape
from steelyard.errors import ModelError
from steelyard.models.folder import read_recipe

BERT: dict[str, Any] = {
    "model_type": "bert",
    "hidden_size": 8,
    "max_position_embeddings": 64,
    "num_attention_heads": 2,
    "num_hidden_layers": 1,
    "intermediate_size": 8,
    "vocab_size": 10,
    "type_vocab_size": 2,
}
DEEP = b"[" * 100_000
PIPE, ZERO = "a pipe", "a link to /dev/zero"
CONFIG, MODULES, INDEX, WEIGHTS = "config.json", "modules.json", "model.safetensors.index.json", "model.safetensors"
PROMPTS, LENGTH = "config_sentence_transformers.json", "sentence_bert_config.json"


def weights(shape: Any) -> bytes:
    header = json.dumps({"a": {"dtype": "F32", "shape": shape, "data_offsets": [0, 4]}}).encode()
    return struct.pack("<Q", len(header)) + header + bytes(4)


def config(**changes: Any) -> tuple[str, Any]:
    return CONFIG, BERT | changes


CASES: dict[str, tuple[str, Any]] = {
    "config nested deeply": (CONFIG, DEEP),
    "modules nested deeply": (MODULES, DEEP),
    "index nested deeply": (INDEX, DEEP),
    "header nested deeply": (WEIGHTS, struct.pack("<Q", len(DEEP)) + DEEP),
    "hidden size a word": config(hidden_size="abc"),
    "hidden size negative": config(hidden_size=-1),
    "hidden size infinite": config(hidden_size=float("inf")),
    "hidden size no whole number": config(hidden_size=1e7),
    "heads that divide nothing": config(num_attention_heads=7),
    "ten million layers": config(num_hidden_layers=10_000_000),
    "labels a number": config(architectures=["XForSequenceClassification"], id2label=5),
    "length a word": (LENGTH, {"max_seq_length": "abc"}),
    "length negative": (LENGTH, {"max_seq_length": -5}),
    "prompts a list": (PROMPTS, {"prompts": [1]}),
    "prompts a word": (PROMPTS, {"prompts": "x"}),
    "prompt a number": (PROMPTS, {"prompts": {"query": 5}}),
    "prompt with a brace": (PROMPTS, {"prompts": {"query": "{text}"}}),
    "prompt with half a brace": (PROMPTS, {"prompts": {"query": "{instruction}{"}}),
    "prompt of 5 MB": (PROMPTS, {"prompts": {"query": "a" * 5_000_000}}),
    "shape negative": (WEIGHTS, weights([-1])),
    "shape beyond everything": (WEIGHTS, weights([1e308])),
    "shape a word": (WEIGHTS, weights("x")),
    **{f"{name} a pipe": (name, PIPE) for name in (CONFIG, MODULES, INDEX, WEIGHTS, PROMPTS, LENGTH)},
    **{f"{name} without end": (name, ZERO) for name in (CONFIG, MODULES, INDEX, WEIGHTS, PROMPTS, LENGTH)},
}


def read_all(folder: Path) -> None:
    """What doctor, weigh and serve read of a folder before they load weights."""
    read_recipe(folder)
    read_shape(folder, "bert")
    weight_files(folder)


def write(path: Path, content: Any) -> None:
    if content == PIPE:
        os.mkfifo(path)
    elif content == ZERO:
        path.symlink_to("/dev/zero")
    else:
        path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())


@pytest.mark.parametrize("name", CASES)
def test_what_no_model_has_is_refused_in_a_sentence_that_names_the_file(tmp_path: Path, name: str) -> None:
    write(tmp_path / CONFIG, BERT)
    file, content = CASES[name]
    (tmp_path / file).unlink(missing_ok=True)
    write(tmp_path / file, content)
    with pytest.raises(ModelError) as refused:
        read_all(tmp_path)
    said = str(refused.value)
    assert file in said
    assert "\n" not in said
    assert len(said) < 500


@pytest.mark.parametrize(
    "content",
    [
        b"{",
        b"[" * 100_000,
        b'{"version": "1.0", "pre_tokenizer": {"type": "Split", "pattern": {"Regex": "(?<"}, "behavior": "Isolated", '
        b'"invert": false}, "model": {"type": "BPE", "vocab": {}, "merges": []}}',
        b"\xff",
        PIPE,
        ZERO,
    ],
    ids=["half an object", "deep", "expression that does not parse", "no UTF-8", "pipe", "without end"],
)
def test_a_tokenizer_that_cannot_be_read_is_refused_in_a_sentence(tmp_path: Path, content: Any) -> None:
    pytest.importorskip("tokenizers")
    from steelyard.engines.checkpoint.tokenizer import open_tokenizer

    write(tmp_path / "tokenizer.json", content)
    with pytest.raises(ModelError, match=r"tokenizer\.json") as refused:
        open_tokenizer(tmp_path / "tokenizer.json", "a test", "builtin")
    assert "\n" not in str(refused.value)
