"""From a resolved system to what indexes and searches."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from steelyard.engines.backend_choice import BackendChoice
from steelyard.engines.maxsim import MaxSimReranker
from steelyard.engines.protocol import Encoder, Engine, Reranker, SparseEncoder
from steelyard.engines.remote.openai import OpenAIConfig, OpenAIEncoder, OpenAIReranker
from steelyard.models.recipe import Recipe
from steelyard.retrieval.chunk import ChunkEncoder
from steelyard.retrieval.dense import DenseRetriever
from steelyard.retrieval.engine_pool import EnginePool
from steelyard.retrieval.fuse import FusedRetriever, FusePart
from steelyard.retrieval.late import LateRetriever
from steelyard.retrieval.lexical import BM25Retriever
from steelyard.retrieval.protocol import Retriever
from steelyard.retrieval.rerank import RerankedRetriever
from steelyard.retrieval.shorten import ShortEncoder
from steelyard.retrieval.sparse import SparseRetriever
from steelyard.retrieval.system import Fused, Given, Lexical, Model, Reranked, Single, System, Vectors

T = TypeVar("T")
_Key = tuple[object, ...]


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
    _encoders: dict[_Key, Encoder] = field(default_factory=dict)
    _rerankers: dict[_Key, Reranker] = field(default_factory=dict)
    _sparse: dict[_Key, SparseEncoder] = field(default_factory=dict)
    _said: dict[_Key, tuple[str, BackendChoice]] = field(default_factory=dict)

    def build(self, system: System) -> Retriever:
        """What indexes and searches; nothing is loaded yet."""
        if isinstance(system, Single):
            return self._recall(system)
        if isinstance(system, Fused):
            parts = [FusePart(self.build(p), w) for p, w in zip(system.fused, system.weights, strict=True)]
            return FusedRetriever(parts, depth=system.depth, rrf_k=system.rrf_k)
        if isinstance(system, Reranked):
            return RerankedRetriever(self.build(system.first), self.reranker(system.reranker), system.top, system.task)
        if isinstance(system, Given):
            return system.retriever
        raise TypeError(f"nothing builds a {type(system).__name__}")

    def encoder(self, model: Model) -> Encoder:
        """The engine that gives a vector a text, with what is put around it; opened once."""
        if model.key not in self._encoders:
            encoder, said = self._open(model)
            self._encoders[model.key] = self.wrap_encoder(encoder)
            self._said[model.key] = (encoder.info.fingerprint, said)
        return self._encoders[model.key]

    def reranker(self, model: Model) -> Reranker:
        """The engine that scores documents, with what is put around it; opened once."""
        if model.key not in self._rerankers:
            reranker, said = self._open_reranker(model)
            self._rerankers[model.key] = self.wrap_reranker(reranker)
            self._said[model.key] = (reranker.info.fingerprint, said)
        return self._rerankers[model.key]

    def fingerprints(self, system: System) -> tuple[str, ...]:
        """Of every engine that a built system uses, left to right."""
        return tuple(dict.fromkeys(fingerprint for fingerprint, _ in self._of(system)))

    def engines(self, system: System) -> tuple[BackendChoice, ...]:
        """Which backends run the models of a built system, and why, left to right."""
        return tuple(dict.fromkeys(said for _, said in self._of(system)))

    def close(self) -> None:
        """Frees every engine that was built."""
        wrapped: list[Engine] = [*self._encoders.values(), *self._rerankers.values(), *self._sparse.values()]
        for engine in wrapped:
            engine.close()
        self._engines.close()
        for kept in (self._encoders, self._rerankers, self._sparse, self._said):
            kept.clear()

    def _of(self, system: System) -> list[tuple[str, BackendChoice]]:
        return [self._said[m.key] for m in system.models if m.key in self._said]

    def _recall(self, system: Single) -> Retriever:
        model, asked = system.part, system.vectors
        if isinstance(model, Lexical):
            return BM25Retriever(k1=model.k1, b=model.b)
        if model.gives == "token weights":
            return SparseRetriever(self._sparse_encoder(model))
        if model.gives == "token vectors":
            tokens, said = self._engines.tokens(_recipe(model), model.engine, model.asked)
            self._said[model.key] = (f"{tokens.info.fingerprint}#colbert", said)
            return LateRetriever(tokens)
        encoder = shaped(self.encoder(model), asked)
        return DenseRetriever(encoder, asked.dimension, asked.instruction, asked.precision, asked.rescore)

    def _sparse_encoder(self, model: Model) -> SparseEncoder:
        if model.key not in self._sparse:
            encoder, said = self._engines.sparse(_recipe(model), model.engine, model.asked)
            self._sparse[model.key] = self.wrap_sparse(encoder)
            self._said[model.key] = (f"{encoder.info.fingerprint}#sparse", said)
        return self._sparse[model.key]

    def _open(self, model: Model) -> tuple[Encoder, BackendChoice]:
        if model.endpoint is None:
            return self._engines.encoder(_recipe(model), model.engine, model.asked)
        return OpenAIEncoder(_remote(model)), _choice(model)

    def _open_reranker(self, model: Model) -> tuple[Reranker, BackendChoice]:
        if model.endpoint is not None:
            return OpenAIReranker(_remote(model)), _choice(model)
        if model.gives == "reranking scores":
            return self._engines.reranker(_recipe(model), model.engine, model.asked)
        encoder, said = self._engines.tokens(_recipe(model), model.engine, model.asked)
        return MaxSimReranker(encoder), said


def shaped(encoder: Encoder, asked: Vectors) -> Encoder:
    """The encoder with what an expression says of long texts: ``max_tokens`` and ``long``."""
    if asked.windows:
        return ChunkEncoder(encoder, asked.max_tokens)
    return ShortEncoder(encoder, asked.max_tokens) if asked.max_tokens else encoder


def _remote(model: Model) -> OpenAIConfig:
    at = model.endpoint
    if at is None:
        raise TypeError(f"{model.leaf} is no endpoint")
    return OpenAIConfig(model=at.name, url=at.url, batch=at.batch, concurrency=at.concurrency, recipe=model.recipe)


def _choice(model: Model) -> BackendChoice:
    return BackendChoice(model.leaf.name, model.leaf.scheme, model.leaf.url, model.said)


def _recipe(model: Model) -> Recipe:
    if model.recipe is None:
        raise TypeError(f"{model.leaf} has no recipe")
    return model.recipe
