"""Encoders and rerankers behind any OpenAI-compatible server: SGLang, vLLM, TEI, Ollama, llama.cpp, hosted ones.

The API knows no roles, so the templates of queries and documents are put on here, before sending. The fingerprint is
made of what was asked for (URL, model, dimension, templates): that a server changes its weights under the same name
cannot be seen from here.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from steelyard.engines.base import BaseEncoder, BaseReranker
from steelyard.engines.fingerprint import fingerprint, recipe_values
from steelyard.engines.protocol import EngineInfo
from steelyard.engines.remote.fanout import ask_all
from steelyard.engines.remote.presets import key_for, preset_at
from steelyard.engines.remote.retry import RetryPolicy
from steelyard.engines.render import render
from steelyard.engines.vectors import normalised
from steelyard.errors import EndpointError, UsageError
from steelyard.models.recipe import Recipe
from steelyard.types import Role, Scores, Vectors
from steelyard.wire.answer import AnswerError
from steelyard.wire.embeddings import PATH, Encoding, embeddings_request, read_embeddings, refuses_encoding
from steelyard.wire.rerank import NOT_THERE, SPELLINGS, TAILS, RerankSpelling, other_spellings, read_scores

if TYPE_CHECKING:
    from steelyard.engines.remote.endpoint import Endpoint


@dataclass(frozen=True)
class OpenAIConfig:
    """One model on one server.

    Attributes:
        model: its name there.
        url: where the API begins, e.g. ``http://localhost:30000/v1``.
        api_key: None looks into the environment (:func:`steelyard.engines.remote.presets.key_for`); never shown.
        dimension: sent as ``dimensions``; None leaves it to the server.
        batch: texts a request at the most; fewer where a known service takes fewer.
        concurrency: requests under way at once.
        recipe: whose templates are put on and whose dimension is expected; the two templates are then not used.
        query_template: with ``{text}``, and ``{instruction}`` where the model takes one.
        document_template: with ``{text}``.
        timeout: seconds for one answer.
        retry: how long to keep trying.
    """

    model: str
    url: str
    api_key: str | None = field(default=None, repr=False)
    dimension: int | None = None
    batch: int = 64
    concurrency: int = 8
    recipe: Recipe | None = None
    query_template: str = "{text}"
    document_template: str = "{text}"
    timeout: float = 120.0
    retry: RetryPolicy = field(default_factory=RetryPolicy)

    def __post_init__(self) -> None:
        if self.batch < 1 or self.concurrency < 1 or self.timeout <= 0:
            got = (self.batch, self.concurrency, self.timeout)
            raise UsageError(f"batch and concurrency must be at least 1 and timeout above 0, not {got}")
        preset = preset_at(self.url)
        if preset is not None and self.batch > preset.batch:
            object.__setattr__(self, "batch", preset.batch)
        if self.dimension is not None and self.recipe is not None:
            self.recipe.check_dimension(self.dimension)

    def endpoint(self, url: str, environment: Mapping[str, str]) -> Endpoint:
        """The endpoint at ``url``, with this model's key and limits."""
        from steelyard.engines.remote.endpoint import BYTES_A_TEXT, LEAST_BYTES, Endpoint, EndpointLimits

        key = self.api_key or key_for(url, environment)
        largest = LEAST_BYTES + self.batch * BYTES_A_TEXT
        return Endpoint(url, key, EndpointLimits(self.timeout, self.concurrency, largest, self.retry))

    def render(self, texts: Sequence[str], role: Role, instruction: str | None) -> list[str]:
        """The texts as they are sent.

        Raises:
            UsageError: an instruction without a place for it, or a place without an instruction.
        """
        if self.recipe is not None:
            return render(self.recipe, texts, role, instruction)
        template = self.query_template if role is Role.QUERY else self.document_template
        if role is Role.QUERY and bool(instruction) != ("{instruction}" in template):
            raise UsageError(
                f"{self.model}: the query template {template!r} and the instruction {instruction!r} do not fit each "
                "other; name the model's recipe, as in [recipe=qwen3-0.6b], and its template is used"
            )
        return [template.replace("{instruction}", instruction or "").replace("{text}", t) for t in texts]

    def fingerprint(self, url: str) -> str:
        """Of what is asked for, at ``url`` as it may be shown; without the key."""
        what = [url, self.model, self.dimension, self.query_template, self.document_template]
        values = [] if self.recipe is None else [recipe_values(self.recipe)]
        return fingerprint(self.model, "openai", [*what, *values])


