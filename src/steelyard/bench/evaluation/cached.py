"""Encoders and rerankers that ask the cache first and open the real engine only for what is missing."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Generic, TypeVar

import numpy as np

from steelyard.bench.evaluation.cache import VectorCache
from steelyard.engines.base import BaseEncoder, BaseReranker, TruncationWarning
from steelyard.engines.protocol import Encoder, Engine, EngineInfo, Reranker
from steelyard.errors import StoreError
from steelyard.text.key import key_of
from steelyard.types import Role, Scores, Vectors

CHUNK = 256  # texts computed between two writes: what an interruption can cost


E = TypeVar("E", bound=Engine)


@dataclass(slots=True)
class CacheUse:
    """Counts of one run.

    Attributes:
        found: texts or pairs that the cache knew.
        computed: texts or pairs that an engine computed.
        trouble: why the cache was not written, empty where all was well.
    """

    found: int = 0
    computed: int = 0
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class KeptRows:
    """Rows asked from the cache first, and computed and kept a chunk at a time where it does not know them.

    Attributes:
        cache: where rows are kept; None computes all.
        use: counts that this adds to.
        on_batch: called with (texts done, texts in this call) after every chunk.
    """

    cache: VectorCache | None
    use: CacheUse
    on_batch: Callable[[int, int], None] | None = None

    def rows(
        self, model: str, keys: Sequence[bytes], compute: Callable[[Sequence[int]], Iterable[Vectors]]
    ) -> list[Vectors]:
        """One row a key, in order; ``compute`` gives those at the places it is called with."""
        known = look_up(self.cache, keys, self.use)
        self.use.found += len(known)
        missing = [i for i, k in enumerate(keys) if k not in known]
        done = len(known)
        for start in range(0, len(missing), CHUNK):
            some = missing[start : start + CHUNK]
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", TruncationWarning)  # reported by the caller, for known texts as well
                fresh = [(keys[i], row) for i, row in zip(some, compute(some), strict=True)]
            known.update(fresh)
            store(self.cache, model, fresh, self.use)
            self.use.computed += len(some)
            done += len(some)
            if self.on_batch is not None:
                self.on_batch(done, len(keys))
        return [known[k] for k in keys]


class Cached(Generic[E]):
    """Same numbers as ``inner``, computed once.

    Args:
        inner: the engine; it loads its weights at its first call, which may never come.
        cache: where numbers are kept; None computes all.
        use: counts that this adds to.
        on_batch: called with (done, of how many in this call) after every chunk.
    """

    def __init__(
        self,
        inner: E,
        cache: VectorCache | None,
        use: CacheUse,
        on_batch: Callable[[int, int], None] | None = None,
    ) -> None:
        self._inner = inner
        self._kept = KeptRows(cache, use, on_batch)

    @property
    def info(self) -> EngineInfo:
        """The inner engine's."""
        return self._inner.info

    def close(self) -> None:
        """Closes the inner engine."""
        self._inner.close()


class CachedEncoder(Cached[Encoder], BaseEncoder):
    """Vectors of texts; see :class:`Cached`."""

    def count_tokens(self, texts: Sequence[str], role: Role, instruction: str | None = None) -> list[int] | None:
        """The inner engine's."""
        return self._inner.count_tokens(texts, role, instruction)

    def _encode(self, texts: Sequence[str], role: Role, instruction: str | None) -> Vectors:
        print_of = self.info.fingerprint
        asked = "default" if instruction is None else f"given:{instruction}"
        keys = [key_of(print_of, role.value, asked, t) for t in texts]
        return np.stack(self._kept.rows(print_of, keys, partial(self._rows, texts, role, instruction)))

    def _rows(self, texts: Sequence[str], role: Role, instruction: str | None, wanted: Sequence[int]) -> Vectors:
        return self._inner.encode([texts[i] for i in wanted], role, instruction)


class CachedReranker(Cached[Reranker], BaseReranker):
    """Scores of a query and its documents, kept pair by pair; see :class:`Cached`."""

    def _score(self, query: str, documents: Sequence[str], instruction: str | None) -> Scores:
        print_of = self.info.fingerprint
        asked = "default" if instruction is None else f"given:{instruction}"
        keys = [key_of(print_of, "pair", asked, query, d) for d in documents]

        def compute(wanted: Sequence[int]) -> Scores:
            return self._inner.score(query, [documents[i] for i in wanted], instruction)[:, None]

        return np.concatenate(self._kept.rows(print_of, keys, compute))


def look_up(cache: VectorCache | None, keys: Sequence[bytes], use: CacheUse) -> dict[bytes, Vectors]:
    """What the cache knows of the keys; a cache that cannot be read is noted in ``use`` and knows nothing."""
    if cache is None:
        return {}
    try:
        return cache.get_many(keys)
    except StoreError as wrong:
        use.trouble = str(wrong)
        return {}


def store(cache: VectorCache | None, model: str, items: list[tuple[bytes, Vectors]], use: CacheUse) -> None:
    """Keeps what was computed; a cache that cannot be written is noted in ``use``, once."""
    if cache is None or use.trouble:
        return
    try:
        cache.put_many(model, items)
    except StoreError as wrong:  # a full disk must not cost the run
        use.trouble = str(wrong)
