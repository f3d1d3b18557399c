"""Encoders and rerankers behind any OpenAI-compatible server: SGLang, vLLM, TEI, Ollama, llama.cpp, hosted ones.

The API knows no roles, so the templates of queries and documents are put on here, before sending. The fingerprint is
made of what was asked for (URL, model, dimension, templates): that a server changes its weights under the same name
cannot be seen from here.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from steelyard.engines.base import BaseEncoder, BaseReranker
from steelyard.engines.protocol import EngineInfo
from steelyard.engines.remote.fanout import ask_all
from steelyard.engines.remote.retry import RetryPolicy
from steelyard.engines.render import render
from steelyard.engines.vectors import normalised
from steelyard.errors import EndpointError, UsageError
from steelyard.models.recipe import Recipe
from steelyard.types import Role, Scores, Vectors

if TYPE_CHECKING:
    from steelyard.engines.remote.endpoint import Endpoint

KEYS = ("STEELYARD_API_KEY", "OPENAI_API_KEY")
"""Environment variables that may hold the key; the first that is set counts."""


@dataclass(frozen=True)
class OpenAIConfig:
    """One model on one server.

    Attributes:
        model: its name there.
        url: where the API begins, e.g. ``http://localhost:30000/v1``.
        api_key: None looks into the environment (:data:`KEYS`); never shown.
        dimension: sent as ``dimensions``; None leaves it to the server.
        batch: texts a request at the most.
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
        if self.dimension is not None and self.recipe is not None:
            self.recipe.check_dimension(self.dimension)

    def endpoint(self, path: str, environment: Mapping[str, str]) -> Endpoint:
        """The endpoint at ``path`` under the URL."""
        from steelyard.engines.remote.endpoint import Endpoint

        key = self.api_key or next((environment[k] for k in KEYS if environment.get(k)), None)
        base = self.url.rstrip("/")
        url = base if base.endswith(path) else base + path
        return Endpoint(url, key, self.timeout, self.concurrency, self.retry)

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

    def fingerprint(self, endpoint: Endpoint) -> str:
        """Of what is asked for; without the key."""
        recipe = self.recipe
        what = [endpoint.shown, self.model, self.dimension, self.query_template, self.document_template]
        what += [recipe.model_dump_json(exclude={"title", "notes", "published", "examples"})] if recipe else []
        digest = hashlib.sha256(json.dumps(what, ensure_ascii=False).encode()).hexdigest()
        return f"{self.model}/openai/{digest[:16]}"


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
        self._endpoint = config.endpoint("/embeddings", environment)
        self._kept: dict[str, Vectors] = {}
        self._base64 = True
        self._info = EngineInfo(
            model=config.model,
            backend="openai",
            dimension=config.dimension or (config.recipe.dimension if config.recipe else 0),
            max_tokens=config.recipe.max_tokens or None if config.recipe else None,
            fingerprint=config.fingerprint(self._endpoint),
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
        body: dict[str, Any] = {"model": self._config.model, "input": list(texts)}
        if self._config.dimension is not None:
            body["dimensions"] = self._config.dimension
        if self._base64:
            body["encoding_format"] = "base64"
        try:
            answer = self._endpoint.post(body)
        except EndpointError as error:
            if "encoding_format" not in body or error.status not in (400, 422) or "encoding_format" not in str(error):
                raise
            self._base64 = False
            return self._ask(texts)
        items = answer.get("data") if isinstance(answer, dict) else None
        ordered = in_order(self._endpoint, items, len(texts), answer)
        return [self._vector(item.get("embedding"), text) for item, text in zip(ordered, texts, strict=True)]

    def _vector(self, value: Any, text: str) -> Vectors:
        """float32[d] of one text, whichever way it was written."""
        try:
            raw = base64.b64decode(value, validate=True) if isinstance(value, str) else None
            row = np.asarray(value, dtype=np.float32) if raw is None else np.frombuffer(raw, dtype="<f4")
        except (binascii.Error, ValueError, TypeError):
            row = np.zeros(0, dtype=np.float32)
        if row.ndim != 1 or not len(row):
            raise self._endpoint.fail(f"gave no vector for the text {text[:60]!r}: {str(value)[:80]}")
        if not np.isfinite(row).all():
            mend = "The model overflowed; serve it in bfloat16 or float32 instead of float16."
            raise self._endpoint.fail(f"gave a vector that is not finite for the text {text[:60]!r}", mend=mend)
        return row.astype(np.float32)

    def _stack(self, rows: Sequence[Vectors]) -> Vectors:
        sizes = {len(r) for r in rows}
        wanted = self._info.dimension or len(rows[0])
        if sizes != {wanted}:
            why = "asked for" if self._config.dimension else "expected"
            mend = "The server ignores `dimensions` or serves another model; see its launch line."
            got = ", ".join(map(str, sorted(sizes)))
            raise self._endpoint.fail(f"gave vectors of {got} dimensions where {wanted} were {why}", mend=mend)
        self._info = replace(self._info, dimension=wanted)
        return np.stack(rows)


class OpenAIReranker(BaseReranker):
    """``POST {url}/rerank``, in any of the shapes that servers answer.

    vLLM, Jina and Cohere answer ``{"results": [{"index", "relevance_score"}]}``; SGLang and TEI a bare list of
    ``{"index", "score"}``. TEI wants ``texts`` for ``documents`` and has no ``/v1`` before ``/rerank``.

    Args:
        config: the model and its server; ``dimension`` is not used.
        environment: where a key is looked for.
    """

    def __init__(self, config: OpenAIConfig, environment: Mapping[str, str] = os.environ) -> None:
        self._config = config
        self._endpoint = config.endpoint("/rerank", environment)
        self._field = "documents"
        limit = config.recipe.max_tokens or None if config.recipe else None
        fingerprint = config.fingerprint(self._endpoint)
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
        sent_query = config.render([query], Role.QUERY, instruction)[0]
        sent = config.render(documents, Role.DOCUMENT, None)
        scores: dict[str, float] = {}
        texts = list(dict.fromkeys(sent))
        ask_all(self._endpoint, lambda t: self._ask(sent_query, t), texts, scores, config.batch, config.concurrency)
        return np.array([scores[t] for t in sent], dtype=np.float32)

    def _ask(self, query: str, texts: Sequence[str]) -> list[float]:
        body = {"model": self._config.model, "query": query, self._field: list(texts)}
        try:
            answer = self._endpoint.post(body)
        except EndpointError as error:
            if "texts" in body or error.status not in (400, 422) or "texts" not in str(error):
                raise
            self._field = "texts"
            return self._ask(query, texts)
        items = answer.get("results") if isinstance(answer, dict) else answer
        ordered = in_order(self._endpoint, items, len(texts), answer)
        scores = [item.get("relevance_score", item.get("score")) for item in ordered]
        for score, text in zip(scores, texts, strict=True):
            if not isinstance(score, int | float) or not np.isfinite(score):
                raise self._endpoint.fail(f"gave {score!r} for a score of the text {text[:60]!r}")
        return [float(s) for s in scores]


def in_order(endpoint: Endpoint, items: Any, count: int, answer: Any) -> list[Mapping[str, Any]]:
    """The items of an answer in the order of what was asked, by their ``index``.

    Raises:
        EndpointError: not a list of objects, too few or too many, or indexes that are not 0 to count - 1.
    """
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise endpoint.fail(f"answered in a shape that is not known: {str(answer)[:200]}")
    if len(items) != count:
        raise endpoint.fail(f"gave {len(items)} answers to {count} texts")
    indexes = [item.get("index") for item in items]
    if not all(isinstance(i, int) for i in indexes) or sorted(indexes) != list(range(count)):
        raise endpoint.fail(f"numbered its answers {str(indexes)[:80]} where 0 to {count - 1} were expected")
    return sorted(items, key=lambda item: int(item["index"]))
