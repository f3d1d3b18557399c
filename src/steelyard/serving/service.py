"""What an endpoint sees: models that embed and models that rerank, wherever they run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from steelyard.models.recipe import Recipe
from steelyard.serving.failures import HttpFailure
from steelyard.serving.fair_queue import Lane
from steelyard.serving.keys import Keys
from steelyard.serving.metrics import Metrics
from steelyard.serving.settings import Behaviour, Limits
from steelyard.serving.wire.embeddings import Heads
from steelyard.serving.wire.models import ModelCard
from steelyard.types import Role, Scores, Vectors


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, and how long the answer may take, in seconds."""

    client: str
    seconds: float


@dataclass(frozen=True, slots=True)
class EmbedTask:
    """Texts of one side of retrieval.

    Attributes:
        texts: at least one.
        role: which template is put on.
        instruction: None for the recipe's default, "" for none.
        truncate: cut what is too long instead of refusing it.
        dimensions: what the caller asked for; a model with a recipe leaves the cutting to the endpoint.
        heads: what is computed beside the dense vector: ``sparse``, ``colbert``, both or nothing.
    """

    texts: Sequence[str]
    role: Role
    instruction: str | None = None
    truncate: bool = False
    dimensions: int | None = None
    heads: frozenset[str] = frozenset()

    @property
    def lane(self) -> Lane:
        """A query, or a single short text, which may well be one, goes before bulk work."""
        alone = len(self.texts) == 1 and len(self.texts[0]) <= 512
        return Lane.QUERY if self.role is Role.QUERY or alone else Lane.BULK


@dataclass(frozen=True, slots=True)
class Embedded:
    """What a model gave.

    Attributes:
        vectors: float32[n, d] in the order of the texts.
        tokens: how many were read.
        cut: which texts were cut.
        heads: the other heads.
        cuts_elsewhere: whether somebody else cuts, or refuses, what is too long, so that ``cut`` says nothing.
    """

    vectors: Vectors
    tokens: int
    cut: tuple[int, ...] = ()
    heads: Heads = Heads()  # noqa: RUF009 - frozen
    cuts_elsewhere: bool = False


@dataclass(frozen=True, slots=True)
class Scored:
    """float32[n] in the order of the documents, and the tokens read."""

    scores: Scores
    tokens: int


class EmbeddingModel(Protocol):
    """Embeds texts."""

    @property
    def recipe(self) -> Recipe | None:
        """None for a model behind a gateway that nobody described."""

    @property
    def card(self) -> ModelCard:
        """What ``/v1/models`` says."""

    async def embed(self, task: EmbedTask, caller: Caller) -> Embedded:
        """Vectors of native size; of ``task.dimensions`` where there is no recipe.

        Raises:
            HttpFailure: an answer for the whole request.
            ItemFailure: a text failed; the endpoint knows its place in the request.
        """

    def decode(self, tokens: Sequence[int]) -> str:
        """The text of a token array.

        Raises:
            HttpFailure: this model cannot tell.
        """


class RerankingModel(Protocol):
    """Scores documents against a query."""

    @property
    def recipe(self) -> Recipe | None:
        """None for a model behind a gateway that nobody described."""

    @property
    def card(self) -> ModelCard:
        """What ``/v1/models`` says."""

    async def score(self, query: str, documents: Sequence[str], instruction: str | None, caller: Caller) -> Scored:
        """Higher is better; raises as :meth:`EmbeddingModel.embed` does."""


class Host(Protocol):
    """Runs the models, whatever runs them."""

    def start(self) -> None:
        """Loads what must be loaded; called in a thread before the first request.

        Raises:
            SteelyardError: something that was promised cannot be served.
        """

    async def stop(self) -> None:
        """Finishes what was accepted and frees everything; called after the last request."""

    async def ready(self) -> str | None:
        """None, or in a few words why requests would fail."""

    @property
    def waiting(self) -> tuple[int, int]:
        """(requests, estimated tokens) in the queue."""


@dataclass(frozen=True)
class Service:
    """Everything an endpoint may use."""

    host: Host
    embedders: Mapping[str, EmbeddingModel]
    rerankers: Mapping[str, RerankingModel]
    limits: Limits = field(default_factory=Limits)
    behaviour: Behaviour = field(default_factory=Behaviour)
    keys: Keys | None = None
    metrics: Metrics = field(default_factory=Metrics)

    @property
    def cards(self) -> dict[str, ModelCard]:
        """What ``/v1/models`` says of every model, by its name."""
        side = self.behaviour.default_role
        sided = {name: m.card.with_sides(side) for name, m in self.embedders.items()}
        return sided | {name: m.card for name, m in self.rerankers.items()}

    def embedder(self, name: str) -> tuple[EmbeddingModel, Role | None]:
        """The model, and the role that its name says: ``NAME``, ``NAME:query`` or ``NAME:document``.

        Raises:
            HttpFailure: 404, naming what there is.
        """
        if name in self.embedders:
            return self.embedders[name], None
        base, _, role = name.rpartition(":")
        if base in self.embedders and role in tuple(Role):
            return self.embedders[base], Role(role)
        raise missing(name, "embedding", self.embedders)

    def reranker(self, name: str | None) -> RerankingModel:
        """The model; the only one where the request names none.

        Raises:
            HttpFailure: 404, naming what there is.
        """
        if name is None and len(self.rerankers) == 1:
            return next(iter(self.rerankers.values()))
        if name is not None and name in self.rerankers:
            return self.rerankers[name]
        raise missing(name, "reranking", self.rerankers)


def missing(name: str | None, kind: str, there: Mapping[str, object]) -> HttpFailure:
    """The answer to a model that is not served."""
    known = f"this server has {', '.join(there)}" if there else "this server has none"
    asked = f"no {kind} model is called {name[:100]!r}" if name is not None else f"say which {kind} model to use"
    return HttpFailure(400 if name is None and there else 404, f"{asked}; {known}", "model", "model_not_found")
