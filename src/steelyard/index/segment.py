"""Documents that were committed together: their ids, metadata and what every field keeps of them; never changed."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steelyard.index.columns import Columns
from steelyard.index.container import map_arrays
from steelyard.index.strings import Strings, strings


@dataclass(frozen=True)
class SegmentRecord:
    """A segment as the catalogue knows it.

    Attributes:
        number: its key in the catalogue.
        file: name within the folder of segments.
        rows: documents, deleted ones included.
        bytes: size of the file.
        sha256: of the file.
    """

    number: int
    file: str
    rows: int
    bytes: int
    sha256: str


class Segment:
    """A mapped segment.

    Args:
        record: what the catalogue says of it.
        folder: where its file is.

    Raises:
        SegmentGoneError: it was compacted away.
        StoreError: it is damaged.
    """

    def __init__(self, record: SegmentRecord, folder: Path) -> None:
        self.record = record
        self.arrays: dict[str, NDArray[Any]] = map_arrays(folder / record.file)
        self.views: dict[str, Any] = {}
        """What fields have made of their arrays; as immutable as these."""

    def __len__(self) -> int:
        return self.record.rows

    def id_of(self, place: int) -> str:
        """Of one row, without decoding the others."""
        return self._ids[place]

    def place_of(self, document_id: str) -> int | None:
        """The row of an id; None where the segment has no such document, living or deleted."""
        rising, places = self._rising
        at = bisect_left(rising, document_id)
        return int(places[at]) if at < len(rising) and rising[at] == document_id else None

    @cached_property
    def _ids(self) -> Strings:
        return strings("ids", self.arrays)

    @cached_property
    def _rising(self) -> tuple[list[str], NDArray[np.int64]]:
        """The ids in ascending order, and where each stands."""
        ids = self.ids
        places = sorted(range(len(ids)), key=ids.__getitem__)
        return [ids[i] for i in places], np.array(places, dtype=np.int64)

    @cached_property
    def ids(self) -> list[str]:
        """Of every row."""
        return self._ids.all()

    @cached_property
    def columns(self) -> Columns:
        """The metadata."""
        return Columns(self.arrays, len(self))

    def field(self, name: str) -> dict[str, NDArray[Any]]:
        """The arrays of one field, without its prefix."""
        prefix = f"field.{name}."
        return {k.removeprefix(prefix): v for k, v in self.arrays.items() if k.startswith(prefix)}
