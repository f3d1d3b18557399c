"""Vectors in 8 bits or 1 bit, given back as the float32 rows that they stand for, block by block.

Shapes: n documents, d dimensions.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from steelyard.index.segment import Segment
from steelyard.index.snapshot import Mask
from steelyard.types import Vectors

_BLOCK = 65_536


class Int8Rows:
    """int8[n, d] in memory with one scale a dimension; see :mod:`steelyard.retrieval.quantised`.

    Args:
        vectors: float32[n, d], read block by block.
        scales: float32[d].
    """

    ndim = 2

    def __init__(self, vectors: Vectors, scales: Vectors) -> None:
        self.shape = vectors.shape
        self._scales = scales
        self._codes = np.empty(vectors.shape, dtype=np.int8)
        for start in range(0, len(vectors), _BLOCK):
            block = slice(start, start + _BLOCK)
            # Rows that were deleted may lie beyond the scales; they are never searched.
            self._codes[block] = np.clip(np.rint(vectors[block] / scales), -127, 127)

    def __len__(self) -> int:
        return int(self.shape[0])

    def __getitem__(self, rows: slice) -> Vectors:
        out: Vectors = self._codes[rows] * self._scales
        return out


class SignRows:
    """Signs packed into bits; see :mod:`steelyard.retrieval.quantised`.

    Args:
        vectors: float32[n, d], read block by block.
    """

    ndim = 2

    def __init__(self, vectors: Vectors) -> None:
        self.shape = vectors.shape
        self._bits = np.empty((len(vectors), -(-vectors.shape[1] // 8)), dtype=np.uint8)
        for start in range(0, len(vectors), _BLOCK):
            self._bits[start : start + _BLOCK] = np.packbits(vectors[start : start + _BLOCK] > 0, axis=1)

    def __len__(self) -> int:
        return int(self.shape[0])

    def __getitem__(self, rows: slice) -> Vectors:
        bits = np.unpackbits(self._bits[rows], axis=1, count=self.shape[1])
        out: Vectors = bits.astype(np.float32) * np.float32(2) - np.float32(1)
        return out


def largest(segment: Segment, key: str, vectors: Vectors, alive: Mask | None) -> Vectors:
    """float32[d]: the greatest absolute value of each dimension among the documents that live.

    That of all documents is found once a segment, with a row for each dimension that has it; while those rows live it
    is that of the living too.
    """
    if key not in segment.views:
        segment.views[key] = _largest_and_rows(vectors)
    values, rows = segment.views[key]
    if alive is None or alive[rows].all():
        found: Vectors = values
        return found
    out = np.zeros(vectors.shape[1], dtype=np.float32)
    for start in range(0, len(vectors), _BLOCK):
        block = vectors[start : start + _BLOCK][alive[start : start + _BLOCK]]
        np.maximum(out, np.abs(block).max(axis=0, initial=0.0), out=out)
    return out


def _largest_and_rows(vectors: Vectors) -> tuple[Vectors, NDArray[np.int64]]:
    values = np.full(vectors.shape[1], -1.0, dtype=np.float32)
    rows = np.zeros(vectors.shape[1], dtype=np.int64)
    for start in range(0, len(vectors), _BLOCK):
        block = np.abs(vectors[start : start + _BLOCK])
        at = block.argmax(axis=0)
        own = block[at, np.arange(block.shape[1])]
        rows = np.where(own > values, at + start, rows)
        values = np.maximum(own, values)
    return np.maximum(values, 0), rows
