"""Models that run in this process, all behind one scheduler."""

from __future__ import annotations

import asyncio
import time
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from steelyard.engines.base import TruncationWarning
from steelyard.engines.protocol import Encoder, EngineInfo, Reranker, SparseEncoder, TokenEncoder
from steelyard.errors import TextError
from steelyard.models.recipe import Recipe
from steelyard.serving.fair_queue import Lane, QueueLimits
from steelyard.serving.scheduler import Ask, Group, Observer, Scheduler
from steelyard.serving.service import Caller, Embedded, EmbedTask, Scored
from steelyard.serving.settings import Behaviour, Limits
from steelyard.serving.tokens import Codec
from steelyard.serving.wire.embeddings import Heads
from steelyard.serving.wire.models import ModelCard
from steelyard.types import Role, Vectors


@dataclass(frozen=True, slots=True)
class _EmbedGroup(Group):
    role: Role
    instruction: str | None
    truncate: bool
    heads: frozenset[str]


@dataclass(frozen=True, slots=True)
class _RerankGroup(Group):
    query: str
    instruction: str | None


@dataclass(frozen=True, slots=True)
class _Row:
    vector: Vectors
    tokens: int
    cut: bool
    sparse: Mapping[int, float] | None
    colbert: Vectors | None


def estimate(text: str) -> int:
    """Tokens of a text, rather too many than too few: one for three bytes of UTF-8, and two special ones."""
    return (len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))) // 3 + 2


class LocalHost:
    """One scheduler over the engines of this process.

    Args:
        encoders: model name -> engine.
        rerankers: model name -> engine.
        limits: how much may wait.
        behaviour: how long a batch may take.
        observer: told of every batch.
    """

    def __init__(
        self,
        encoders: Mapping[str, Encoder],
        rerankers: Mapping[str, Reranker],
        limits: Limits,
        behaviour: Behaviour,
        observer: Observer | None = None,
    ) -> None:
        self._encoders = encoders
        self._rerankers = rerankers
        self._deadline = limits.deadline
        queue = QueueLimits(limits.queue_requests, limits.queue_tokens)
        self.scheduler = Scheduler(self._work, queue, behaviour.batch_seconds, observer)
        self._loaded = False

    @property
    def waiting(self) -> tuple[int, int]:
        """(requests, estimated tokens) in the queue."""
        return self.scheduler.waiting

    def start(self) -> None:
        """Loads every model's weights by running a text, so that no request pays for it; once until it is stopped."""
        if self._loaded:
            return
        warnings.simplefilter("ignore", TruncationWarning)  # cuts are answered and counted here
        self.scheduler.open(self._load)
        self._loaded = True

    def _load(self) -> None:
        for _ in range(2):  # some engines lay weights out for speed at the second call
            for encoder in self._encoders.values():
                encoder.encode(["1"], Role.DOCUMENT)
            for reranker in self._rerankers.values():
                reranker.score("1", ["1"])

    async def stop(self) -> None:
        """Finishes what was accepted, then frees the engines."""
        await asyncio.to_thread(self.scheduler.close)
        self._loaded = False
        for encoder in self._encoders.values():
            encoder.close()
        for reranker in self._rerankers.values():
            reranker.close()

    async def ready(self) -> str | None:
        """None while the thread lives and no call of an engine hangs."""
        if not self.scheduler.alive:
            return "the scheduler has died; restart the server"
        if (seconds := self.scheduler.busy_for) > self._deadline:
            return f"a call of an engine has run for {seconds:.0f} s, longer than --deadline"
        return None

    def _work(self, group: Group, texts: Sequence[str]) -> Sequence[object]:
        if isinstance(group, _EmbedGroup):
            return _embed(self._encoders[group.model], group, texts)
        if isinstance(group, _RerankGroup):
            return list(self._rerankers[group.model].score(group.query, texts, group.instruction))
        raise TypeError(f"no work for {type(group).__name__}")


def _embed(encoder: Encoder, group: _EmbedGroup, texts: Sequence[str]) -> Sequence[object]:
    counts = encoder.count_tokens(texts, group.role, group.instruction)
    counts = counts or [estimate(t) for t in texts]
    limit = encoder.info.max_tokens or max(counts)
    results: list[object] = [
        TextError(f"has {n} tokens and the model reads {limit}; shorten it, or send truncate: true") for n in counts
    ]
    fit = [i for i, n in enumerate(counts) if group.truncate or n <= limit]
    if fit:
        kept = [texts[i] for i in fit]
        rows = encoder.encode(kept, group.role, group.instruction)
        sparse, colbert = _other_heads(encoder, group, kept)
        for n, i in enumerate(fit):
            results[i] = _Row(rows[n], min(counts[i], limit), counts[i] > limit, sparse[n], colbert[n])
    return results


