"""``/v1/models``: OpenAI's list with what a caller should know of each model."""

from __future__ import annotations

from typing import Literal

from steelyard.serving.wire.base import WireAnswer


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


class ModelList(WireAnswer):
    """Every model served."""

    object: Literal["list"] = "list"
    data: list[ModelCard]
