"""Vectors and scores of a run kept in memory, so that systems that differ behind a model share one pass of it."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from steelyard.bench.evaluation.cached import CachedEncoder, CachedReranker, CacheUse
from steelyard.engines.protocol import EngineInfo
from steelyard.types import Role, Scores, Vectors

HELD_BYTES = 512 << 20
HELD_PAIRS = 1_000_000
Key = tuple[Role, str | None, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class _Held:
    rows: Vectors
    distinct: int
    warned: tuple[Warning, ...]


class HeldEncoder:
    """Same numbers as ``inner``; a call with the same texts is answered from memory, warnings included.

    Args:
        inner: what is asked otherwise.
        use: what is answered from memory counts as found.
        max_bytes: of vectors; when it is reached, further calls are passed on and not held.
    """

    def __init__(self, inner: CachedEncoder, use: CacheUse, max_bytes: int = HELD_BYTES) -> None:
        self._inner = inner
        self._use = use
        self._room = max_bytes
        self._held: dict[Key, _Held] = {}

    @property
    def info(self) -> EngineInfo:
        """The inner encoder's."""
        return self._inner.info

    def count_tokens(self, texts: Sequence[str], role: Role, instruction: str | None = None) -> list[int] | None:
        """The inner encoder's."""
        return self._inner.count_tokens(texts, role, instruction)

    def encode(self, texts: Sequence[str], role: Role, instruction: str | None = None) -> Vectors:
        """float32[n, d]; the array is shared between calls and must not be written to."""
        key = (role, instruction if role is Role.QUERY else None, tuple(texts))
        held = self._held.get(key)
        if held is None:
            return self._ask(key, texts, role, instruction)
        self._use.found += held.distinct
        _warn(held.warned)
        return held.rows

    def close(self) -> None:
        """Closes the inner encoder and forgets what was held."""
        self._held.clear()
        self._inner.close()

    def _ask(self, key: Key, texts: Sequence[str], role: Role, instruction: str | None) -> Vectors:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            rows = self._inner.encode(texts, role, instruction)
        warned = tuple(w.message for w in caught if isinstance(w.message, Warning))
        _warn(warned)
        if rows.nbytes <= self._room:
            self._room -= rows.nbytes
            rows.setflags(write=False)
            self._held[key] = _Held(rows, len(set(texts)), warned)
        return rows


class HeldReranker:
    """Same scores as ``inner``; a pair that was scored before is answered from memory, so that a shallower reranking
    after a deeper one costs nothing.

    Args:
        inner: what is asked otherwise.
        use: what is answered from memory counts as found.
        max_pairs: held at the most; further ones are passed on and not held.
    """

    def __init__(self, inner: CachedReranker, use: CacheUse, max_pairs: int = HELD_PAIRS) -> None:
        self._inner = inner
        self._use = use
        self._room = max_pairs
        self._held: dict[tuple[str | None, str, str], np.float32] = {}

    @property
    def info(self) -> EngineInfo:
        """The inner reranker's."""
        return self._inner.info

    def score(self, query: str, documents: Sequence[str], instruction: str | None = None) -> Scores:
        """float32[n], in the order of ``documents``."""
        new = [d for d in dict.fromkeys(documents) if (instruction, query, d) not in self._held]
        self._use.found += len(set(documents)) - len(new)
        fresh = dict(zip(new, self._inner.score(query, new, instruction), strict=True)) if new else {}
        known = [fresh[d] if d in fresh else self._held[instruction, query, d] for d in documents]
        if len(self._held) + len(fresh) <= self._room:
            self._held.update({(instruction, query, d): s for d, s in fresh.items()})
        return np.array(known, dtype=np.float32)

    def close(self) -> None:
        """Closes the inner reranker and forgets what was held."""
        self._held.clear()
        self._inner.close()


def _warn(warned: Sequence[Warning]) -> None:
    for warning in warned:
        warnings.warn(warning, stacklevel=3)
