"""Weights of token ids asked from the cache first, as :mod:`steelyard.bench.evaluation.cached` does with vectors."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np

from steelyard.bench.evaluation.cached import Cached
from steelyard.engines.base import distinct, report_overlong
from steelyard.engines.protocol import SparseEncoder
from steelyard.text.key import key_of
from steelyard.types import Role, Vectors

Weights = dict[int, float]


class CachedSparse(Cached[SparseEncoder]):
    """Weights of the token ids of texts, to float32; see :class:`Cached`."""

    def count_tokens(self, texts: Sequence[str], role: Role, instruction: str | None = None) -> list[int] | None:
        """The inner engine's."""
        return self._inner.count_tokens(texts, role, instruction)

    def encode_sparse(self, texts: Sequence[str], role: Role) -> list[Weights]:
        """For each text a weight above zero for each token id that matters; texts that were cut are reported."""
        unique, position = distinct(texts)
        if unique:
            report_overlong(self.info, lambda: self.count_tokens(unique, role), unique)
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
