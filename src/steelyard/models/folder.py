"""A sentence-transformers or Hugging Face folder read into a recipe; code that such a folder brings is never run."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from steelyard.errors import RecipeError
from steelyard.models.foreign import PROMPT_LETTERS, Fields, read_header, read_json, read_value
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
MOST_TOKENS = 1 << 24
"""Of a text; the longest that a published model reads is some million."""


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
    path = folder / modules.transformer / "config.json"
    config = Fields(path, read_json(path))
    architecture = _architecture(folder, config)
    try:
        if modules.pooling is None and _is_classifier(folder, config):
            return _reranker(folder, config, architecture)
        return _embedding(folder, modules, config, architecture)
    except ValidationError as wrong:  # values that are right one by one and contradict each other
        raise RecipeError(f"{path}: {wrong.errors()[0]['msg']}") from None


def count_parameters(folder: Path) -> int:
    """Numbers in the safetensors files of a folder, from their headers alone; 0 where there are none.

    Raises:
        WeightsError: a header cannot be read.
    """
    files = sorted(folder.glob("*.safetensors"))
    return sum(tensor.count for path in files for tensor in read_header(path).values())


@dataclass(frozen=True, slots=True)
class _Modules:
    """What ``modules.json`` lists: folders of the parts, relative; ``pooling`` is None where there is no such list."""

    transformer: str
    pooling: str | None
    normalise: bool

    @classmethod
    def read(cls, folder: Path) -> _Modules:
        path = folder / "modules.json"
        if not path.exists():
            return cls("", None, normalise=True)
        listed = read_value(path)
        if not isinstance(listed, list) or not all(_is_module(m) for m in listed):
            raise RecipeError(f"{path}: not a list of modules, which are objects with a type and a path, both texts")
        parts = {m["type"].rsplit(".", 1)[-1]: m["path"] for m in listed}
        unknown = set(parts) - {"Transformer", "Pooling", "Normalize"}
        if unknown or "Transformer" not in parts or "Pooling" not in parts:
            raise RecipeError(
                f"{path}: lists {', '.join(parts)[:200]}; a recipe is a Transformer, a Pooling and perhaps a Normalize"
            )
        for part in parts.values():
            if Path(part).is_absolute() or ".." in Path(part).parts:
                raise RecipeError(f"{path}: names a folder outside itself: {part!r}")
        return cls(parts["Transformer"], parts["Pooling"], "Normalize" in parts)


def _is_module(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(value.get(k), str) for k in ("type", "path"))


def _architecture(folder: Path, config: Fields) -> Architecture:
    kind = str(config.text("model_type"))
    if kind not in _ARCHITECTURES:
        raise RecipeError(f"{folder}: model_type {kind!r} is not run here; {', '.join(_ARCHITECTURES)} are")
    found = _ARCHITECTURES[kind]
    if config.get("auto_map") and found != "new":
        raise RecipeError(
            f"{folder}: config.json names code of its own (auto_map), which is never run, so its vectors cannot be "
            f"reproduced here; use a conversion to plain {kind}, or serve it elsewhere and name it as openai:NAME@URL"
        )
    return found


def _is_classifier(folder: Path, config: Fields) -> bool:
    if not any(a.endswith("ForSequenceClassification") for a in config.texts("architectures")):
        return False
    labels = config.whole("num_labels", 1, 1_000_000, len(config.object("id2label")) or 2)
    if labels != 1:
        raise RecipeError(f"{folder}: a classifier of {labels} labels; a reranker has one")
    return True


def _reranker(folder: Path, config: Fields, architecture: Architecture) -> Recipe:
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


def _embedding(folder: Path, modules: _Modules, config: Fields, architecture: Architecture) -> Recipe:
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
        dimension=config.whole("hidden_size", 1, 65_536),
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
    config = Fields(path, read_json(path))
    named = config.text("pooling_mode")
    spelt = [k.removeprefix("pooling_mode_") for k in config if k.startswith("pooling_") and config.get(k) is True]
    chosen = [named] if named else spelt
    if len(chosen) != 1 or chosen[0] not in _POOLINGS:
        said = " and ".join(chosen)[:200] or "nothing"
        raise RecipeError(f"{path}: pools by {said}; cls, mean and lasttoken are run")
    if config.get("include_prompt") is False:
        raise RecipeError(f"{path}: leaves the prompt's tokens out of the mean (include_prompt), which is not run here")
    return _POOLINGS[chosen[0]]


def _prompts(folder: Path) -> tuple[str, str, str | None]:
    """Templates of query and document, and the default instruction."""
    path = folder / "config_sentence_transformers.json"
    config = Fields(path, read_json(path) if path.exists() else {})
    given = config.object("prompts")
    prompts = {key: _prompt(given, key) for key in given}
    fallback = prompts.get(config.text("default_prompt_name") or "", "")
    query = prompts.get("query", fallback)
    document = next((prompts[k] for k in ("document", "passage", "corpus") if k in prompts), fallback)
    instructed = _INSTRUCTED.fullmatch(query)
    if instructed:
        return (
            f"Instruct: {{instruction}}\nQuery:{instructed['space']}{{text}}",
            f"{document}{{text}}",
            instructed["task"],
        )
    return f"{query}{{text}}", f"{document}{{text}}", None


def _prompt(prompts: Fields, key: str) -> str:
    """A prompt, which sentence-transformers puts before a text as it is; here it becomes a template."""
    prompt = prompts.text(key, PROMPT_LETTERS) or ""
    if "{text}" in prompt or "{instruction}" in prompt:
        raise prompts.wrong(key, "a prompt without {text} and {instruction}, which templates here fill in")
    return prompt


def _longest(folder: Path) -> int:
    path = folder / "sentence_bert_config.json"
    config = Fields(path, read_json(path) if path.exists() else {})
    if config.get("do_lower_case"):
        raise RecipeError(f"{path}: lower-cases texts before the tokenizer (do_lower_case), which is not run here")
    return config.whole("max_seq_length", 1, MOST_TOKENS, MOST_TOKENS)


def _positions(folder: Path, config: Fields, architecture: Architecture) -> int:
    positions = config.whole("max_position_embeddings", 4, MOST_TOKENS)
    if architecture != "xlm-roberta":
        return positions
    reach = positions - config.whole("pad_token_id", 1, 1 << 31, 1) - 1
    if reach < 3:
        raise config.wrong("pad_token_id", f"well below max_position_embeddings ({positions})")
    return reach


def _eos(folder: Path, config: Fields) -> int:
    if not isinstance(config.get("eos_token_id"), int):
        eos = config.get("eos_token_id")
        raise RecipeError(f"{folder / 'config.json'}: the last token is pooled and eos_token_id is {str(eos)[:80]!r}")
    return config.whole("eos_token_id", 0, 1 << 31)


def _name(folder: Path) -> str:
    return re.sub(r"[^a-z0-9._-]+", "-", folder.resolve().name.lower()).strip("._-") or "folder"
