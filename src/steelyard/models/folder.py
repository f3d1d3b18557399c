"""A sentence-transformers or Hugging Face folder read into a recipe; code that such a folder brings is never run."""

from __future__ import annotations

import json
import os
import re
import struct
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

from steelyard.errors import RecipeError, WeightsError
from steelyard.models.recipe import Architecture, Pooling, Recipe, Sources
from steelyard.models.registry import by_hub_name, load_recipe

BACKENDS = ("torch", "torch-fp32", "torch-bf16", "torch-int16", "torch-int8")
OPENVINO = ("openvino-fp32", "openvino-int8", "openvino-int8-bf16", "openvino")
"""Run the same families as embeddings, GTE (``new``) excepted."""

_ARCHITECTURES: dict[str, Architecture] = {
    "bert": "bert",
    "xlm-roberta": "xlm-roberta",
    "roberta": "xlm-roberta",
    "camembert": "xlm-roberta",
    "new": "new",
    "gte": "new",
    "qwen3": "qwen3",
}
_POOLINGS: dict[str, Pooling] = {
    "cls": "cls",
    "cls_token": "cls",
    "mean": "mean",
    "mean_tokens": "mean",
    "lasttoken": "last",
    "last": "last",
}
_INSTRUCTED = re.compile(r"Instruct: (?P<task>.+)\nQuery:(?P<space> ?)", re.DOTALL)
_LARGEST_JSON = 64 << 20


def recipe_at(written: str) -> Recipe:
    """The recipe of a known name, or of a checkpoint's folder, which is written with a slash: ``./my-model``.

    Raises:
        RecipeError: no such name, or see :func:`read_recipe`.
    """
    known = None if Path(written).exists() else by_hub_name(written)
    if known is None and ("/" in written or os.sep in written):
        return read_recipe(Path(written))
    return load_recipe(known or written)


