"""Metadata by column, so that a filter is a few comparisons of arrays.

A key has up to two columns: numbers (float64, NaN where there is none; true is 1) and strings (a code into a sorted
list, -1 where there is none). Times are strings of ISO 8601 and compare as such.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steelyard.index.entry import Scalar
from steelyard.index.strings import Strings, packed

_PREFIX = "meta."


class Columns:
    """The metadata of a segment.

    Args:
        arrays: of the segment.
        rows: its documents.
    """

    def __init__(self, arrays: Mapping[str, NDArray[Any]], rows: int) -> None:
        self._arrays, self._rows = arrays, rows

    def numbers(self, key: str) -> NDArray[np.float64]:
        """float64[rows] of a key; NaN where a document has no number there."""
        found = self._arrays.get(f"{_PREFIX}{json.dumps(key)}.number")
        return np.full(self._rows, np.nan) if found is None else found

    def codes(self, key: str) -> tuple[NDArray[np.int32], Strings]:
        """int32[rows] of a key and the sorted strings that they stand for; -1 where a document has no string there."""
        name = f"{_PREFIX}{json.dumps(key)}"
        if f"{name}.code" not in self._arrays:
            empty = Strings(np.zeros(0, dtype=np.uint8), np.zeros(0, dtype=np.int64))
            return np.full(self._rows, -1, dtype=np.int32), empty
        words = Strings(self._arrays[f"{name}.word.data"], self._arrays[f"{name}.word.ends"])
        return self._arrays[f"{name}.code"], words


def column_arrays(metadata: Sequence[Mapping[str, Scalar]]) -> dict[str, NDArray[Any]]:
    """The arrays of a new segment's metadata."""
    out: dict[str, NDArray[Any]] = {}
    for key in sorted({k for m in metadata for k in m}):
        values = [m.get(key) for m in metadata]
        name = f"{_PREFIX}{json.dumps(key)}"
        numbers = np.array([float(v) if isinstance(v, int | float) else np.nan for v in values], dtype=np.float64)
        if not np.isnan(numbers).all():
            out[f"{name}.number"] = numbers
        words = sorted({v for v in values if isinstance(v, str)}, key=str.encode)
        if words:
            code = {word: i for i, word in enumerate(words)}
            found = [code[v] if isinstance(v, str) else -1 for v in values]
            out[f"{name}.code"] = np.array(found, dtype=np.int32)
            out.update(packed(f"{name}.word", words))
    return out
