"""Models with one fault planted, by transformers and plain padding, so that nothing of the doctor plants them."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from steelyard.doctor.target import Answer, RefusedError, Templates
from steelyard.models.recipe import Example, Recipe, Sources
from steelyard.models.registry import load_recipe
from steelyard.types import Role, Vectors

Write = Callable[[Recipe, str, Role], str]


def right(recipe: Recipe, text: str, role: Role) -> str:
    return recipe.render_query(text) if role is Role.QUERY else recipe.render_document(text)


def sent(_: Recipe, text: str, __: Role) -> str:
    return text


@dataclass(frozen=True)
class Plant:
    """How a server differs from a good one; the defaults do not differ.

    Attributes:
        write: what becomes of a text before the tokenizer.
        bits: weights of linear layers are rounded to so many.
        silent: what a text is taken for of which the request does not say the side.
    """

    templates: Templates = "client"
    write: Write = sent
    pooling: str | None = None
    end: Literal["right", "missing", "doubled"] = "right"
    normalise: bool = True
    masked: bool = True
    sorted_by_length: bool = False
    dimensions: Literal["right", "refused", "ignored", "raw", "tail"] = "right"
    limit: int | None = None
    bits: int | None = None
    seed: int | None = None
    dtype: str = "float32"
    silent: Role = Role.DOCUMENT


@cache
def _loaded(folder: Path) -> Any:
    from transformers import AutoModel

    return AutoModel.from_pretrained(folder, dtype=torch.float32).eval()


class Planted:
    """A target as a plain server is: padded batches, one model, the plant's fault."""

    def __init__(self, folder: Path, recipe: Recipe, plant: Plant) -> None:
        from tokenizers import Tokenizer

        self.name, self.templates = f"planted:{folder.name}", plant.templates
        self._recipe, self._plant = recipe, plant
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        self._model = _changed(_loaded(folder), plant)

    def embed(self, texts: Sequence[str], role: Role | None, dimensions: int | None = None) -> Answer:
        plant = self._plant
        role = role or plant.silent
        if dimensions is not None and plant.dimensions == "refused":
            raise RefusedError("400: model does not support matryoshka representation", 400)
        rows = [self._ids(plant.write(self._recipe, t, role)) for t in texts]
        vectors = self._run(rows)
        if plant.sorted_by_length:
            vectors = vectors[np.argsort([len(r) for r in rows], kind="stable")]
        if plant.normalise:
            vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        if dimensions is not None:
            vectors = self._cut(vectors, dimensions)
        return Answer(vectors.astype(np.float32), tuple(range(len(texts))), sum(map(len, rows)))

    def _cut(self, vectors: Vectors, size: int) -> Vectors:
        kind = self._plant.dimensions
        if kind == "ignored":
            return vectors
        cut = vectors[:, -size:] if kind == "tail" else vectors[:, :size]
        return cut if kind == "raw" else cut / np.linalg.norm(cut, axis=1, keepdims=True)

    def _ids(self, text: str) -> list[int]:
        ids = self._tokenizer.encode(text).ids
        limit = self._plant.limit or self._recipe.max_tokens or 512
        ids = ids if len(ids) <= limit else [*ids[: limit - 1], ids[-1]]
        if self._plant.end == "missing":
            return ids[:-1]
        return [*ids, ids[-1]] if self._plant.end == "doubled" else ids

    def _run(self, rows: list[list[int]]) -> Vectors:
        longest = max(map(len, rows))
        ids = torch.tensor([r + [0] * (longest - len(r)) for r in rows])
        mask = torch.tensor([[1] * len(r) + [0] * (longest - len(r)) for r in rows])
        if not self._plant.masked:
            mask = torch.ones_like(mask)
        with torch.no_grad():
            states = self._model(input_ids=ids, attention_mask=mask).last_hidden_state.float()
        pooling = self._plant.pooling or self._recipe.pooling
        if pooling == "mean":
            pooled = (states * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)
        elif pooling == "cls":
            pooled = states[:, 0]
        else:
            pooled = states[torch.arange(len(rows)), mask.sum(1) - 1]
        return pooled.numpy()  # type: ignore[no-any-return]


