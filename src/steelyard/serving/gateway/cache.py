"""Vectors kept by content, in memory, up to a bound."""

from __future__ import annotations

from collections import OrderedDict

from steelyard.types import Vectors

_OVERHEAD = 350  # bytes of Python objects around one vector, measured


class VectorLru:
    """The vectors used last, up to ``max_bytes``; not safe for threads.

    Args:
        max_bytes: 0 keeps nothing.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max = max_bytes
        self._rows: OrderedDict[bytes, Vectors] = OrderedDict()
        self.bytes = 0

    def __len__(self) -> int:
        """Vectors held."""
        return len(self._rows)

    def get(self, key: bytes) -> Vectors | None:
        """float32[d], now the one used last; None when it is not there."""
        row = self._rows.get(key)
        if row is not None:
            self._rows.move_to_end(key)
        return row

    def put(self, key: bytes, row: Vectors) -> None:
        """Keeps a copy of float32[d]; what was used longest ago gives way."""
        size = row.nbytes + _OVERHEAD
        if size > self._max:
            return
        self._drop(key)
        self._rows[key] = row.copy()  # a row of a batch would keep the whole batch alive
        self.bytes += size
        while self.bytes > self._max:
            self._drop(next(iter(self._rows)))

    def _drop(self, key: bytes) -> None:
        row = self._rows.pop(key, None)
        if row is not None:
            self.bytes -= row.nbytes + _OVERHEAD
