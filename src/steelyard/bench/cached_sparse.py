"""Weights of token ids asked from the cache first, as :mod:`steelyard.bench.cached` does with vectors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from steelyard.bench.cache import VectorCache, key_of
from steelyard.bench.cached import CacheUse, KeptRows
from steelyard.engines.base import distinct, report_overlong
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
        self._kept = KeptRows(cache, use, on_batch or (lambda done, total: None))

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
        rows = self._kept.rows(print_of, keys, partial(self._rows, texts, role))
        return [unpacked(row) for row in rows]

    def _rows(self, texts: list[str], role: Role, wanted: Sequence[int]) -> list[Vectors]:
        return [packed(row) for row in self._inner.encode_sparse([texts[i] for i in wanted], role)]


def packed(weights: Weights) -> Vectors:
    """float32[2k]: the k token ids, the bits of int32 in place of a float32, then their weights."""
    ids = np.fromiter(weights, dtype=np.int32, count=len(weights))
    values = np.fromiter(weights.values(), dtype=np.float32, count=len(weights))
    return np.concatenate([ids.view(np.float32), values])


def unpacked(row: Vectors) -> Weights:
    """The weights that :func:`packed` made a row of."""
    ids, values = np.split(np.ascontiguousarray(row, dtype=np.float32), 2)
    return dict(zip(ids.view(np.int32).tolist(), values.tolist(), strict=True))