def _other_heads(
    encoder: Encoder, group: _EmbedGroup, texts: list[str]
) -> tuple[Sequence[Mapping[int, float] | None], Sequence[Vectors | None]]:
    nothing = [None] * len(texts)
    sparse: Sequence[Mapping[int, float] | None] = nothing
    colbert: Sequence[Vectors | None] = nothing
    if "sparse" in group.heads and isinstance(encoder, SparseEncoder):
        sparse = encoder.encode_sparse(texts, group.role)
    if "colbert" in group.heads and isinstance(encoder, TokenEncoder):
        colbert = encoder.encode_tokens(texts, group.role)
    return sparse, colbert


def heads_of(recipe: Recipe, encoder: Encoder) -> tuple[str, ...]:
    """The heads that the model has and this engine runs."""
    able = {"dense": True, "sparse": isinstance(encoder, SparseEncoder), "colbert": isinstance(encoder, TokenEncoder)}
    return tuple(head for head in recipe.heads if able[head])


class LocalEmbedder:
    """One encoder behind the scheduler.

    Args:
        name: under which it is served.
        recipe: what it is.
        encoder: what the host runs under that name.
        host: runs it.
        codec: reads token arrays.
    """

    def __init__(self, name: str, recipe: Recipe, encoder: Encoder, host: LocalHost, codec: Codec) -> None:
        self._name = name
        self.recipe: Recipe | None = recipe
        self._host = host
        self._codec = codec
        self.card = card_of(name, recipe, encoder.info).model_copy(update={"heads": heads_of(recipe, encoder)})

    async def embed(self, task: EmbedTask, caller: Caller) -> Embedded:
        """Vectors of native size.

        Raises:
            HttpFailure: busy, late or stopping.
            ItemFailure: the engine refuses or fails at a text.
        """
        group = _EmbedGroup(self._name, task.role, task.instruction, task.truncate, task.heads)
        costs = tuple(map(estimate, task.texts))
        rows: list[Any] = await self._host.scheduler.run(
            Ask(caller.client, task.lane, group, task.texts, costs, caller.seconds)
        )
        cut = tuple(i for i, row in enumerate(rows) if row.cut)
        heads = Heads(
            [row.sparse for row in rows] if "sparse" in task.heads else None,
            [row.colbert for row in rows] if "colbert" in task.heads else None,
        )
        return Embedded(np.stack([row.vector for row in rows]), sum(row.tokens for row in rows), cut, heads)

    def decode(self, tokens: Sequence[int]) -> str:
        """The text of a token array."""
        return self._codec.decode(tokens)


class LocalReranker:
    """One reranker behind the scheduler; ``info`` is what its engine says of itself."""

    def __init__(self, name: str, recipe: Recipe, info: EngineInfo, host: LocalHost) -> None:
        self._name = name
        self.recipe: Recipe | None = recipe
        self._host = host
        self.card = card_of(name, recipe, info)

    async def score(self, query: str, documents: Sequence[str], instruction: str | None, caller: Caller) -> Scored:
        """Higher is better; tokens are estimated, as rerankers do not count them."""
        own = estimate(query)
        costs = tuple(own + estimate(d) for d in documents)
        group = _RerankGroup(self._name, query, instruction)
        scores = await self._host.scheduler.run(Ask(caller.client, Lane.QUERY, group, documents, costs, caller.seconds))
        return Scored(np.asarray(scores, dtype=np.float32), sum(costs))


def card_of(name: str, recipe: Recipe, info: EngineInfo) -> ModelCard:
    """What ``/v1/models`` says of a model of this process."""
    return ModelCard(
        id=name,
        created=int(time.time()),
        kind=recipe.kind,
        backend=info.backend,
        dimension=info.dimension or None,
        smallest_dimension=recipe.min_dimension or info.dimension or None,
        max_tokens=info.max_tokens,
        takes_instruction="{instruction}" in recipe.query_template,
        fingerprint=info.fingerprint,
    )
