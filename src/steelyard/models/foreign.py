"""The files of a model's folder as somebody else wrote them: every one is checked here before anything relies on it.

A file must be a regular one (no pipe, no device, however it is linked) of a bounded size; JSON is bounded in depth;
a value has the type and the range that a model can have. What is wrong is one sentence with the file, the field and
the fix.
"""

from __future__ import annotations

import json
import os
import stat
import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, BinaryIO

from steelyard.errors import ModelError, RecipeError, WeightsError

CONFIG_BYTES = 8 << 20
"""Of a configuration or a list of shards at the most; the largest published ones have some hundred KB."""
HEADER_BYTES = 16 << 20
TOKENIZER_BYTES = 128 << 20
PROMPT_LETTERS = 32_768
_MOST_SIZE = 1 << 40
_DIMENSIONS = 8
_AGAIN = "download the model again"


@contextmanager
def regular_file(path: Path, largest: int | None, error: type[ModelError]) -> Iterator[BinaryIO]:
    """A file of a folder, open for reading.

    Args:
        path: a link is followed.
        largest: bytes; None for weights, which are mapped.
        error: what is raised.

    Raises:
        RecipeError: or whatever ``error`` is: missing, not readable, not a regular file, or too large.
    """
    try:
        number = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))  # a pipe would wait for its writer
    except OSError:
        raise error(f"{path}: not there or not readable; this is not the folder of a model") from None
    with os.fdopen(number, "rb") as file:
        found = os.fstat(number)
        if not stat.S_ISREG(found.st_mode):
            raise error(f"{path}: is a pipe, a device or a folder, where a file of a model should be")
        if largest is not None and found.st_size > largest:
            raise error(f"{path}: has {found.st_size:,} bytes; no such file of a model has more than {largest:,}")
        yield file


def read_value(path: Path, error: type[ModelError] = RecipeError, largest: int = CONFIG_BYTES) -> Any:
    """The JSON value in a file.

    Args:
        path: the file.
        error: what is raised.
        largest: bytes.

    Raises:
        RecipeError: or whatever ``error`` is: see :func:`regular_file`; not JSON in UTF-8; nested too deeply.
    """
    with regular_file(path, largest, error) as file:
        return _parsed(path, file.read(largest + 1), error)


def read_json(path: Path, error: type[ModelError] = RecipeError) -> dict[str, Any]:
    """The JSON object in a file.

    Raises:
        RecipeError: or whatever ``error`` is: see :func:`read_value`; another value than an object.
    """
    values = read_value(path, error)
    if not isinstance(values, dict):
        raise error(f"{path}: holds a {type(values).__name__}, not an object")
    return values


def _parsed(path: Path, content: bytes, error: type[ModelError]) -> Any:
    try:
        return json.loads(content)
    except RecursionError:
        raise error(f"{path}: nested too deeply for a file of a model") from None
    except ValueError as wrong:
        raise error(f"{path}: not JSON in UTF-8: {str(wrong)[:200]}") from None