def read_recipe(folder: Path) -> Recipe:
    """What the files of a folder say about the model in it.

    A folder with ``modules.json`` is read as sentence-transformers reads it; one whose config names a sequence
    classifier with one label is a reranker; any other plain BERT-like checkpoint is mean-pooled, as
    sentence-transformers would do, and the recipe's notes say so.

    Args:
        folder: holds ``config.json``, ``tokenizer.json`` and ``model.safetensors``.

    Raises:
        RecipeError: the folder needs code of its own, is of a family that no engine runs, or does not say how a text
            becomes a vector; names the file and the mend.
    """
    if not folder.is_dir():
        raise RecipeError(f"{folder}: no such folder")
    modules = _Modules.read(folder)
    config = read_json(folder / modules.transformer / "config.json")
    architecture = _architecture(folder, config)
    if modules.pooling is None and _is_classifier(folder, config):
        return _reranker(folder, config, architecture)
    return _embedding(folder, modules, config, architecture)


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object from a file.

    Raises:
        RecipeError: the file is missing, too large, or not a JSON object.
    """
    try:
        if path.stat().st_size > _LARGEST_JSON:
            raise RecipeError(f"{path}: over {_LARGEST_JSON >> 20} MiB, which no configuration is")
        values = json.loads(path.read_text(encoding="utf-8"))
    except OSError:
        raise RecipeError(f"{path}: not there or not readable; this is not the folder of a model") from None
    except ValueError as wrong:
        raise RecipeError(f"{path}: not JSON: {wrong}") from None
    if not isinstance(values, dict):
        raise RecipeError(f"{path}: holds a {type(values).__name__}, not an object")
    return values


def count_parameters(folder: Path) -> int:
    """Numbers in the safetensors files of a folder, from their headers alone; 0 where there are none.

    Raises:
        WeightsError: a header cannot be read.
    """
    return sum(_count_in(path) for path in sorted(folder.glob("*.safetensors")))


@dataclass(frozen=True, slots=True)
class _Modules:
    """What ``modules.json`` lists: folders of the parts, relative; ``pooling`` is None where there is no such list."""

    transformer: str
    pooling: str | None
    normalise: bool

    @classmethod
    def read(cls, folder: Path) -> _Modules:
        path = folder / "modules.json"
        if not path.is_file():
            return cls("", None, normalise=True)
        try:
            listed = json.loads(path.read_text(encoding="utf-8"))
            parts = {str(m["type"]).rsplit(".", 1)[-1]: str(m["path"]) for m in listed}
        except (ValueError, KeyError, TypeError) as wrong:
            raise RecipeError(f"{path}: not a list of modules ({wrong!r})") from None
        unknown = set(parts) - {"Transformer", "Pooling", "Normalize"}
        if unknown or "Transformer" not in parts or "Pooling" not in parts:
            raise RecipeError(
                f"{path}: lists {', '.join(parts)}; a recipe is a Transformer, a Pooling and perhaps a Normalize"
            )
        for part in parts.values():
            if Path(part).is_absolute() or ".." in Path(part).parts:
                raise RecipeError(f"{path}: names a folder outside itself: {part!r}")
        return cls(parts["Transformer"], parts["Pooling"], "Normalize" in parts)


def _architecture(folder: Path, config: dict[str, Any]) -> Architecture:
    kind = str(config.get("model_type"))
    if kind not in _ARCHITECTURES:
        raise RecipeError(f"{folder}: model_type {kind!r} is not run here; {', '.join(_ARCHITECTURES)} are")
    found = _ARCHITECTURES[kind]
    if config.get("auto_map") and found != "new":
        raise RecipeError(
            f"{folder}: config.json names code of its own (auto_map), which is never run, so its vectors cannot be "
            f"reproduced here; use a conversion to plain {kind}, or serve it elsewhere and name it as openai:NAME@URL"
        )
    return found


def _is_classifier(folder: Path, config: dict[str, Any]) -> bool:
    named = [str(a) for a in config.get("architectures") or ()]
    if not any(a.endswith("ForSequenceClassification") for a in named):
        return False
    labels = config.get("num_labels") or len(config.get("id2label") or {0: "", 1: ""})
    if labels != 1:
        raise RecipeError(f"{folder}: a classifier of {labels} labels; a reranker has one")
    return True


def _reranker(folder: Path, config: dict[str, Any], architecture: Architecture) -> Recipe:
    if architecture != "xlm-roberta":
        raise RecipeError(
            f"{folder}: classifiers are run for xlm-roberta, not for {architecture}, whose head is another; serve it "
            "elsewhere and name it as rerank:NAME@URL"
        )
    return Recipe(
        name=_name(folder),
        title=folder.name,
        kind="reranker",
        architecture=architecture,
        max_tokens=_positions(folder, config, architecture),
        licence="unknown",
        parameters=count_parameters(folder),
        sources=Sources(folder=str(folder.resolve())),
        backends=BACKENDS,
    )


def _embedding(folder: Path, modules: _Modules, config: dict[str, Any], architecture: Architecture) -> Recipe:
    if modules.pooling is None and architecture == "qwen3":
        raise RecipeError(
            f"{folder}: no modules.json, so nothing says whether this decoder embeds or reranks; add the "
            "sentence-transformers files, or point sources.folder of a known recipe here"
        )
    inside = folder / modules.transformer
    query, document, task = _prompts(folder)
    pooling = _pooling(folder / modules.pooling) if modules.pooling is not None else "mean"
    guessed = "" if modules.pooling is not None else "No modules.json: mean-pooled, as sentence-transformers assumes."
    return Recipe(
        name=_name(folder),
        title=folder.name,
        kind="embedding",
        architecture=architecture,
        pooling=pooling,
        normalise=modules.normalise,
        dimension=int(config.get("hidden_size") or 0),
        matryoshka=bool(config.get("is_matryoshka")),
        min_dimension=32 if config.get("is_matryoshka") else 0,
        max_tokens=min(_positions(inside, config, architecture), _longest(inside)),
        query_template=query,
        document_template=document,
        instruction=task,
        eos_id=_eos(inside, config) if pooling == "last" else None,
        heads=("dense", "sparse", "colbert") if (folder / "colbert_linear.pt").is_file() else ("dense",),
        licence="unknown",
        parameters=count_parameters(inside),
        sources=Sources(folder=str(inside.resolve())),
        backends=BACKENDS if architecture == "new" else BACKENDS + OPENVINO,
        notes=guessed,
    )


def _pooling(folder: Path) -> Pooling:
    path = folder / "config.json"
    config = read_json(path)
    named = [config["pooling_mode"]] if isinstance(config.get("pooling_mode"), str) else []
    chosen = named or [
        k.removeprefix("pooling_mode_") for k, v in config.items() if k.startswith("pooling_") and v is True
    ]
    if len(chosen) != 1 or chosen[0] not in _POOLINGS:
        raise RecipeError(f"{path}: pools by {' and '.join(chosen) or 'nothing'}; cls, mean and lasttoken are run")
    if config.get("include_prompt") is False:
        raise RecipeError(f"{path}: leaves the prompt's tokens out of the mean (include_prompt), which is not run here")
    return _POOLINGS[chosen[0]]


def _prompts(folder: Path) -> tuple[str, str, str | None]:
    """Templates of query and document, and the default instruction."""
    path = folder / "config_sentence_transformers.json"
    config = read_json(path) if path.is_file() else {}
    prompts = config.get("prompts") or {}
    fallback = prompts.get(config.get("default_prompt_name") or "", "")
    query = str(prompts.get("query", fallback))
    document = next((str(prompts[k]) for k in ("document", "passage", "corpus") if k in prompts), str(fallback))
    instructed = _INSTRUCTED.fullmatch(query)
    if instructed:
        return (
            f"Instruct: {{instruction}}\nQuery:{instructed['space']}{{text}}",
            f"{document}{{text}}",
            instructed["task"],
        )
    return f"{query}{{text}}", f"{document}{{text}}", None


def _longest(folder: Path) -> int:
    path = folder / "sentence_bert_config.json"
    config = read_json(path) if path.is_file() else {}
    if config.get("do_lower_case"):
        raise RecipeError(f"{path}: lower-cases texts before the tokenizer (do_lower_case), which is not run here")
    return int(config.get("max_seq_length") or 1 << 30)


def _positions(folder: Path, config: dict[str, Any], architecture: Architecture) -> int:
    positions = config.get("max_position_embeddings")
    if not isinstance(positions, int) or positions < 4:
        raise RecipeError(f"{folder / 'config.json'}: max_position_embeddings is {positions!r}")
    if architecture == "xlm-roberta":
        return positions - int(config.get("pad_token_id") or 1) - 1
    return positions


def _eos(folder: Path, config: dict[str, Any]) -> int:
    eos = config.get("eos_token_id")
    if not isinstance(eos, int):
        raise RecipeError(f"{folder / 'config.json'}: the last token is pooled and eos_token_id is {eos!r}")
    return eos


def _name(folder: Path) -> str:
    return re.sub(r"[^a-z0-9._-]+", "-", folder.resolve().name.lower()).strip("._-") or "folder"


def _count_in(path: Path) -> int:
    try:
        with path.open("rb") as file:
            (size,) = struct.unpack("<Q", file.read(8))
            if size > _LARGEST_JSON:
                raise ValueError("header too large")
            header = json.loads(file.read(size))
        return sum(prod(v["shape"]) for k, v in header.items() if k != "__metadata__")
    except (OSError, ValueError, KeyError, TypeError, AttributeError, struct.error) as wrong:
        raise WeightsError(f"{path}: not a safetensors file ({wrong}); download the model again") from None
