"""Engines by recipe and backend, each opened once however many parts of a system ask for it.

A checkpoint with several heads is one engine: its dense vectors, token weights and token vectors come from weights that
are in memory once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import cast

from steelyard.engines.backend_choice import BackendChoice, chosen
from steelyard.engines.load import (
    Gives,
    open_encoder,
    open_reranker,
    open_sparse_encoder,
    open_token_encoder,
)
from steelyard.engines.protocol import Encoder, Engine, Reranker, SparseEncoder, TokenEncoder
from steelyard.models.recipe import Recipe

_Key = tuple[str, str | None, str]


@dataclass
class EnginePool:
    """Opens engines and keeps them until it is closed; weights are loaded by an engine's first call.

    Its methods take the recipe, the backend that computes, and the one that was asked for (None where that was left to
    us), which tells why it computes.
    """

    _opened: dict[_Key, Engine] = field(default_factory=dict)

    def encoder(self, recipe: Recipe, backend: str, asked: str | None = None) -> tuple[Encoder, BackendChoice]:
        """One vector a text."""
        engine, said = self._open(recipe, backend, asked, "vectors")
        return cast(Encoder, engine), said

    def tokens(self, recipe: Recipe, backend: str, asked: str | None = None) -> tuple[TokenEncoder, BackendChoice]:
        """One vector a token."""
        engine, said = self._open(recipe, backend, asked, "token vectors")
        return cast(TokenEncoder, engine), said

    def sparse(self, recipe: Recipe, backend: str, asked: str | None = None) -> tuple[SparseEncoder, BackendChoice]:
        """Weights of token ids."""
        engine, said = self._open(recipe, backend, asked, "token weights")
        return cast(SparseEncoder, engine), said

    def reranker(self, recipe: Recipe, backend: str, asked: str | None = None) -> tuple[Reranker, BackendChoice]:
        """Scores of documents."""
        engine, said = self._open(recipe, backend, asked, "reranking scores")
        return cast(Reranker, engine), said

    def close(self) -> None:
        """Frees every engine."""
        for engine in self._opened.values():
            engine.close()
        self._opened.clear()

    def _open(self, recipe: Recipe, backend: str, asked: str | None, gives: Gives) -> tuple[Engine, BackendChoice]:
        key = (recipe.name, recipe.sources.folder, backend)
        if key not in self._opened:
            self._opened[key] = _OPEN[gives](recipe, backend)
        engine = self._opened[key]
        return engine, chosen(engine, recipe, asked)


_OPEN: Mapping[Gives, Callable[[Recipe, str | None], Engine]] = {
    "vectors": open_encoder,
    "token vectors": open_token_encoder,
    "token weights": open_sparse_encoder,
    "reranking scores": open_reranker,
}
