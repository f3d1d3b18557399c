"""Tensors of safetensors files read in pieces, and written back in the type that they had."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from steelyard.engines.checkpoint.files import weight_files
from steelyard.engines.checkpoint.layout import Layout
from steelyard.errors import WeightsError

Floats = NDArray[np.float32]
CHUNK = 8 << 20  # values read at once: 32 MB of float32
_FLOATING: Mapping[str, np.dtype[Any]] = {"F32": np.dtype("<f4"), "F16": np.dtype("<f2"), "BF16": np.dtype("<u2")}
_ROUND = np.uint32(0x7FFF)
_QUIET = np.uint16(0x7FC0)


@dataclass(frozen=True, slots=True)
class Tensor:
    """A tensor where it lies.

    Attributes:
        path: of its file.
        name: its name.
        kind: its type as safetensors writes it.
        shape: its sizes.
        start: of its first byte in the file.
        size: bytes.
    """

    path: Path
    name: str
    kind: str
    shape: tuple[int, ...]
    start: int
    size: int

    @property
    def floating(self) -> bool:
        """Whether it can be merged."""
        return self.kind in _FLOATING

    def raw(self) -> bytes:
        """As it lies in the file."""
        with self.path.open("rb") as file:
            file.seek(self.start)
            return file.read(self.size)

    def chunks(self) -> Iterator[Floats]:
        """float32, :data:`CHUNK` values at a time."""
        kind = _FLOATING[self.kind]
        for at in range(0, prod(self.shape), CHUNK):
            count = min(CHUNK, prod(self.shape) - at)
            found = np.fromfile(self.path, dtype=kind, count=count, offset=self.start + at * kind.itemsize)
            if len(found) != count:
                raise WeightsError(f"{self.path} is shorter than its header says; download it again")
            yield _from_bf16(found) if self.kind == "BF16" else found.astype(np.float32)

    def values(self) -> Floats:
        """float32[values], all of it."""
        out = np.empty(prod(self.shape), dtype=np.float32)
        at = 0
        for piece in self.chunks():
            out[at : at + len(piece)] = piece
            at += len(piece)
        return out


class Checkpoint:
    """The tensors of a folder, by name and by file.

    Args:
        folder: holds safetensors.

    Raises:
        WeightsError: they are missing, truncated or corrupt.
    """

    def __init__(self, folder: Path) -> None:
        Layout(folder)  # checks every header and shape
        self.folder = folder
        self.tensors: dict[str, Tensor] = {}
        self.files: dict[Path, list[str]] = {}
        for path in weight_files(folder):
            found = sorted(_tensors(path), key=lambda t: t.start)
            self.files[path] = [t.name for t in found]
            self.tensors.update((t.name, t) for t in found)


def write_header(file: BinaryIO, tensors: Sequence[tuple[str, Tensor]]) -> None:
    """The head of a file that holds tensors of these types and sizes, in this order."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    at = 0
    for name, tensor in tensors:
        header[name] = {"dtype": tensor.kind, "shape": list(tensor.shape), "data_offsets": [at, at + tensor.size]}
        at += tensor.size
    encoded = json.dumps(header, separators=(",", ":")).encode()
    encoded += b" " * (-len(encoded) % 8)
    file.write(len(encoded).to_bytes(8, "little") + encoded)


def rounded_bytes(values: Floats, kind: str) -> bytes:
    """float32 in a type of safetensors, to the nearest, ties to even."""
    if kind != "BF16":
        return values.astype(_FLOATING[kind]).tobytes()
    bits = values.view(np.uint32)
    rounded = ((bits + _ROUND + ((bits >> np.uint32(16)) & np.uint32(1))) >> np.uint32(16)).astype("<u2")
    rounded[np.isnan(values)] = _QUIET
    return rounded.tobytes()


def _tensors(path: Path) -> Iterator[Tensor]:
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(length))
    for name, entry in header.items():
        if name != "__metadata__":
            low, high = entry["data_offsets"]
            yield Tensor(path, name, entry["dtype"], tuple(entry["shape"]), 8 + length + low, high - low)


def _from_bf16(values: NDArray[Any]) -> Floats:
    wide = values.astype(np.uint32)
    wide <<= np.uint32(16)
    return wide.view(np.float32)
