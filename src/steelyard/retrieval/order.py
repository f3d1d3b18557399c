"""The one sort rule of :mod:`steelyard.types`, made fast for many queries over the same documents."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from steelyard.types import Ranking, Scores

T = TypeVar("T", bound=np.generic)

Positions = NDArray[np.int64]
"""int64[m], indices into the documents"""
Keys = NDArray[np.int64]
"""int64[q, m], score and tie rule in one number, the better document the greater"""

NO_KEY = np.iinfo(np.int64).min
"""Less than the key of any document."""
_MAGNITUDE = np.int32(0x7FFFFFFF)
_LOW = np.int64(0xFFFFFFFF)


class Room:
    """Arrays that are filled again and again: memory new to a process costs more than the sums made in it."""

    def __init__(self) -> None:
        self._held: dict[str, NDArray[np.uint8]] = {}

    def array(self, name: str, shape: tuple[int, ...], dtype: type[T]) -> NDArray[T]:
        """An array of any values; it takes the place of the one that had its name before."""
        size = math.prod(shape) * np.dtype(dtype).itemsize
        if name not in self._held or self._held[name].nbytes < size:
            self._held[name] = np.empty(size, dtype=np.uint8)
        return self._held[name][:size].view(dtype).reshape(shape)


class TieOrder:
    """Ranks documents as :func:`steelyard.types.ranked_arrays` does, sorting the ids once instead of every time.

    Args:
        ids: the ids of all documents.
    """

    def __init__(self, ids: Sequence[str]) -> None:
        self.ids = tuple(ids)
        descending = sorted(range(len(self.ids)), key=self.ids.__getitem__, reverse=True)
        self._place = np.empty(len(self.ids), dtype=np.int64)
        self._place[descending] = np.arange(len(self.ids))
        self._rising = np.array([self.ids[i] for i in reversed(descending)], dtype=object)

    def __len__(self) -> int:
        return len(self.ids)

    def best(self, positions: Positions, scores: Scores, k: int) -> tuple[Positions, Scores]:
        """The k best of some documents, best first.

        Args:
            positions: int64[m], which documents.
            scores: float32[m], theirs.
            k: how many at the most.

        Raises:
            ValueError: a score is NaN.
        """
        if np.isnan(scores).any():
            raise ValueError("a score is NaN")
        order = np.lexsort((self._place[positions], -scores))[:k]
        return positions[order], scores[order]

    def ranking(self, query_id: str, positions: Positions, scores: Scores, k: int) -> Ranking:
        """The k best as a :class:`Ranking`."""
        positions, scores = self.best(positions, np.asarray(scores, dtype=np.float32), k)
        return Ranking(query_id, tuple(self.ids[i] for i in positions.tolist()), scores)

    def keys(self, positions: Positions, scores: Scores, room: Room | None = None) -> Keys:
        """One whole number a scored document; by it the greatest are the best, ties included.

        Args:
            positions: int64[m], which documents.
            scores: float32[..., m], theirs.
            room: where the keys are made; they are overwritten by the next use of it.

        Raises:
            ValueError: a score is NaN.
        """
        if np.isnan(scores.min(initial=0)):
            raise ValueError("a score is NaN")
        room = room or Room()
        bits = room.array("bits", scores.shape, np.int32)
        np.add(scores, np.float32(0), out=bits.view(np.float32))  # -0.0 becomes 0.0
        below = np.right_shift(bits, np.int32(31), out=room.array("below", scores.shape, np.int32))
        below &= _MAGNITUDE
        bits ^= below
        keys = np.left_shift(bits, np.int64(32), out=room.array("keys", scores.shape, np.int64))
        keys |= len(self) - 1 - self._place[positions]
        return keys

    def rankings(self, query_ids: Sequence[str], keys: Keys) -> list[Ranking]:
        """One ranking a query from int64[q, k] of :meth:`keys`; :data:`NO_KEY` stands for no document."""
        keys = np.sort(keys, axis=1)[:, ::-1]
        lengths = np.count_nonzero(keys != NO_KEY, axis=1).tolist()
        rows = self._rising[np.where(keys == NO_KEY, 0, keys & _LOW)].tolist()
        scores = key_scores(keys)
        return [
            Ranking(q, tuple(row[:n]), own[:n]) for q, row, own, n in zip(query_ids, rows, scores, lengths, strict=True)
        ]


def key_scores(keys: Keys) -> Scores:
    """The float32 scores in :meth:`TieOrder.keys`; of :data:`NO_KEY` NaN."""
    rising = (keys >> np.int64(32)).astype(np.int32)
    return (rising ^ ((rising >> np.int32(31)) & _MAGNITUDE)).view(np.float32)
