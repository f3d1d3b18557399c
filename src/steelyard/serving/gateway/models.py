"""Models of upstreams as the endpoints want them: templates put on, sizes fixed, shapes unified, vectors kept."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np

from steelyard.engines.render import render
from steelyard.engines.vectors import normalised
from steelyard.errors import EndpointError
from steelyard.serving.failures import HttpFailure, ItemFailure, failure_of
from steelyard.serving.gateway.cache import VectorLru
from steelyard.serving.gateway.fit import Fitted, Fitter
from steelyard.serving.gateway.halves import in_halves
from steelyard.serving.gateway.names import Remote, upstream_name
from steelyard.serving.gateway.upstream import Refusal, Upstream
from steelyard.serving.gateway.upstreams import Upstreams
from steelyard.serving.local import estimate
from steelyard.serving.metrics import Metrics
from steelyard.serving.service import Caller, Embedded, EmbedTask, Scored
from steelyard.serving.together import together
from steelyard.serving.tokens import Codec
from steelyard.serving.wire.models import ModelCard
from steelyard.text.clean import clean
from steelyard.text.key import key_of
from steelyard.types import Scores, Vectors
from steelyard.wire import embeddings as wire
from steelyard.wire.answer import AnswerError
from steelyard.wire.rerank import NOT_THERE, SPELLINGS, RerankSpelling, other_spellings, read_scores

T = TypeVar("T")
Fetched = tuple[Vectors, int]
"""float32[n, d] and the tokens that the upstreams say they read."""


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
        texts, ends = fitted.texts, time.monotonic() + caller.seconds
        asked = task.dimensions if recipe is None else None
        keys = [key_of(self._remote.name, str(asked), text) for text in texts]
        rows = {key: row for key in keys if (row := self._cache.get(key)) is not None}
        missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in rows}
        self._metrics.cached(len(texts) - len(missing), len(missing))
        tokens = 0
        if missing:
            with self._upstreams.place():
                fresh, tokens = await self._fresh(missing, keys, asked, ends)
                if {len(row) for row in rows.values()} - {len(row) for row in fresh.values()}:
                    # another model has taken the name since the rows were kept
                    fresh, tokens = await self._fresh(dict(zip(keys, texts, strict=True)), keys, asked, ends)
            rows |= fresh
            for key, row in fresh.items():
                self._cache.put(key, row)
        return Embedded(np.stack([rows[key] for key in keys]), tokens, fitted.cut, cuts_elsewhere=self._fitter is None)

    async def _fresh(
        self, wanted: Mapping[bytes, str], keys: Sequence[bytes], dimensions: int | None, ends: float
    ) -> tuple[dict[bytes, Vectors], int]:
        """Rows of the upstreams by key, and the tokens they read; a failed text is named by its place in ``keys``."""
        try:
            vectors, tokens = await within(ends, self._fetch(list(wanted.values()), dimensions, ends))
        except ItemFailure as failed:
            raise ItemFailure(keys.index(list(wanted)[failed.index]), failed.cause) from None
        return dict(zip(wanted, vectors, strict=True)), tokens

    def _finish(self, task: EmbedTask) -> Fitted:
        given, recipe = [clean(t) for t in task.texts], self._remote.recipe
        if self._fitter is not None:
            return self._fitter.fit(given, task.role, task.instruction, truncate=task.truncate)
        return Fitted(given if recipe is None else render(recipe, given, task.role, task.instruction))

    async def _fetch(self, texts: Sequence[str], dimensions: int | None, ends: float) -> Fetched:
        size = self._remote.batch

        async def one(part: Sequence[str]) -> Fetched:
            return await self._upstreams.ask(lambda upstream: self._ask(upstream, part, dimensions), ends)

        pieces = await together(in_halves(texts[i : i + size], one, i) for i in range(0, len(texts), size))
        parts = [part for piece in pieces for part in piece]
        sizes = {vectors.shape[1] for vectors, _ in parts}
        if len(sizes) > 1:
            raise EndpointError(f"the upstreams gave vectors of {sorted(sizes)} dimensions for one name; they differ")
        vectors = np.concatenate([vectors for vectors, _ in parts])
        recipe = self._remote.recipe
        whole = normalised(vectors) if recipe is not None and recipe.normalise else vectors
        return whole, sum(tokens for _, tokens in parts)

    async def _ask(self, upstream: Upstream, texts: Sequence[str], dimensions: int | None) -> Fetched:
        name = await upstream_name(self._upstreams, upstream, self._remote)
        encoding: wire.Encoding | None = upstream.memory.get("encoding", "base64")
        body = wire.embeddings_request(name, texts, dimensions=dimensions, encoding=encoding)
        try:
            answer = await self._upstreams.client.post(upstream, wire.PATH, body)
        except Refusal as refused:
            if refused.status in NOT_THERE:
                upstream.memory.clear()  # it may have been started anew, under other names
            if encoding is None or not wire.refuses_encoding(refused.status, refused.said):
                raise
            upstream.memory["encoding"] = None
            return await self._ask(upstream, texts, dimensions)
        recipe = self._remote.recipe
        try:
            read = wire.read_embeddings(answer, len(texts), recipe.dimension if recipe else dimensions)
        except AnswerError as wrong:
            raise upstream.wrong(wrong) from None
        return read.vectors, read.tokens or 0


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
        size, asked = self._remote.batch, clean(query)
        safe = [clean(d) for d in documents]
        ends = time.monotonic() + caller.seconds

        async def one(part: Sequence[str]) -> Scores:
            return await self._upstreams.ask(lambda upstream: self._ask(upstream, asked, part, instruction), ends)

        work = together(in_halves(safe[i : i + size], one, i) for i in range(0, len(safe), size))
        with self._upstreams.place():
            done = await within(ends, work)
        scores = np.concatenate([scores for piece in done for scores in piece])
        return Scored(scores, sum(estimate(query) + estimate(d) for d in documents))

    async def _ask(self, upstream: Upstream, query: str, documents: Sequence[str], instruction: str | None) -> Scores:
        name = await upstream_name(self._upstreams, upstream, self._remote)
        known: RerankSpelling | None = upstream.memory.get("rerank")
        left: tuple[RerankSpelling, ...] = (known,) if known else SPELLINGS
        refusal = Refusal(404, "no way to rerank is known", upstream.shown)
        while left:
            spelling = left[0]
            try:
                body = spelling.request(name, query, documents, instruction)
                answer = await self._upstreams.client.post(upstream, spelling.path, body)
            except Refusal as refused:
                left = () if known else other_spellings(spelling, refused.status, refused.said)
                refusal = refusal if refused.status in NOT_THERE else refused
                continue
            upstream.memory["rerank"] = spelling
            try:
                return read_scores(answer, len(documents))
            except AnswerError as wrong:
                raise upstream.wrong(wrong) from None
        if refusal.status in NOT_THERE:
            upstream.memory.clear()  # it may have been started anew, under other names
        raise refusal


async def within(ends: float, work: Coroutine[Any, Any, T]) -> T:
    """The result of ``work`` before the caller's deadline; failures as an HTTP client is told of them.

    Args:
        ends: the deadline, by ``time.monotonic()``.
        work: what is waited for.

    Raises:
        HttpFailure: 503 when it is late, or whatever ``work`` failed with.
    """
    try:
        async with asyncio.timeout(max(ends - time.monotonic(), 0)):
            return await work
    except TimeoutError:
        message = "no upstream answered within the deadline; try again, or ask for less at once"
        raise HttpFailure(503, message, None, "deadline", 5) from None
    except EndpointError as wrong:
        raise failure_of(wrong) from None


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
