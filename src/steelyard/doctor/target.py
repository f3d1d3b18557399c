"""What is examined: something that turns texts into vectors or scores, as it was deployed.

Unlike an engine, a target is shown as it is: nothing is sorted, normalised or put right on the way.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np

from steelyard.engines.remote.endpoint import Endpoint, EndpointLimits
from steelyard.engines.remote.openai import RerankClient
from steelyard.engines.remote.retry import RetryPolicy
from steelyard.errors import EndpointError
from steelyard.types import Role, Scores, Vectors
from steelyard.wire.answer import AnswerError
from steelyard.wire.embeddings import MODELS_PATH, PATH, embeddings_request, listed_models, read_embeddings

_RETRY = RetryPolicy(attempts=3, patience=30)
_CONNECTIONS = 16
"""As many as clients ask at the same time."""

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


class WrongAnswerError(EndpointError):
    """The target answered what cannot be right: another shape, too few vectors, numbers that are none.

    Attributes:
        is_finite: whether it is a matter of shape; False where numbers are NaN, infinite or null.
    """

    def __init__(self, message: str, *, is_finite: bool = True) -> None:
        super().__init__(message)
        self.is_finite = is_finite


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
            WrongAnswerError: it answers what cannot be right.
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
    """An OpenAI-compatible server, or a reranker in any spelling of :mod:`steelyard.wire.rerank`."""

    def __init__(self, config: ServerConfig) -> None:
        self._config = config
        self.name = config.url
        self.templates: Templates = config.templates
        self._endpoint = Endpoint(
            config.url.rstrip("/"), config.key, EndpointLimits(config.timeout, _CONNECTIONS, retry=_RETRY)
        )
        self._reranker = RerankClient(self._endpoint, config.model)

    def embed(self, texts: Sequence[str], role: Role | None, dimensions: int | None = None) -> Answer:
        """See :class:`Target`."""
        said = role if self.templates == "server" else None
        body = embeddings_request(self._config.model, texts, dimensions=dimensions, encoding="float", role=said)
        with _refusals():
            answer = self._endpoint.post(body, PATH)
        try:
            _expect_numbers(answer)
            read = read_embeddings(answer, len(texts))
        except AnswerError as wrong:
            is_finite = not any(w in wrong.what for w in ("finite", "None"))
            raise WrongAnswerError(str(self._endpoint.wrong(wrong, PATH)), is_finite=is_finite) from None
        return Answer(read.vectors, read.listed, read.tokens)

    def rerank(self, query: str, documents: Sequence[str]) -> Scores:
        """See :class:`RerankTarget`."""
        with _refusals():
            return self._reranker.ask(query, documents)

    def close(self) -> None:
        """Closes the connections."""
        self._endpoint.close()


def _expect_numbers(answer: Any) -> None:
    """Refuses texts in place of numbers, which some clients read and others do not."""
    data = answer.get("data") if isinstance(answer, dict) else None
    for place, item in enumerate(data if isinstance(data, list) else []):
        row = item.get("embedding") if isinstance(item, dict) else None
        if isinstance(row, list) and any(v is None for v in row):
            raise AnswerError("gave null in place of a number, which is not finite", index=place)
        if isinstance(row, list) and any(not isinstance(v, int | float) for v in row):
            raise AnswerError("gave texts in place of numbers", index=place)


@contextmanager
def _refusals() -> Iterator[None]:
    """Turns what says no to the request into a RefusedError."""
    try:
        yield
    except EndpointError as wrong:
        if wrong.status is not None and 400 <= wrong.status < 500 and wrong.status not in (401, 403, 404, 429):
            raise RefusedError(str(wrong), wrong.status) from None
        raise


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
    limits = EndpointLimits(30.0, 1, retry=_RETRY)
    with closing(Endpoint(url.rstrip("/"), key, limits)) as endpoint:
        try:
            return tuple(listed_models(endpoint.get(MODELS_PATH)))
        except EndpointError as wrong:
            if wrong.status is None:
                raise
            return ()
