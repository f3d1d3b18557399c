"""What a graph is fed for a batch of texts; numpy alone.

The letters of shapes are those of :mod:`steelyard.engines.openvino.graph`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from steelyard.engines.checkpoint.shape import Rope, Shape
from steelyard.engines.checkpoint.tokenizer import Ids
from steelyard.engines.openvino.mapped import Floats, Mapped

Wanted = Literal["first", "last", "all"]
_FAR_BELOW = np.float32(-1e30)


@dataclass(frozen=True, slots=True)
class Packed:
    """Where the tokens of a batch lie.

    Attributes:
        ids: int64[t], all texts end to end.
        starts: int64[n], the place of each text's first token.
        lengths: int64[n].
    """

    ids: NDArray[np.int64]
    starts: NDArray[np.int64]
    lengths: NDArray[np.int64]

    @classmethod
    def of(cls, rows: Sequence[Ids]) -> Packed:
        """Of texts that hold at least one token each."""
        lengths = np.array([len(row) for row in rows])
        return cls(np.concatenate(rows).astype(np.int64), np.cumsum(lengths) - lengths, lengths)

    @property
    def positions(self) -> NDArray[np.int64]:
        """int64[t], counted from each text's first token."""
        found: NDArray[np.int64] = np.arange(len(self.ids)) - np.repeat(self.starts, self.lengths)
        return found

    def rows(self, wanted: Wanted) -> NDArray[np.int64]:
        """int64[r], the tokens whose states are wanted."""
        if wanted == "all":
            return np.arange(len(self.ids))
        return self.starts if wanted == "first" else self.starts + self.lengths - 1

    def layout(self) -> dict[str, NDArray[Any]]:
        """``place`` and ``back``."""
        longest = int(self.lengths.max())
        column = np.arange(longest)
        place = self.starts[:, None] + np.minimum(column, self.lengths[:, None] - 1)
        back = np.repeat(np.arange(len(self.lengths)) * longest, self.lengths) + self.positions
        return {"place": place, "back": back}

    def mask(self) -> Floats:
        """float32[n, 1, 1, l], 0 where there is a token."""
        there = np.arange(int(self.lengths.max())) < self.lengths[:, None]
        return np.where(there, np.float32(0), _FAR_BELOW)[:, None, None, :]


class Embeddings:
    """The tables of a checkpoint, looked up outside the graph: exact, and only rows that occur are ever read.

    Args:
        checkpoint: the tensors.
        shape: their sizes.
        root: what stands before their names.
        words: the name of the word table behind ``root``.
    """

    def __init__(self, checkpoint: Mapped, shape: Shape, root: str, words: str) -> None:
        self._shape = shape
        self._words = checkpoint.rows(root + words)
        places, types = (f"{root}embeddings.{kind}_embeddings.weight" for kind in ("position", "token_type"))
        self._places = None if shape.rope else checkpoint.rows(places)
        self._type = None if shape.rope else checkpoint.array(types)[0]

    def feed(self, packed: Packed, wanted: Wanted) -> dict[str, NDArray[Any]]:
        """Everything that a graph is fed, by name."""
        x = self._words[packed.ids]
        laid = packed.layout()
        rows = packed.rows(wanted)
        fed = laid | {"rows": rows, "rows_back": laid["back"][rows]}
        if self._shape.rope:
            return fed | {"x": x} | _rotary(packed.positions, self._shape.head, self._shape.rope)
        if self._places is None or self._type is None:
            raise TypeError("a model has rotary positions or learned ones")
        x += self._places[packed.positions + self._shape.first_position]
        x += self._type
        return fed | {"x": x, "mask": packed.mask()}


def _rotary(positions: NDArray[np.int64], head: int, rope: Rope) -> dict[str, NDArray[Any]]:
    speeds = 1.0 / rope.theta ** (np.arange(0, head, 2) / head) / rope.divisor
    angles = positions[:, None, None] * speeds
    return {"cos": np.cos(angles).astype(np.float32), "sin": np.sin(angles).astype(np.float32)}
