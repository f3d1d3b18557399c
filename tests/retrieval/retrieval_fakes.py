"""Small stand-ins that obey the protocols: vectors, scores and rankings that a test can foresee."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from steelyard.engines.base import BaseEncoder, BaseReranker
from steelyard.engines.protocol import EngineInfo
from steelyard.retrieval.protocol import silent
from steelyard.types import Document, Query, Ranking, Role, ranked


def info(model: str, dimension: int) -> EngineInfo:
    return EngineInfo(model, "fake", dimension, None, f"{model}/fake/0")


class TableEncoder(BaseEncoder):
    """A vector for every text, from a table; records what it was asked."""

    def __init__(self, table: Mapping[str, Sequence[float]]) -> None:
        self.table = table
        self.calls: list[tuple[int, str, str | None]] = []

    @property
    def info(self) -> EngineInfo:
        return info("table", len(next(iter(self.table.values()))))

    def _encode(self, texts: Sequence[str], role: Role, instruction: str | None) -> Any:
        self.calls.append((len(texts), role.value, instruction))
        return np.array([self.table[t] for t in texts], dtype=np.float32)


class LengthReranker(BaseReranker):
    """Likes short documents."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, tuple[str, ...], str | None]] = []

    @property
    def info(self) -> EngineInfo:
        return info("length", 0)

    def _score(self, query: Any, documents: Any, instruction: str | None) -> Any:
        self.calls.append((query, tuple(documents), instruction))
        return np.array([-len(d) for d in documents], dtype=np.float32)


class FixedRetriever:
    """The same scores for every query."""

    def __init__(self, scores: dict[str, float]) -> None:
        self.scores = scores
        self.asked: list[int] = []
        self.documents: list[Document] = []

    def index(self, documents: Any, progress: Any = silent) -> None:
        self.documents = list(documents)
        progress("index", len(self.documents), len(self.documents))

    def search(self, queries: Sequence[Query], k: Any, progress: Any = silent) -> list[Ranking]:
        self.asked.append(k)
        progress("search", len(queries), len(queries))
        return [ranked(q.id, self.scores, k) for q in queries]