class Fields:
    """The values of a JSON object, each of a type and within a range.

    Args:
        path: the file, for errors.
        values: the object.
        inside: the field that holds it, where that is not the whole file.
    """

    def __init__(self, path: Path, values: Mapping[str, Any], inside: str = "") -> None:
        self.path = path
        self._values = values
        self._inside = f"{inside}." if inside else ""

    def get(self, key: str, default: Any = None) -> Any:
        """The value, or ``default`` where it is absent or null."""
        value = self._values.get(key)
        return default if value is None else value

    def whole(self, key: str, low: int, high: int, default: int | None = None) -> int:
        """A whole number from ``low`` to ``high``."""
        value = self.get(key, default)
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise self.wrong(key, f"a whole number from {low:,} to {high:,}")
        return value

    def number(self, key: str, default: float | None = None, high: float = 1e12) -> float:
        """A number above zero and up to ``high``."""
        value = self.get(key, default)
        if not isinstance(value, int | float) or isinstance(value, bool) or not 0 < value <= high:
            raise self.wrong(key, f"a number above 0 and up to {high:g}")
        return float(value)

    def text(self, key: str, letters: int = 1000) -> str | None:
        """A text of so many characters at the most; None where it is absent."""
        value = self.get(key)
        if value is not None and (not isinstance(value, str) or len(value) > letters):
            raise self.wrong(key, f"a text of up to {letters:,} characters")
        return value

    def texts(self, key: str) -> list[str]:
        """A list of texts; empty where it is absent."""
        value = self.get(key, [])
        if not isinstance(value, list) or not all(isinstance(v, str) for v in value):
            raise self.wrong(key, "a list of texts")
        return value

    def object(self, key: str) -> Fields:
        """An object; empty where it is absent."""
        value = self.get(key, {})
        if not isinstance(value, dict):
            raise self.wrong(key, "an object")
        return Fields(self.path, value, f"{self._inside}{key}")

    def __len__(self) -> int:
        return len(self._values)

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def wrong(self, key: str, wanted: str) -> RecipeError:
        """The error of a field that is not what it must be."""
        found = repr(self._values.get(key))
        shown = found if len(found) <= 80 else f"{found[:80]}..."
        return RecipeError(f"{self.path}: {self._inside}{key} must be {wanted}, not {shown}")


@dataclass(frozen=True, slots=True)
class Tensor:
    """What the header of a safetensors file says of a tensor.

    Attributes:
        dtype: as written there: ``F32``, ``BF16``.
        shape: sizes.
        begin: first byte in the file.
        end: behind its last byte.
    """

    dtype: str
    shape: tuple[int, ...]
    begin: int
    end: int

    @property
    def count(self) -> int:
        """How many numbers."""
        return prod(self.shape)


def read_header(path: Path) -> dict[str, Tensor]:
    """The tensors of a safetensors file, by its header alone.

    Raises:
        WeightsError: not such a file; a shape or a place that cannot be; names the tensor.
    """
    with regular_file(path, None, WeightsError) as file:
        total, begin = os.fstat(file.fileno()).st_size, file.read(8)
        size = struct.unpack("<Q", begin)[0] if len(begin) == 8 else total
        if not 0 < size <= min(HEADER_BYTES, total - 8):
            raise WeightsError(f"{path}: not a safetensors file (its header is cut off or too large); {_AGAIN}")
        header = _parsed(path, file.read(size), WeightsError)
    if not isinstance(header, dict):
        raise WeightsError(f"{path}: not a safetensors file (its header is no object); {_AGAIN}")
    return {k: _tensor(path, k, v, 8 + size, total) for k, v in header.items() if k != "__metadata__"}


def _tensor(path: Path, name: str, said: Any, start: int, total: int) -> Tensor:
    fields: dict[str, Any] = said if isinstance(said, dict) else {}
    shape: Any = fields.get("shape")
    places: Any = fields.get("data_offsets")
    dtype = fields.get("dtype")
    sizes_fit = _are_sizes(shape) and len(shape) <= _DIMENSIONS and _are_sizes(places) and len(places) == 2
    if not sizes_fit or not isinstance(dtype, str) or not places[0] <= places[1] <= total - start:
        shown = repr(said)[:120]
        raise WeightsError(f"{path}: tensor {name[:80]!r} has no shape and place that can be ({shown}); {_AGAIN}")
    tensor = Tensor(dtype, tuple(shape), start + places[0], start + places[1])
    if tensor.count > 8 * (places[1] - places[0]):
        raise WeightsError(f"{path}: tensor {name[:80]!r} has more numbers than its bytes can hold; {_AGAIN}")
    return tensor


def _are_sizes(value: Any) -> bool:
    return isinstance(value, list) and all(type(v) is int and 0 <= v <= _MOST_SIZE for v in value)