def _changed(model: Any, plant: Plant) -> Any:
    if plant.bits is None and plant.seed is None and plant.dtype == "float32":
        return model
    model = copy.deepcopy(model)
    generator = torch.Generator().manual_seed(plant.seed or 0)
    with torch.no_grad():
        for parameter in model.parameters():
            if plant.bits is not None and parameter.dim() > 1:
                top = 2 ** (plant.bits - 1) - 1
                step = parameter.abs().amax(dim=1, keepdim=True) / top
                parameter.copy_((parameter / step.clamp(min=1e-12)).round() * step)
            if plant.seed is not None and parameter.dim() > 1:
                parameter.copy_(parameter[torch.randperm(len(parameter), generator=generator)])
    return model.to(getattr(torch, plant.dtype))


def write_qwen3(folder: Path, tokenizer: str | None = None) -> Path:
    """A tiny sentence-transformers folder of Qwen3's architecture."""
    import checkpoints

    checkpoints.qwen3(folder, tokenizer)
    recipe = load_recipe("qwen3-0.6b")
    kind = "sentence_transformers.models."
    parts = [("0", "", "Transformer"), ("1", "1_Pooling", "Pooling"), ("2", "2_Normalize", "Normalize")]
    write_json(
        folder / "modules.json",
        [{"idx": i, "name": n, "path": p, "type": kind + t} for i, (n, p, t) in enumerate(parts)],
    )
    write_json(folder / "1_Pooling" / "config.json", {"pooling_mode_lasttoken": True})
    query = recipe.render_query("")
    write_json(folder / "config_sentence_transformers.json", {"prompts": {"query": query, "document": ""}})
    return folder


