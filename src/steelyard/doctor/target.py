"""What is examined: something that turns texts into vectors or scores, as it was deployed.

Unlike an engine, a target is shown as it is: nothing is sorted, normalised or put right on the way.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np

from steelyard.engines.remote.endpoint import Endpoint
from steelyard.engines.remote.retry import RetryPolicy
from steelyard.errors import EndpointError
from steelyard.types import Role, Scores, Vectors

Templates = Literal["client", "server"]
"""Who puts the templates on."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer.

    Attributes:
        vectors: float32[n, d], in the order that the answer's own numbering says.
        listed: the numbering in the order of the list; 0 to n - 1 where it is in order.
        tokens: tokens that the target says it read, all texts together; None where it does not say.
    """

    vectors: Vectors
    listed: tuple[int, ...]
    tokens: int | None = None


class RefusedError(EndpointError):
    """The target refused the request (a status of 400 to 499 other than 401, 403, 404, 429)."""


class Target(Protocol):
    """Something that embeds."""

    @property
    def name(self) -> str:
        """As it was given."""

    @property
    def templates(self) -> Templates:
        """Whether it wants texts with their templates on, or puts them on itself."""

    def embed(self, texts: Sequence[str], role: Role | None, dimensions: int | None = None) -> Answer:
        """The vectors of ``texts`` in one request; with no role the request says nothing of the side.

        Raises:
            RefusedError: it says no.
            EndpointError: it cannot be asked.
        """


class RerankTarget(Protocol):
    """Something that scores documents against a query."""

    @property
    def name(self) -> str:
        """As it was given."""

    @property
    def templates(self) -> Templates:
        """Whether it wants texts with their templates on, or puts them on itself."""

    def rerank(self, query: str, documents: Sequence[str]) -> Scores:
        """float32[n], in the order that the answer's own numbering says.

        Raises:
            RefusedError: it says no.
            EndpointError: it cannot be asked.
        """


@dataclass(frozen=True, slots=True)
class ServerConfig:
    """Where a server is and how it is asked.

    Attributes:
        url: where the API begins, e.g. ``http://localhost:30000/v1``.
        model: its name there; empty for the first that the server lists.
        key: bearer token; None sends none.
        templates: ``server`` sends bare texts with an ``input_type``.
        timeout: seconds for one answer.
    """

    url: str
    model: str = ""
    key: str | None = None
    templates: Templates = "client"
    timeout: float = 120.0


class ServerTarget:
    """An OpenAI-compatible server: ``POST /embeddings`` and ``POST /rerank``."""

    def __init__(self, config: ServerConfig) -> None:
        self._config = config
        self.name = config.url
        self.templates: Templates = config.templates

    def embed(self, texts: Sequence[str], role: Role | None, dimensions: int | None = None) -> Answer:
        """See :class:`Target`."""
        body: dict[str, Any] = {"model": self._config.model, "input": list(texts), "encoding_format": "float"}
        if dimensions is not None:
            body["dimensions"] = dimensions
        if self.templates == "server" and role is not None:
            body["input_type"] = role.value
        answer = self._post("/embeddings", body)
        data: Any = answer.get("data") if isinstance(answer, dict) else None
        listed = _numbering(data, len(texts), self.name)
        rows: list[Any] = [None] * len(texts)
        for place, item in zip(listed, data, strict=True):
            rows[place] = item.get("embedding")
        usage: Any = answer.get("usage") or {}
        tokens = usage.get("prompt_tokens") or usage.get("total_tokens")
        return Answer(_stacked(rows, self.name), listed, int(tokens) if tokens else None)

    def rerank(self, query: str, documents: Sequence[str]) -> Scores:
        """See :class:`RerankTarget`."""
        body = {"model": self._config.model, "query": query, "documents": list(documents)}
        answer = self._post("/rerank", body)
        items: Any = answer.get("results") if isinstance(answer, dict) else answer
        listed = _numbering(items, len(documents), self.name)
        scores = np.zeros(len(documents), dtype=np.float32)
        for place, item in zip(listed, items, strict=True):
            scores[place] = item.get("relevance_score", item.get("score", np.nan))
        if not np.isfinite(scores).all():
            raise EndpointError(f"{self.name}/rerank: gave a score that is not a finite number")
        return scores

    def _post(self, path: str, body: dict[str, Any]) -> Any:
        c = self._config
        endpoint = Endpoint(c.url.rstrip("/") + path, c.key, c.timeout, 4, RetryPolicy(attempts=3, patience=30))
        try:
            return endpoint.post(body)
        except EndpointError as wrong:
            if wrong.status is not None and 400 <= wrong.status < 500 and wrong.status not in (401, 403, 404, 429):
                raise RefusedError(str(wrong), wrong.status) from None
            raise
        finally:
            endpoint.close()


class OneByOne:
    """A target asked one text at a time, for what does not hold its batches apart."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self.name = target.name
        self.templates: Templates = target.templates

    def embed(self, texts: Sequence[str], role: Role | None, dimensions: int | None = None) -> Answer:
        """See :class:`Target`."""
        answers = [self._target.embed([t], role, dimensions) for t in texts]
        counts = [a.tokens for a in answers]
        tokens = None if None in counts else sum(c or 0 for c in counts)
        return Answer(np.concatenate([a.vectors for a in answers]), tuple(range(len(texts))), tokens)


def served_models(url: str, key: str | None = None) -> tuple[str, ...]:
    """Names of the models that a server lists; empty where it lists none.

    Raises:
        EndpointError: nothing answers there.
    """
    import httpx

    headers = {"authorization": f"Bearer {key}"} if key else {}
    try:
        answer = httpx.get(url.rstrip("/") + "/models", headers=headers, timeout=30)
        listed: Any = answer.json()
        return tuple(str(m["id"]) for m in listed["data"])
    except httpx.HTTPError as wrong:
        raise EndpointError(f"{url}: no answer ({wrong!r}). Is the server up and the URL right?") from None
    except (ValueError, KeyError, TypeError):
        return ()


def _numbering(items: Any, count: int, name: str) -> tuple[int, ...]:
    if not isinstance(items, list) or not all(isinstance(i, dict) for i in items):
        raise EndpointError(f"{name}: answered in a shape that is not known: {str(items)[:120]}")
    listed = tuple(i.get("index") for i in items)
    if sorted(i for i in listed if isinstance(i, int)) != list(range(count)):
        raise EndpointError(f"{name}: numbered its answers {str(listed)[:80]} where 0 to {count - 1} were expected")
    return tuple(int(i) for i in listed if i is not None)


def _stacked(rows: Sequence[Any], name: str) -> Vectors:
    try:
        vectors = np.asarray(rows, dtype=np.float32)
    except (TypeError, ValueError):
        vectors = np.zeros(0, dtype=np.float32)
    if vectors.ndim != 2 or not np.isfinite(vectors).all():
        raise EndpointError(f"{name}: gave vectors of different sizes, or ones that are not finite numbers")
    return vectors