class OpenAIEncoder(BaseEncoder):
    """``POST {url}/embeddings``.

    Answers in base64 are preferred (some hundred times faster to read than decimal floats) and either is taken. What
    came back before a failure is kept until the next call, so that encoding the same texts again asks only for the
    rest.

    Args:
        config: the model and its server.
        environment: where a key is looked for.
    """

    def __init__(self, config: OpenAIConfig, environment: Mapping[str, str] = os.environ) -> None:
        self._config = config
        base = config.url.rstrip("/")
        self._endpoint = config.endpoint(base if base.endswith(PATH) else base + PATH, environment)
        self._kept: dict[str, Vectors] = {}
        self._encoding: Encoding | None = "base64"
        self._info = EngineInfo(
            model=config.model,
            backend="openai",
            dimension=config.dimension or (config.recipe.dimension if config.recipe else 0),
            max_tokens=config.recipe.max_tokens or None if config.recipe else None,
            fingerprint=config.fingerprint(self._endpoint.shown),
        )

    @property
    def info(self) -> EngineInfo:
        """Known without asking the server; without recipe and dimension, ``dimension`` is 0 before the first answer."""
        return self._info

    def close(self) -> None:
        """Closes the connections."""
        self._endpoint.close()

    def _encode(self, texts: Sequence[str], role: Role, instruction: str | None) -> Vectors:
        config = self._config
        sent = config.render(texts, role, instruction)
        answers = {t: self._kept[t] for t in sent if t in self._kept}
        try:
            ask_all(self._endpoint, self._ask, list(dict.fromkeys(sent)), answers, config.batch, config.concurrency)
        finally:
            self._kept = answers
        self._kept = {}
        rows = self._stack([answers[t] for t in sent])
        return normalised(rows) if config.recipe and config.recipe.normalise else rows

    def _ask(self, texts: Sequence[str]) -> list[Vectors]:
        config, encoding = self._config, self._encoding
        body = embeddings_request(config.model, texts, dimensions=config.dimension, encoding=encoding)
        try:
            answer = self._endpoint.post(body)
        except EndpointError as error:
            if encoding is None or not refuses_encoding(error.status, str(error)):
                raise
            self._encoding = None
            return self._ask(texts)
        try:
            return list(read_embeddings(answer, len(texts)).vectors)
        except AnswerError as wrong:
            raise self._endpoint.wrong(wrong, text="" if wrong.index is None else texts[wrong.index]) from None

    def _stack(self, rows: Sequence[Vectors]) -> Vectors:
        sizes = {len(r) for r in rows}
        wanted = self._info.dimension or len(rows[0])
        if sizes != {wanted}:
            why = "asked for" if self._config.dimension else "expected"
            fix = "The server ignores `dimensions` or serves another model; see its launch line."
            got = ", ".join(map(str, sorted(sizes)))
            raise self._endpoint.wrong(AnswerError(f"gave vectors of {got} dimensions where {wanted} were {why}", fix))
        self._info = replace(self._info, dimension=wanted)
        return np.stack(rows)


class RerankClient:
    """Scores of one server, in whichever spelling it takes; found at the first request and kept.

    Args:
        endpoint: where its API begins.
        model: its name there.
    """

    def __init__(self, endpoint: Endpoint, model: str) -> None:
        self._endpoint = endpoint
        self._model = model
        self._spelling: RerankSpelling | None = None

    def ask(self, query: str, documents: Sequence[str]) -> Scores:
        """float32[n] of one request, in the order of the documents.

        Raises:
            EndpointError: refused, or answered what cannot be right.
        """
        spelling = self._spelling or SPELLINGS[0]
        answer = self._post(spelling, query, documents) if self._spelling else None
        if answer is None:
            spelling, answer = self._found(query, documents)
            self._spelling = spelling
        try:
            return read_scores(answer, len(documents))
        except AnswerError as wrong:
            text = "" if wrong.index is None else documents[wrong.index]
            raise self._endpoint.wrong(wrong, spelling.path, text) from None

    def _post(self, spelling: RerankSpelling, query: str, documents: Sequence[str]) -> Any:
        return self._endpoint.post(spelling.request(self._model, query, documents), spelling.path)

    def _found(self, query: str, documents: Sequence[str]) -> tuple[RerankSpelling, Any]:
        """The first spelling that is not refused for its own sake, and its answer."""
        left: tuple[RerankSpelling, ...] = SPELLINGS
        refused: EndpointError | None = None
        while left:
            try:
                return left[0], self._post(left[0], query, documents)
            except EndpointError as error:
                left = other_spellings(left[0], error.status, str(error))
                refused = error if refused is None or error.status not in NOT_THERE else refused
        raise refused or AssertionError("there are spellings")


class OpenAIReranker(BaseReranker):
    """A reranker behind a URL, in any of the spellings of :mod:`steelyard.wire.rerank`.

    Args:
        config: the model and its server; ``dimension`` is not used.
        environment: where a key is looked for.
    """

    def __init__(self, config: OpenAIConfig, environment: Mapping[str, str] = os.environ) -> None:
        self._config = config
        base = config.url.rstrip("/")
        for tail in TAILS:
            base = base.removesuffix(tail)
        self._endpoint = config.endpoint(base, environment)
        self._client = RerankClient(self._endpoint, config.model)
        limit = config.recipe.max_tokens or None if config.recipe else None
        fingerprint = config.fingerprint(self._endpoint.shown + SPELLINGS[0].path)
        self._info = EngineInfo(config.model, "openai", 0, limit, fingerprint)

    @property
    def info(self) -> EngineInfo:
        """Known without asking the server."""
        return self._info

    def close(self) -> None:
        """Closes the connections."""
        self._endpoint.close()

    def _score(self, query: str, documents: Sequence[str], instruction: str | None) -> Scores:
        config = self._config
        asked = config.render([query], Role.QUERY, instruction)[0]
        sent = config.render(documents, Role.DOCUMENT, None)
        scores: dict[str, float] = {}
        texts, ask = list(dict.fromkeys(sent)), self._client.ask
        ask_all(self._endpoint, lambda t: ask(asked, t).tolist(), texts, scores, config.batch, config.concurrency)
        return np.array([scores[t] for t in sent], dtype=np.float32)
