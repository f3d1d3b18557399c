"""Models of upstreams as the endpoints want them: templates put on, sizes fixed, shapes unified, vectors kept."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import numpy as np

from steelyard.engines.render import render
from steelyard.engines.vectors import normalised
from steelyard.errors import EndpointError
from steelyard.models.recipe import Recipe
from steelyard.serving.failures import HttpFailure, failure_of
from steelyard.serving.gateway.answers import read_scores, read_vectors
from steelyard.serving.gateway.cache import VectorLru
from steelyard.serving.gateway.fit import Fitted, Fitter
from steelyard.serving.gateway.upstream import Refusal, Upstream, Upstreams
from steelyard.serving.local import estimate
from steelyard.serving.metrics import Metrics
from steelyard.serving.service import Caller, Embedded, EmbedTask, Scored
from steelyard.serving.together import together
from steelyard.serving.tokens import Codec
from steelyard.serving.wire.models import ModelCard
from steelyard.text.clean import clean
from steelyard.text.key import key_of
from steelyard.types import Scores, Vectors

T = TypeVar("T")
Fetched = tuple[Vectors, int]
"""float32[n, d] and the tokens that the upstreams say they read."""
_ABOUT_TEXTS = frozenset({400, 413, 422})
_RERANK_WAYS = (("/rerank", "documents"), ("//rerank", "documents"), ("//rerank", "texts"))
"""(path, field of the documents), tried in this order; what worked is remembered for each upstream."""


@dataclass(frozen=True, slots=True)
class Remote:
    """A model behind the gateway.

    Attributes:
        name: under which the gateway serves it.
        recipe: None where nobody described it: then requests go through as they are.
        upstream_name: its name there; None to look it up in each upstream's list.
        batch: texts a request at the most.
        said_kind: what the upstream says that it is, where it does.
    """

    name: str
    recipe: Recipe | None
    upstream_name: str | None = None
    batch: int = 32
    said_kind: Literal["embedding", "reranker"] | None = None

    @property
    def kind(self) -> Literal["embedding", "reranker"]:
        """By the recipe, by what the upstream says, or by the name."""
        guessed: Literal["embedding", "reranker"] = "reranker" if "rerank" in self.name.lower() else "embedding"
        return self.recipe.kind if self.recipe else self.said_kind or guessed


class RemoteEmbedder:
    """An embedding model of the upstreams.

    Args:
        remote: which.
        upstreams: who has it.
        cache: vectors of earlier texts.
        metrics: told of the cache.
        codec: reads token arrays.
        fitter: cuts or refuses what is too long; None where the tokenizer is not at hand, and upstreams decide.

    Attributes:
        recipe: None where nobody described the model.
        card: what ``/v1/models`` says.
    """

    def __init__(
        self,
        remote: Remote,
        upstreams: Upstreams,
        cache: VectorLru,
        metrics: Metrics,
        codec: Codec,
        fitter: Fitter | None = None,
    ) -> None:
        self._remote = remote
        self._fitter = fitter
        self._upstreams = upstreams
        self._cache = cache
        self._metrics = metrics
        self._codec = codec
        self.recipe = remote.recipe
        self.card = card_of(remote)

    def decode(self, tokens: Sequence[int]) -> str:
        """The text of a token array."""
        return self._codec.decode(tokens)

    async def embed(self, task: EmbedTask, caller: Caller) -> Embedded:
        """Vectors of native size, or of ``task.dimensions`` where there is no recipe.

        Raises:
            HttpFailure: refused, failed or late.
        """
        recipe = self._remote.recipe
        fitted = await asyncio.to_thread(self._finish, task) if self._fitter else self._finish(task)
        texts = fitted.texts
        asked = task.dimensions if recipe is None else None
        keys = [key_of(self._remote.name, str(asked), text) for text in texts]
        rows = {key: row for key in keys if (row := self._cache.get(key)) is not None}
        missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in rows}
        self._metrics.cached(len(texts) - len(missing), len(missing))
        tokens = 0
        if missing:
            with self._upstreams.place():
                fresh, tokens = await within(caller, self._fetch(list(missing.values()), asked))
            for key, row in zip(missing, fresh, strict=True):
                rows[key] = row
                self._cache.put(key, row)
        return Embedded(np.stack([rows[key] for key in keys]), tokens, fitted.cut, cuts_elsewhere=self._fitter is None)

    def _finish(self, task: EmbedTask) -> Fitted:
        given, recipe = [clean(t) for t in task.texts], self._remote.recipe
        if self._fitter is not None:
            return self._fitter.fit(given, task.role, task.instruction, truncate=task.truncate)
        return Fitted(given if recipe is None else render(recipe, given, task.role, task.instruction))

    async def _fetch(self, texts: list[str], dimensions: int | None) -> Fetched:
        size = self._remote.batch
        parts = [texts[i : i + size] for i in range(0, len(texts), size)]
        vectors, tokens = _joined(await together(self._part(part, dimensions) for part in parts))
        recipe = self._remote.recipe
        return (normalised(vectors) if recipe is not None and recipe.normalise else vectors), tokens

    async def _part(self, texts: list[str], dimensions: int | None) -> Fetched:
        done = await self._try(texts, dimensions)
        return await self._split(texts, dimensions, done) if isinstance(done, Refusal) else done

    async def _split(self, texts: list[str], dimensions: int | None, refusal: Refusal) -> Fetched:
        """Halves what was refused, for a server with smaller batches, or to find the text that it will not take."""
        if len(texts) == 1 or refusal.status not in _ABOUT_TEXTS:
            raise refusal.failure()
        half = len(texts) // 2
        parts = texts[:half], texts[half:]
        done = [await self._try(part, dimensions) for part in parts]
        if all(isinstance(d, Refusal) for d in done):
            alone = await self._try(texts[:1], dimensions)
            if isinstance(alone, Refusal):
                raise alone.failure()
        return _joined(
            [
                await self._split(part, dimensions, d) if isinstance(d, Refusal) else d
                for part, d in zip(parts, done, strict=True)
            ]
        )

    async def _try(self, texts: list[str], dimensions: int | None) -> Fetched | Refusal:
        try:
            return await self._upstreams.ask(lambda upstream: self._ask(upstream, texts, dimensions))
        except Refusal as refused:
            return refused

    async def _ask(self, upstream: Upstream, texts: list[str], dimensions: int | None) -> Fetched:
        name = await upstream_name(self._upstreams, upstream, self._remote)
        body: dict[str, Any] = {"model": name, "input": texts}
        if dimensions is not None:
            body["dimensions"] = dimensions
        if upstream.memory.get("base64", True):
            body["encoding_format"] = "base64"
        try:
            answer = await self._upstreams.post(upstream, "/embeddings", body)
        except Refusal as refused:
            if "encoding_format" not in body or "encoding_format" not in refused.said:
                raise
            upstream.memory["base64"] = False
            return await self._ask(upstream, texts, dimensions)
        recipe = self._remote.recipe
        return read_vectors(answer, len(texts), recipe.dimension if recipe else dimensions, upstream.shown)


class RemoteReranker:
    """A reranker of the upstreams, which put its template on themselves (see ``steelyard launch``).

    Args:
        remote: which.
        upstreams: who has it.

    Attributes:
        recipe: None where nobody described the model.
        card: what ``/v1/models`` says.
    """

    def __init__(self, remote: Remote, upstreams: Upstreams) -> None:
        self._remote = remote
        self._upstreams = upstreams
        self.recipe = remote.recipe
        self.card = card_of(remote)

    async def score(self, query: str, documents: Sequence[str], instruction: str | None, caller: Caller) -> Scored:
        """Higher is better.

        Raises:
            HttpFailure: refused, failed or late.
        """
        size = self._remote.batch
        safe = [clean(d) for d in documents]
        parts = [safe[i : i + size] for i in range(0, len(safe), size)]

        with self._upstreams.place():
            done = await within(caller, together(self._part(clean(query), part, instruction) for part in parts))
        scores = np.concatenate(done)
        return Scored(scores, sum(estimate(query) + estimate(d) for d in documents))

    async def _part(self, query: str, documents: list[str], instruction: str | None) -> Scores:
        try:
            return await self._upstreams.ask(lambda upstream: self._ask(upstream, query, documents, instruction))
        except Refusal as refused:
            raise refused.failure() from None

    async def _ask(self, upstream: Upstream, query: str, documents: list[str], instruction: str | None) -> Scores:
        name = await upstream_name(self._upstreams, upstream, self._remote)
        known = upstream.memory.get("rerank")
        refusal: Refusal | None = None
        for path, field in [known] if known else _RERANK_WAYS:
            body: dict[str, Any] = {"model": name, "query": query, field: documents}
            if instruction is not None:
                body |= {"instruction": instruction, "instruct": instruction}
            try:
                answer = await self._upstreams.post(upstream, path, body)
            except Refusal as refused:
                refusal = refusal if refusal is not None and refused.status in (404, 405) else refused
                continue
            upstream.memory["rerank"] = (path, field)
            return read_scores(answer, len(documents), upstream.shown)
        raise refusal or Refusal(404, "no way to rerank is known", upstream.shown)


def _joined(parts: Sequence[Fetched]) -> Fetched:
    return np.concatenate([vectors for vectors, _ in parts]), sum(tokens for _, tokens in parts)


async def within(caller: Caller, work: Coroutine[Any, Any, T]) -> T:
    """The result of ``work`` before the caller's deadline; failures as an HTTP client is told of them.

    Raises:
        HttpFailure: 503 when it is late, or whatever ``work`` failed with.
    """
    try:
        async with asyncio.timeout(caller.seconds):
            return await work
    except TimeoutError:
        message = "no upstream answered within the deadline; try again, or ask for less at once"
        raise HttpFailure(503, message, None, "deadline", 5) from None
    except EndpointError as wrong:
        raise failure_of(wrong) from None


async def upstream_name(upstreams: Upstreams, upstream: Upstream, remote: Remote) -> str:
    """What an upstream calls a model: as told, as it lists it, or as the hub does."""
    if remote.upstream_name is not None or remote.recipe is None:
        return remote.upstream_name or remote.name
    names: dict[str, str] = upstream.memory.setdefault("names", {})
    if remote.name not in names:
        listed = listed_names(await upstreams.get(upstream, "/models"))
        found = next((n for n in listed if is_called(n, remote.recipe)), None)
        if found is None and not listed:
            return remote.recipe.sources.huggingface or remote.recipe.name
        if found is None:
            raise Refusal(404, f"lists no {remote.recipe.name}; write {remote.recipe.name}=ITS_NAME", upstream.shown)
        names[remote.name] = found
    return names[remote.name]


def listed_names(answer: Any) -> list[str]:
    """The ids of an answer of ``/v1/models``; none for any other shape."""
    return list(listed(answer))


def listed(answer: Any) -> dict[str, Literal["embedding", "reranker"] | None]:
    """The models of an answer of ``/v1/models``, and what each is where that is said, as this server does."""
    data = answer.get("data") if isinstance(answer, dict) else None
    items = data if isinstance(data, list) else []
    named = [i for i in items if isinstance(i, dict) and isinstance(i.get("id"), str)]
    return {i["id"]: i["kind"] if i.get("kind") in ("embedding", "reranker") else None for i in named}


def is_called(name: str, recipe: Recipe) -> bool:
    """Whether a server's name means this recipe: its own, its hub's, or a folder of that name."""
    known = (recipe.name, recipe.title, recipe.sources.huggingface, recipe.sources.modelscope)
    plain = name.rstrip("/").rpartition("/")[2].lower()
    return plain in {k.rpartition("/")[2].lower() for k in known if k}


def card_of(remote: Remote) -> ModelCard:
    """What ``/v1/models`` says of a model behind the gateway."""
    recipe = remote.recipe
    return ModelCard(
        id=remote.name,
        created=int(time.time()),
        kind=remote.kind,
        backend="gateway",
        dimension=recipe.dimension or None if recipe else None,
        smallest_dimension=(recipe.min_dimension or recipe.dimension or None) if recipe else None,
        max_tokens=recipe.max_tokens or None if recipe else None,
        takes_instruction=recipe is not None and "{instruction}" in recipe.query_template,
    )
