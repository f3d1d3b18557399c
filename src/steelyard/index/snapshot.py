"""One state of an index: its segments and which of their documents live.

A snapshot never changes, so any number of threads search it. The next one takes over the segments that are still there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from steelyard.index.catalogue import Catalogue
from steelyard.index.filters import Condition
from steelyard.index.segment import Segment

Mask = NDArray[np.bool_]
_TRIES = 20


@dataclass(frozen=True)
class Part:
    """A segment as one search sees it.

    Attributes:
        segment: mapped.
        alive: bool[rows], which documents are there; None where all are.
        wanted: bool[rows], which may be hits: alive and within the filter; None where all may.
    """

    segment: Segment
    alive: Mask | None
    wanted: Mask | None

    @property
    def count(self) -> int:
        """Documents that are there."""
        return len(self.segment) if self.alive is None else int(np.count_nonzero(self.alive))


@dataclass(frozen=True)
class Snapshot:
    """One version.

    Attributes:
        version: of the catalogue.
        parts: by the segment's number, oldest first.
    """

    version: int
    parts: Mapping[int, Part]

    def restricted(self, conditions: Sequence[Condition]) -> tuple[Part, ...]:
        """The parts with what a filter leaves of them; statistics such as document frequencies stay those of all."""
        return tuple(_restricted(part, conditions) for part in self.parts.values())


def take(catalogue: Catalogue, folder: Path, last: Snapshot | None) -> Snapshot:
    """The state that the running read transaction sees.

    Args:
        catalogue: within a read transaction.
        folder: of the segments.
        last: an older snapshot, whose segments are taken over.

    Raises:
        SegmentGoneError: a segment was compacted away; begin a new transaction and take again.
        StoreError: a segment is damaged.
    """
    version = catalogue.version()
    if last is not None and last.version == version:
        return last
    usable = last if last is not None and last.version < version else None
    known = usable.parts if usable else {}
    records = catalogue.segments()
    buried: dict[int, list[int]] = {}
    for number, place in catalogue.tombstones(usable.version if usable else -1):
        buried.setdefault(number, []).append(place)
    parts = {}
    for record in records:
        old = known.get(record.number)
        segment = old.segment if old else Segment(record, folder)
        parts[record.number] = _part(segment, old.alive if old else None, buried.get(record.number, []))
    return Snapshot(version, parts)


def _part(segment: Segment, alive: Mask | None, gone: list[int]) -> Part:
    if gone:
        alive = np.ones(len(segment), dtype=np.bool_) if alive is None else alive.copy()
        alive[gone] = False
    return Part(segment, alive, alive)


def _restricted(part: Part, conditions: Sequence[Condition]) -> Part:
    wanted = part.wanted
    for condition in conditions:
        mask = condition.mask(part.segment.columns)
        wanted = mask if wanted is None else wanted & mask
    return Part(part.segment, part.alive, wanted)
