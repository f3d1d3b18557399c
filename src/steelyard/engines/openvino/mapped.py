"""Tensors of mapped safetensors as numpy arrays, one at a time; torch is not needed for bf16 either."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steelyard.engines.checkpoint.layout import Layout
from steelyard.errors import WeightsError

Floats = NDArray[np.float32]
_KINDS: Mapping[str, str] = {"F32": "<f4", "F16": "<f2", "BF16": "<u2"}


class Mapped(Layout):
    """A :class:`Layout` that gives its tensors; files are mapped as they are needed."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._places = {name: place for path in set(self._files.values()) for name, place in _places(path).items()}

    def array(self, name: str) -> Floats:
        """The whole tensor, float32, in memory of its own."""
        return self._widened(name, self._mapped(name))

    def rows(self, name: str) -> Rows:
        """A table of which only the rows that are asked for are read."""
        return Rows(self._mapped(name), self._kind(name) == "BF16")

    def _widened(self, name: str, values: NDArray[Any]) -> Floats:
        return _from_bf16(values) if self._kind(name) == "BF16" else np.array(values, dtype=np.float32)

    def _kind(self, name: str) -> str:
        return self._places[name][0]

    def _mapped(self, name: str) -> NDArray[Any]:
        kind, offset = self._places[name]
        path = self._files[name]
        if kind not in _KINDS:
            raise WeightsError(f"{path}: tensor {name} is {kind}; {', '.join(_KINDS)} are read")
        try:
            return np.memmap(path, dtype=_KINDS[kind], mode="r", offset=offset, shape=self._shapes[name])
        except (OSError, ValueError) as wrong:
            raise WeightsError(f"{path}: tensor {name} cannot be read: {wrong}") from None


class Rows:
    """A mapped table.

    Args:
        table: [n, d] as it lies in the file.
        narrow: whether its 16 bits are those of bf16.
    """

    def __init__(self, table: NDArray[Any], narrow: bool) -> None:
        self._table, self._narrow = table, narrow

    def __getitem__(self, index: NDArray[np.int64]) -> Floats:
        """float32[len(index), d]."""
        found = self._table[index]
        return _from_bf16(found) if self._narrow else found.astype(np.float32)


def _from_bf16(values: NDArray[Any]) -> Floats:
    wide = values.astype(np.uint32)
    wide <<= 16
    return wide.view(np.float32)


def _places(path: Path) -> dict[str, tuple[str, int]]:
    """Of each tensor its type and its offset in a file whose header has been checked."""
    with path.open("rb") as file:
        size = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(size))
    header.pop("__metadata__", None)
    return {name: (str(v["dtype"]), 8 + size + int(v["data_offsets"][0])) for name, v in header.items()}
