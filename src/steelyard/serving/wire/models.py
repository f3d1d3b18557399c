"""``/v1/models``: OpenAI's list with what a caller should know of each model."""

from __future__ import annotations

from typing import Literal

from steelyard.serving.wire.base import WireAnswer
from steelyard.types import Role


class SideNames(WireAnswer):
    """What to write for ``model`` where a client can say the side of a text by a name alone."""

    query: str
    document: str


class ModelCard(WireAnswer):
    """One model; the fields after ``owned_by`` are this server's own."""

    id: str
    object: Literal["model"] = "model"
    created: int
    owned_by: str = "steelyard"
    kind: Literal["embedding", "reranker"]
    backend: str
    dimension: int | None = None
    smallest_dimension: int | None = None
    max_tokens: int | None = None
    takes_instruction: bool = False
    heads: tuple[str, ...] = ("dense",)
    fingerprint: str | None = None
    names: SideNames | None = None
    default_input_type: Literal["query", "document"] | None = None

    def with_sides(self, default: Role) -> ModelCard:
        """The card of an embedding model with its two names, and the side that is assumed where none is said."""
        names = SideNames(query=f"{self.id}:query", document=f"{self.id}:document")
        return self.model_copy(update={"names": names, "default_input_type": default.value})


class ModelList(WireAnswer):
    """Every model served."""

    object: Literal["list"] = "list"
    data: list[ModelCard]
