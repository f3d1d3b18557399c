"""From an expression to the system that it names."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from steelyard.engines.load import open_encoder, open_reranker, open_token_encoder
from steelyard.engines.openai import OpenAIConfig, OpenAIEncoder, OpenAIReranker
from steelyard.engines.protocol import Encoder, Reranker
from steelyard.models.folder import read_recipe
from steelyard.models.recipe import Recipe
from steelyard.models.registry import load_recipe
from steelyard.retrieval.dense import DenseRetriever
from steelyard.retrieval.expression import Fuse, Leaf, Node, Value, leaves, single_options
from steelyard.retrieval.fuse import FusedRetriever, FusePart
from steelyard.retrieval.lexical import BM25Retriever
from steelyard.retrieval.maxsim import MaxSimReranker
from steelyard.retrieval.protocol import Retriever
from steelyard.retrieval.quantised import PRECISIONS, Precision
from steelyard.retrieval.rerank import RerankedRetriever
from steelyard.retrieval.shorten import ShortEncoder
from steelyard.retrieval.vocabulary import BM25, MAXSIM, MAXSIM_MODEL


def _same_encoder(encoder: Encoder) -> Encoder:
    return encoder


def _same_reranker(reranker: Reranker) -> Reranker:
    return reranker


@dataclass
class Workshop:
    """Builds systems and shares engines between them, so that a model used twice is loaded once.

    Args:
        wrap_encoder: put around every encoder, e.g. a cache.
        wrap_reranker: put around every reranker.
    """

    wrap_encoder: Callable[[Encoder], Encoder] = _same_encoder
    wrap_reranker: Callable[[Reranker], Reranker] = _same_reranker
    _encoders: dict[str, Encoder] = field(default_factory=dict)
    _rerankers: dict[str, Reranker] = field(default_factory=dict)

    def build(self, node: Node) -> Retriever:
        """The system of a checked expression without sweeps; nothing is loaded yet."""
        if isinstance(node, Leaf):
            return self._recall(node)
        if isinstance(node, Fuse):
            return self._fuse(node)
        options = single_options(node.reranker)
        top = int(options.get("top", 50))
        return RerankedRetriever(self.build(node.first), self._reranker(node.reranker), top, _instruction(options))

    def fingerprints(self, node: Node) -> tuple[str, ...]:
        """Of every engine that the system of ``node`` uses, left to right."""
        keys = [_engine_key(leaf) for leaf in leaves(node)]
        engines: dict[str, Encoder | Reranker] = {**self._encoders, **self._rerankers}
        return tuple(dict.fromkeys(engines[k].info.fingerprint for k in keys if k in engines))

    def close(self) -> None:
        """Frees every engine that was built."""
        engines: list[Encoder | Reranker] = [*self._encoders.values(), *self._rerankers.values()]
        for engine in engines:
            engine.close()
        self._encoders.clear()
        self._rerankers.clear()

    def _recall(self, leaf: Leaf) -> Retriever:
        options = single_options(leaf)
        if leaf.name == BM25 and not leaf.scheme:
            return BM25Retriever(k1=float(options.get("k1", 1.5)), b=float(options.get("b", 0.75)))
        dimension = int(options["dim"]) if "dim" in options else None
        precision = _precision(options)
        rescore = int(options.get("rescore", 0))
        encoder = self._encoder(leaf)
        if "max_tokens" in options:
            encoder = ShortEncoder(encoder, int(options["max_tokens"]))
        return DenseRetriever(encoder, dimension, _instruction(options), precision, rescore)

    def _fuse(self, node: Fuse) -> Retriever:
        options = single_options(node)
        parts = [FusePart(self.build(p), _weight(p)) for p in node.parts]
        return FusedRetriever(parts, depth=int(options.get("depth", 100)), rrf_k=int(options.get("rrf", 60)))

    def _encoder(self, leaf: Leaf) -> Encoder:
        key = _engine_key(leaf)
        if key not in self._encoders:
            self._encoders[key] = self.wrap_encoder(_open(leaf, single_options(leaf)))
        return self._encoders[key]

    def _reranker(self, leaf: Leaf) -> Reranker:
        key = _engine_key(leaf)
        if key not in self._rerankers:
            self._rerankers[key] = self.wrap_reranker(_open_reranker(leaf, single_options(leaf)))
        return self._rerankers[key]


def _open(leaf: Leaf, options: dict[str, Value]) -> Encoder:
    if leaf.scheme == "openai":
        recipe = load_recipe(str(options["recipe"])) if "recipe" in options else None
        config = OpenAIConfig(
            model=leaf.name,
            url=leaf.url,
            batch=int(options.get("batch", 64)),
            concurrency=int(options.get("concurrency", 8)),
            recipe=recipe,
        )
        return OpenAIEncoder(config)
    return open_encoder(_recipe(leaf), _text(options, "backend"))


def _open_reranker(leaf: Leaf, options: dict[str, Value]) -> Reranker:
    if leaf.scheme == "rerank":
        return OpenAIReranker(OpenAIConfig(model=leaf.name, url=leaf.url))
    if leaf.name == MAXSIM:
        recipe = load_recipe(str(options.get("model", MAXSIM_MODEL)))
        return MaxSimReranker(open_token_encoder(recipe))
    return open_reranker(_recipe(leaf), _text(options, "backend"))


def _recipe(leaf: Leaf) -> Recipe:
    return read_recipe(Path(leaf.name)) if leaf.scheme == "folder" else load_recipe(leaf.name)


def _weight(node: Node) -> float | None:
    value = single_options(node).get("weight")
    return None if value is None else float(value)


def _text(options: dict[str, Value], key: str) -> str | None:
    return str(options[key]) if key in options else None


def _precision(options: dict[str, Value]) -> Precision:
    given = str(options.get("precision", "float32"))
    return next((p for p in PRECISIONS if p == given), "float32")


def _instruction(options: dict[str, Value]) -> str | None:
    given = _text(options, "instruction")
    if given is None or given == "default":
        return None
    return "" if given == "none" else given


def _engine_key(leaf: Leaf) -> str:
    options = single_options(leaf)
    own = ("backend", "batch", "concurrency", "model", "recipe")
    given = ",".join(f"{k}={options[k]}" for k in own if k in options)
    return f"{leaf.scheme}:{leaf.name}@{leaf.url} {given}"
