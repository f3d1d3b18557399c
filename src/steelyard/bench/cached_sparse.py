"""Weights of token ids asked from the cache first, as :mod:`steelyard.bench.cached` does with vectors."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence

import numpy as np

from steelyard.bench.cache import VectorCache, key_of
from steelyard.bench.cached import CHUNK, CacheUse, look_up, store
from steelyard.engines.base import TruncationWarning, distinct, report_overlong
from steelyard.engines.protocol import EngineInfo, SparseEncoder
from steelyard.types import Role, Vectors

Weights = dict[int, float]


class CachedSparse:
    """Same weights as ``inner``, to float32, computed once.

    Args:
        inner: the engine; it loads its weights at its first call, which may never come.
        cache: where weights are kept; None computes all.
        use: counts that this encoder adds to.
        on_batch: called with (texts done, texts in this call) after every chunk.
    """

    def __init__(
        self,
        inner: SparseEncoder,
        cache: VectorCache | None,
        use: CacheUse,
        on_batch: Callable[[int, int], None] | None = None,
    ) -> None:
        self._inner = inner
        self._cache = cache
        self._use = use
        self._on_batch = on_batch or (lambda done, total: None)

    @property
    def info(self) -> EngineInfo:
        """The inner engine's."""
        return self._inner.info

    def close(self) -> None:
        """Closes the inner engine, where it can be closed."""
        close = getattr(self._inner, "close", None)
        if close is not None:
            close()

    def encode_sparse(self, texts: Sequence[str], role: Role) -> list[Weights]:
        """For each text a weight above zero for each token id that matters; texts that were cut are reported."""
        unique, position = distinct(texts)
        count = getattr(self._inner, "count_tokens", None)
        if unique and count is not None:
            report_overlong(self.info, lambda: count(unique, role), unique)
        found = self._encode(unique, role)
        return [found[i] for i in position]

    def _encode(self, texts: list[str], role: Role) -> list[Weights]:
        print_of = self.info.fingerprint
        keys = [key_of(print_of, "sparse", role.value, t) for t in texts]
        known = look_up(self._cache, keys, self._use)
        self._use.found += len(known)
        missing = [i for i, k in enumerate(keys) if k not in known]
        done = len(known)
        for start in range(0, len(missing), CHUNK):
            some = missing[start : start + CHUNK]
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", TruncationWarning)  # reported here, for known texts as well
                rows = self._inner.encode_sparse([texts[i] for i in some], role)
            fresh = [(keys[i], packed(row)) for i, row in zip(some, rows, strict=True)]
            known.update(fresh)
            store(self._cache, print_of, fresh, self._use)
            self._use.computed += len(some)
            done += len(some)
            self._on_batch(done, len(texts))
        return [unpacked(known[k]) for k in keys]


def packed(weights: Weights) -> Vectors:
    """float32[2k]: the k token ids, the bits of int32 in place of a float32, then their weights."""
    ids = np.fromiter(weights, dtype=np.int32, count=len(weights))
    values = np.fromiter(weights.values(), dtype=np.float32, count=len(weights))
    return np.concatenate([ids.view(np.float32), values])


def unpacked(row: Vectors) -> Weights:
    """The weights that :func:`packed` made a row of."""
    ids, values = np.split(np.ascontiguousarray(row, dtype=np.float32), 2)
    return dict(zip(ids.view(np.int32).tolist(), values.tolist(), strict=True))
