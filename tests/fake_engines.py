"""Deterministic engines for tests, and for tests only: their numbers mean nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np

from steelyard.engines.base import BaseEncoder, BaseReranker
from steelyard.engines.protocol import EngineInfo
from steelyard.types import Role, Scores, Vectors


class FakeEncoder(BaseEncoder):
    """Bag-of-characters vectors from a hash: equal texts agree, texts that share characters are near.

    Args:
        dimension: size of a vector.
        name: reported as the model.
        max_tokens: longest text, one token a character; None for no limit.
    """

    def __init__(self, dimension: int = 32, name: str = "fake", max_tokens: int | None = None) -> None:
        self._info = EngineInfo(name, "fake", dimension, max_tokens, f"fake/{name}/{dimension}/{max_tokens}")
        self.calls: list[tuple[tuple[str, ...], Role, str | None]] = []

    @property
    def info(self) -> EngineInfo:
        """Constant."""
        return self._info

    def count_tokens(self, texts: Sequence[str], role: Role, instruction: str | None = None) -> list[int]:
        """One token a character."""
        return [len(t) for t in texts]

    def _encode(self, texts: Sequence[str], role: Role, instruction: str | None) -> Vectors:
        self.calls.append((tuple(texts), role, instruction))
        return np.stack([self._vector(t[: self._info.max_tokens]) for t in texts])

    def _vector(self, text: str) -> Vectors:
        parts = [_noise(c, self._info.dimension) for c in text] or [_noise("", self._info.dimension)]
        total = np.sum(parts, axis=0)
        unit: Vectors = (total / np.linalg.norm(total)).astype(np.float32)
        return unit


class FakeReranker(BaseReranker):
    """Scores by characters in common, over the longer of the two."""

    def __init__(self, name: str = "fake-reranker") -> None:
        self._info = EngineInfo(name, "fake", 0, None, f"fake/{name}")

    @property
    def info(self) -> EngineInfo:
        """Constant."""
        return self._info

    def _score(self, query: str, documents: Sequence[str], instruction: str | None) -> Scores:
        shared = [len(set(query) & set(d)) / max(len(query), len(d), 1) for d in documents]
        return np.asarray(shared, dtype=np.float32)


def _noise(text: str, dimension: int) -> Vectors:
    seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little")
    return np.random.default_rng(seed).standard_normal(dimension).astype(np.float32)
