"""An index over engines whose vectors are made of characters: every expression works, nothing is loaded."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from fake_engines import FakeEncoder, FakeReranker
from steelyard.engines.backend_choice import BackendChoice
from steelyard.engines.protocol import EngineInfo
from steelyard.models.recipe import Recipe
from steelyard.retrieval.builder import SystemBuilder
from steelyard.retrieval.engine_pool import EnginePool
from steelyard.retrieval.protocol import Retriever
from steelyard.retrieval.resolve import read_system
from steelyard.types import Role, Vectors

SYSTEMS = (
    "bm25",
    "bm25[b=0.4,k1=0.9]",
    "e5-small",
    "qwen3-0.6b[dim=16]",
    "e5-small[precision=int8]",
    "e5-small[precision=int8,rescore=4]",
    "e5-small[precision=binary]",
    "e5-small[precision=binary,rescore=4]",
    "bge-m3[head=sparse]",
    "bge-m3[head=colbert]",
    "bm25 + e5-small",
    "bm25[weight=1] + e5-small[weight=2]",
    "bge-m3 + bge-m3[head=sparse] + bge-m3[head=colbert]",
    "bm25 + e5-small >> bge-reranker-v2-m3[top=5]",
)


class FakeHeads:
    """Token weights and token vectors, a token a character."""

    info = EngineInfo("fake", "fake", 16, None, "fake/heads")

    def encode_sparse(self, texts: Sequence[str], role: Role) -> list[dict[int, float]]:
        return [{zlib.crc32(c.encode()) % 97: 0.5 + ord(c) % 7 / 8 for c in text} for text in texts]

    def encode_tokens(self, texts: Sequence[str], role: Role) -> list[Vectors]:
        encoder = FakeEncoder(16)
        empty = np.zeros((0, 16), dtype=np.float32)
        return [encoder.encode(list(text), role) if text else empty for text in texts]

    def close(self) -> None:
        pass


class FakePool(EnginePool):
    """Gives fake engines for every recipe; ``revision`` goes into what they say of themselves."""

    def __init__(self, revision: str = "") -> None:
        super().__init__()
        self._revision = revision

    def encoder(self, recipe: Recipe, backend: str, asked: str | None = None) -> tuple[FakeEncoder, BackendChoice]:
        return FakeEncoder(32, recipe.name + self._revision), BackendChoice(recipe.name, "fake", "a test")

    def tokens(self, recipe: Any, backend: Any, asked: Any = None) -> tuple[Any, ...]:
        return FakeHeads(), BackendChoice(recipe.name, "fake", "a test")

    sparse = tokens

    def reranker(self, recipe: Any, backend: Any, asked: Any = None) -> tuple[Any, ...]:
        return FakeReranker(), BackendChoice(recipe.name, "fake", "a test")


def fake_builder(revision: str = "") -> SystemBuilder:
    return SystemBuilder(_engines=FakePool(revision))


def weighed(system: str) -> Retriever:
    """The system as ``weigh`` runs it."""
    return fake_builder().build(read_system(system))
