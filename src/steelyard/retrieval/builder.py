"""From an expression to the system that it names."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from steelyard.engines.backend_choice import BackendChoice
from steelyard.engines.protocol import Encoder, Engine, Reranker, SparseEncoder
from steelyard.engines.remote.matching import endpoint_recipe
from steelyard.engines.remote.openai import OpenAIConfig, OpenAIEncoder, OpenAIReranker
from steelyard.models.folder import read_recipe
from steelyard.models.recipe import Recipe
from steelyard.models.registry import load_recipe
from steelyard.retrieval.chunk import ChunkEncoder
from steelyard.retrieval.dense import DenseRetriever
from steelyard.retrieval.engine_pool import EnginePool
from steelyard.retrieval.expression import Fuse, Leaf, Node, Value, leaves, single_options
from steelyard.retrieval.fuse import FusedRetriever, FusePart
from steelyard.retrieval.late import LateRetriever
from steelyard.retrieval.lexical import BM25Retriever
from steelyard.retrieval.maxsim import MaxSimReranker
from steelyard.retrieval.protocol import Retriever
from steelyard.retrieval.quantised import PRECISIONS, Precision
from steelyard.retrieval.rerank import RerankedRetriever
from steelyard.retrieval.shorten import ShortEncoder
from steelyard.retrieval.sparse import SparseRetriever
from steelyard.retrieval.vocabulary import BM25, DENSE, MAXSIM, MAXSIM_MODEL, late_recipe

T = TypeVar("T")


def _same(engine: T) -> T:
    return engine


@dataclass
class SystemBuilder:
    """Builds systems and shares engines between them, so that a model used twice is loaded once.

    Args:
        wrap_encoder: put around every encoder, e.g. a cache.
        wrap_reranker: put around every reranker.
        wrap_sparse: put around every encoder of token weights.
    """

    wrap_encoder: Callable[[Encoder], Encoder] = _same
    wrap_reranker: Callable[[Reranker], Reranker] = _same
    wrap_sparse: Callable[[SparseEncoder], SparseEncoder] = _same
    _engines: EnginePool = field(default_factory=EnginePool)
    _encoders: dict[str, Encoder] = field(default_factory=dict)
    _rerankers: dict[str, Reranker] = field(default_factory=dict)
    _sparse: dict[str, SparseEncoder] = field(default_factory=dict)
    _said: dict[str, tuple[str, BackendChoice]] = field(default_factory=dict)

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
        return tuple(dict.fromkeys(fingerprint for fingerprint, _ in self._of(node)))

    def engines(self, node: Node) -> tuple[BackendChoice, ...]:
        """Which backends run the models of ``node``, and why, left to right."""
        return tuple(dict.fromkeys(said for _, said in self._of(node)))

    def close(self) -> None:
        """Frees every engine that was built."""
        wrapped: list[Engine] = [*self._encoders.values(), *self._rerankers.values(), *self._sparse.values()]
        for engine in wrapped:
            engine.close()
        self._engines.close()
        for kept in (self._encoders, self._rerankers, self._sparse, self._said):
            kept.clear()

    def _of(self, node: Node) -> list[tuple[str, BackendChoice]]:
        return [self._said[key] for leaf in leaves(node) if (key := _engine_key(leaf)) in self._said]

    def _recall(self, leaf: Leaf) -> Retriever:
        options = single_options(leaf)
        if leaf.name == BM25 and not leaf.scheme:
            return BM25Retriever(k1=float(options.get("k1", 1.5)), b=float(options.get("b", 0.75)))
        head = options.get("head", DENSE)
        if head == "sparse":
            return SparseRetriever(self._sparse_encoder(leaf))
        if head == "colbert":
            tokens, said = self._engines.tokens(_recipe(leaf), _text(options, "backend"))
            self._said[_engine_key(leaf)] = (f"{tokens.info.fingerprint}#colbert", said)
            return LateRetriever(tokens)
        dimension = int(options["dim"]) if "dim" in options else None
        encoder = shaped(self._encoder(leaf), options)
        rescore = int(options.get("rescore", 0))
        return DenseRetriever(encoder, dimension, _instruction(options), _precision(options), rescore)

    def _fuse(self, node: Fuse) -> Retriever:
        options = single_options(node)
        parts = [FusePart(self.build(p), _weight(p)) for p in node.parts]
        return FusedRetriever(parts, depth=int(options.get("depth", 100)), rrf_k=int(options.get("rrf", 60)))

    def _encoder(self, leaf: Leaf) -> Encoder:
        key = _engine_key(leaf)
        if key not in self._encoders:
            encoder, said = self._open(leaf, single_options(leaf))
            self._encoders[key] = self.wrap_encoder(encoder)
            self._said[key] = (encoder.info.fingerprint, said)
        return self._encoders[key]

    def _sparse_encoder(self, leaf: Leaf) -> SparseEncoder:
        key = _engine_key(leaf)
        if key not in self._sparse:
            encoder, said = self._engines.sparse(_recipe(leaf), _text(single_options(leaf), "backend"))
            self._sparse[key] = self.wrap_sparse(encoder)
            self._said[key] = (f"{encoder.info.fingerprint}#sparse", said)
        return self._sparse[key]

    def _reranker(self, leaf: Leaf) -> Reranker:
        key = _engine_key(leaf)
        if key not in self._rerankers:
            reranker, said = self._open_reranker(leaf, single_options(leaf))
            self._rerankers[key] = self.wrap_reranker(reranker)
            self._said[key] = (reranker.info.fingerprint, said)
        return self._rerankers[key]

    def _open(self, leaf: Leaf, options: dict[str, Value]) -> tuple[Encoder, BackendChoice]:
        if leaf.scheme != "openai":
            return self._engines.encoder(_recipe(leaf), _text(options, "backend"))
        sent = endpoint_recipe(leaf.name, _text(options, "recipe"))
        config = OpenAIConfig(
            model=leaf.name,
            url=leaf.url,
            batch=int(options.get("batch", 64)),
            concurrency=int(options.get("concurrency", 8)),
            recipe=sent.recipe,
        )
        return OpenAIEncoder(config), _remote(leaf, sent.said)

    def _open_reranker(self, leaf: Leaf, options: dict[str, Value]) -> tuple[Reranker, BackendChoice]:
        backend = _text(options, "backend")
        if leaf.scheme == "rerank":
            return OpenAIReranker(OpenAIConfig(model=leaf.name, url=leaf.url)), _remote(leaf)
        if leaf.scheme != MAXSIM and (leaf.scheme or leaf.name != MAXSIM):
            return self._engines.reranker(_recipe(leaf), backend)
        recipe = late_recipe(leaf) if leaf.scheme else load_recipe(str(options.get("model", MAXSIM_MODEL)))
        encoder, said = self._engines.tokens(recipe, backend)
        return MaxSimReranker(encoder), said


def shaped(encoder: Encoder, options: dict[str, Value]) -> Encoder:
    """The encoder with what an expression says of long texts: ``max_tokens`` and ``long``."""
    limit = int(options["max_tokens"]) if "max_tokens" in options else None
    if options.get("long") == "chunk":
        return ChunkEncoder(encoder, limit)
    return ShortEncoder(encoder, limit) if limit else encoder


def _remote(leaf: Leaf, warning: str = "") -> BackendChoice:
    return BackendChoice(leaf.name, leaf.scheme, leaf.url, warning)


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
    own = ("backend", "batch", "concurrency", "head", "model", "recipe")
    given = ",".join(f"{k}={options[k]}" for k in own if k in options)
    return f"{leaf.scheme}:{leaf.name}@{leaf.url} {given}"