def write_json(path: Path, content: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")


def qwen3_recipe(folder: Path) -> Recipe:
    changes: dict[str, Any] = {
        "dimension": 32,
        "min_dimension": 8,
        "parameters": 0,
        "max_tokens": 256,
        "lookup_parameters": None,
    }
    changes["examples"] = ()  # the published figures are those of the real values
    return load_recipe("qwen3-0.6b").model_copy(update={**changes, "sources": Sources(folder=str(folder))})


def e5_recipe(folder: Path) -> Recipe:
    return load_recipe("e5-small").model_copy(update={"sources": Sources(folder=str(folder))})


def minilm_recipe() -> Recipe:
    """Of the real weights, whose publisher printed figures; raises WeightsError where their package is missing."""
    import checkpoints

    sources = Sources(folder=str(checkpoints.minilm()))
    return load_recipe("all-minilm-l6-v2").model_copy(update={"sources": sources})


def with_figures(recipe: Recipe, folder: Path) -> Recipe:
    """The recipe with the figures of its healthy self, for the texts that Qwen's model cards print them of.

    Random values are noisier than real ones: bf16 moves these figures by 0.0054, the card's own by 0.0025.
    """
    (card,) = load_recipe("qwen3-0.6b").examples
    target = Planted(folder, recipe, Plant(**SERVER))
    queries, documents = target.embed(card.queries, Role.QUERY).vectors, target.embed(card.documents, None).vectors
    within = 0.008 if recipe.architecture == "qwen3" else 0.005
    values = {"source": "the healthy model", "within": within, "figures": (queries @ documents.T).tolist()}
    return recipe.model_copy(update={"examples": (Example(**card.model_dump() | values),)})


def _instructed(task: str) -> Write:
    return lambda recipe, t, role: recipe.render_query(t, task) if role is Role.QUERY else recipe.render_document(t)


def _doubled(recipe: Recipe, text: str, role: Role) -> str:
    return right(recipe, right(recipe, text, role), role)


def _swapped(recipe: Recipe, text: str, role: Role) -> str:
    return right(recipe, text, Role.DOCUMENT if role is Role.QUERY else Role.QUERY)


def _query_only(recipe: Recipe, text: str, _: Role) -> str:
    return recipe.render_query(text)


SERVER: dict[str, Any] = {"templates": "server", "write": right}
COMMON: dict[str, tuple[Plant, str]] = {
    "healthy": (Plant(), "healthy"),
    "healthy, templates by the server": (Plant(**SERVER), "healthy"),
    "healthy in bf16": (Plant(dtype="bfloat16"), "healthy"),
    "closing token missing": (Plant(end="missing"), "eos-missing"),
    "closing token doubled": (Plant(end="doubled"), "eos-doubled"),
    "not normalised": (Plant(normalise=False), "not-normalised"),
    "batch sorted by length": (Plant(sorted_by_length=True), "order"),
    "padding read as text": (Plant(masked=False), "batch-dependent"),
    "cut at 100 tokens": (Plant(limit=100), "silent-truncation"),
    "healthy in fp16": (Plant(dtype="float16"), "healthy"),
    "weights in 8 bits": (Plant(bits=8), "quantisation-loss"),
    "weights in 6 bits": (Plant(bits=6), "quantisation-loss"),
    "weights in 5 bits": (Plant(bits=5), "quantisation-loss"),
    "weights in 4 bits": (Plant(bits=4), "quantisation-loss"),
    "another model": (Plant(seed=1), "another-model"),
    "another model, shuffled otherwise": (Plant(seed=2), "another-model"),
    "another model, cut at 100 tokens": (Plant(seed=1, limit=100), "another-model"),
    "texts without a side taken for queries": (Plant(**SERVER, silent=Role.QUERY), "template-wrong"),
    "templates swapped": (Plant(templates="server", write=_swapped), "template-wrong"),
}
E5: dict[str, tuple[Plant, str]] = COMMON | {
    "pooled at the first token": (Plant(pooling="cls"), "pooling"),
    "pooled at the last token": (Plant(pooling="last"), "pooling"),
    "template missing": (Plant(templates="server"), "template-missing"),
    "template doubled by the server": (Plant(write=right), "template-doubled"),
    "template of queries on all, doubled": (Plant(write=_query_only), "template-doubled"),
    "template doubled": (Plant(templates="server", write=_doubled), "template-doubled"),
}
QWEN3: dict[str, tuple[Plant, str]] = COMMON | {
    "pooled at the first token": (Plant(pooling="cls"), "pooling"),
    "mean of all tokens": (Plant(pooling="mean"), "pooling"),
    "instruction missing": (Plant(templates="server"), "instruction-missing"),
    "instruction doubled": (Plant(templates="server", write=_doubled), "instruction-doubled"),
    "instruction doubled on all": (Plant(write=_query_only), "instruction-doubled"),
    "another instruction": (Plant(templates="server", write=_instructed("Find duplicates")), "template-wrong"),
    "dimensions refused": (Plant(dimensions="refused"), "dimensions-refused"),
    "dimensions ignored": (Plant(dimensions="ignored"), "dimensions-ignored"),
    "cut without normalising": (Plant(dimensions="raw"), "dimensions-not-normalised"),
    "the last numbers kept": (Plant(dimensions="tail"), "dimensions-not-a-prefix"),
}


@contextmanager
def served(target: Planted, model: str) -> Any:
    """The URL of a real server in front of a planted model."""
    from fastapi import FastAPI, Request
    from fastapi.responses import JSONResponse

    from served import serving_app

    app = FastAPI()

    @app.get("/v1/models")
    def models() -> Any:
        return {"object": "list", "data": [{"id": model, "object": "model"}]}

    async def embeddings(request: Request) -> Any:
        body = await request.json()
        role = Role(body["input_type"]) if "input_type" in body else None
        texts = body["input"] if isinstance(body["input"], list) else [body["input"]]
        try:
            answer = target.embed(texts, role, body.get("dimensions"))
        except RefusedError as wrong:
            return JSONResponse({"error": {"message": str(wrong)}}, 400)
        data = [{"index": i, "embedding": v.tolist(), "object": "embedding"} for i, v in enumerate(answer.vectors)]
        return {"data": data, "model": model, "usage": {"prompt_tokens": answer.tokens}}

    embeddings.__annotations__["request"] = Request
    app.post("/v1/embeddings")(embeddings)
    with serving_app(app) as url:
        yield f"{url}/v1"
