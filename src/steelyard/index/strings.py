"""Many strings as two arrays: their UTF-8 bytes end to end, and where each ends."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steelyard.text.clean import clean


class Strings:
    """A list of strings in mapped arrays; nothing is decoded before it is asked for.

    Args:
        data: uint8[bytes], UTF-8.
        ends: int64[n], where each string ends in ``data``.
    """

    def __init__(self, data: NDArray[Any], ends: NDArray[Any]) -> None:
        self._data, self._ends = data, ends

    def __len__(self) -> int:
        return len(self._ends)

    def __getitem__(self, at: int) -> str:
        start = int(self._ends[at - 1]) if at else 0
        return bytes(self._data[start : int(self._ends[at])]).decode()

    def all(self) -> list[str]:
        """Every string, decoded."""
        whole, ends = bytes(self._data), self._ends.tolist()
        return [whole[a:b].decode() for a, b in pairwise([0, *ends])]

    def find(self, text: str) -> int | None:
        """Where a string stands; the strings must be in the order of their UTF-8 bytes."""
        wanted = clean(text).encode()
        low, high = 0, len(self)
        while low < high:
            middle = (low + high) // 2
            start = int(self._ends[middle - 1]) if middle else 0
            found = bytes(self._data[start : int(self._ends[middle])])
            if found == wanted:
                return middle
            low, high = (middle + 1, high) if found < wanted else (low, middle)
        return None


def packed(name: str, texts: Sequence[str]) -> dict[str, NDArray[Any]]:
    """The two arrays of a list of strings, under ``NAME.data`` and ``NAME.ends``."""
    raw = [clean(t).encode() for t in texts]
    ends = np.cumsum([len(r) for r in raw], dtype=np.int64) if raw else np.zeros(0, dtype=np.int64)
    return {f"{name}.data": np.frombuffer(b"".join(raw), dtype=np.uint8), f"{name}.ends": ends}


def strings(name: str, arrays: dict[str, NDArray[Any]]) -> Strings:
    """What :func:`packed` made."""
    return Strings(arrays[f"{name}.data"], arrays[f"{name}.ends"])
