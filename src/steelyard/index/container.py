"""A segment's file: named arrays in the format of safetensors, written once, mapped ever after.

The format is a little-endian length of 8 bytes, a JSON header with the type, shape and place of every array, and the
arrays' bytes, each at a multiple of 64. Any safetensors reader opens it. A file is complete once it has its name: it is
written beside it, synchronised, and renamed.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steelyard.errors import StoreError
from steelyard.files import atomic_path

Arrays = Mapping[str, NDArray[Any]]


class SegmentGoneError(Exception):
    """A segment was compacted away after it was named; look at the newest state of the index."""


_CODES = {"<f4": "F32", "<f8": "F64", "<i4": "I32", "<i8": "I64", "|u1": "U8", "|i1": "I8"}
_TYPES = {code: kind for kind, code in _CODES.items()}
_ALIGN = 64
_CHUNK = 8 << 20
_LARGEST_HEADER = 16 << 20


def write_arrays(path: Path, arrays: Arrays) -> tuple[int, str]:
    """Writes and publishes a file; after this it is whole on the disk or not there.

    Args:
        path: must not exist; names are never used twice.
        arrays: float32, float64, int32, int64, uint8 or int8, C-contiguous.

    Returns:
        Bytes and sha256 of the file.

    Raises:
        StoreError: the disk is full or the place cannot be written.
    """
    digest, size = hashlib.sha256(), 0
    try:
        with atomic_path(path) as part, part.open("wb") as file:
            for piece in _pieces(arrays):
                file.write(piece)
                digest.update(piece)
                size += len(piece)
            file.flush()
        sync_folder(path.parent)
    except OSError as wrong:
        raise StoreError(f"{path} cannot be written: {wrong}. What was committed before is unharmed") from wrong
    return size, digest.hexdigest()


def map_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """The arrays of a file, mapped and not read.

    Raises:
        SegmentGoneError: there is no such file; it was compacted away.
        StoreError: the file is not what was written.
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if not 2 <= length <= min(_LARGEST_HEADER, size):
                raise ValueError(f"a header of {length} bytes in a file of {size}")
            header = json.loads(file.read(length))
        start = 8 + length
        return {name: _mapped(path, size, start, entry) for name, entry in header.items() if name != "__metadata__"}
    except FileNotFoundError as gone:
        raise SegmentGoneError(f"{path} is missing") from gone
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as wrong:
        raise StoreError(f"{path} is damaged: {wrong}. Run `steelyard index check` on its folder") from wrong


def digest_of(path: Path) -> str:
    """sha256 of a whole file.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sync_folder(folder: Path) -> None:
    """Makes renames in a folder last through a power failure."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _pieces(arrays: Arrays) -> Any:
    """The bytes of a file, in order."""
    entries, at = {}, 0
    for name, array in arrays.items():
        code = _CODES[array.dtype.newbyteorder("<").str]
        entries[name] = {"dtype": code, "shape": list(array.shape), "data_offsets": [at, at + array.nbytes]}
        at += array.nbytes + -array.nbytes % _ALIGN
    # The format wants arrays without gaps, so each gap is an array of its own.
    filled: dict[str, Any] = {}
    for name, entry in entries.items():
        filled[name] = entry
        end = entry["data_offsets"][1]
        if gap := -end % _ALIGN:
            filled[f"_gap.{end}"] = {"dtype": "U8", "shape": [gap], "data_offsets": [end, end + gap]}
    header = json.dumps(filled, separators=(",", ":")).encode()
    header += b" " * (-(8 + len(header)) % _ALIGN)
    yield len(header).to_bytes(8, "little") + header
    for array in arrays.values():
        raw = np.ascontiguousarray(array).reshape(-1).view(np.uint8) if array.size else np.zeros(0, dtype=np.uint8)
        for start in range(0, len(raw), _CHUNK):
            yield raw[start : start + _CHUNK].tobytes()
        if gap := -array.nbytes % _ALIGN:
            yield bytes(gap)


def _mapped(path: Path, size: int, start: int, entry: Any) -> NDArray[Any]:
    kind = np.dtype(_TYPES[entry["dtype"]])
    shape = tuple(int(n) for n in entry["shape"])
    low, high = (int(n) for n in entry["data_offsets"])
    if min(shape, default=0) < 0 or not 0 <= low <= high or start + high > size:
        raise ValueError(f"an array of shape {shape} at {low} to {high} does not lie within {size} bytes")
    if int(np.prod(shape, dtype=object)) * kind.itemsize != high - low:
        raise ValueError(f"an array of shape {shape} does not take {high - low} bytes")
    if low == high:
        return np.zeros(shape, dtype=kind)
    return np.memmap(path, dtype=kind, mode="r", offset=start + low, shape=shape)
