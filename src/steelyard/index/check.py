"""Whether an index is whole: every segment as it was written, every document where the catalogue says."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from steelyard.errors import StoreError
from steelyard.index.catalogue import Catalogue
from steelyard.index.container import SegmentGoneError, digest_of
from steelyard.index.fields.protocol import Arrays, Field, Kept
from steelyard.index.segment import Segment, SegmentRecord
from steelyard.index.snapshot import Snapshot
from steelyard.index.writing import SEGMENTS

_MOST_APART = 0.05
"""Distance of two vectors of one text over their length: bf16 and int16 stay below 0.02, another model is above 0.5."""


def problems(
    folder: Path, catalogue: Catalogue, fields: Sequence[Field], progress: Callable[[int, int], None]
) -> list[str]:
    """What is wrong, a sentence each; nothing where the index is whole.

    Args:
        folder: of the index.
        catalogue: within a read transaction.
        fields: that every segment must have.
        progress: called with segments done and segments in all.
    """
    found = [f"{catalogue.path}: {line}" for line in _database(catalogue)]
    records = catalogue.segments()
    for done, record in enumerate(records, 1):
        found += _segment(folder, catalogue, record, fields)
        progress(done, len(records))
    known = {r.number for r in records}
    lost = catalogue.connection().execute("SELECT DISTINCT segment FROM documents").fetchall()
    found += [f"documents lie in segment {n}, which the catalogue does not name" for (n,) in lost if n not in known]
    return found


def unlike(catalogue: Catalogue, snapshot: Snapshot, fields: Sequence[Field], count: int, seed: int) -> list[str]:
    """Documents whose stored vectors, weights or words are not what their texts give today, a sentence each.

    Args:
        catalogue: within a read transaction.
        snapshot: of the same state.
        fields: of the index.
        count: documents that are embedded again.
        seed: which ones.
    """
    rows = catalogue.connection().execute("SELECT id, text, segment, place FROM documents ORDER BY id").fetchall()
    found = []
    for i, text, number, place in random.Random(seed).sample(rows, min(count, len(rows))):  # noqa: S311
        segment = snapshot.parts[number].segment
        for field in fields:
            stored = field.join([Kept(segment.field(field.name), np.array([place]), len(segment))])
            if not _alike(stored, field.keep([text])):
                found.append(f"document {i!r}: what {field.fingerprint} gives today is not what is stored")
    return found


def _alike(stored: Arrays, fresh: Arrays) -> bool:
    """Whether arrays agree as far as a model's numbers do: the batch and the kernel move the last bits."""
    for name, array in stored.items():
        other = fresh[name]
        if array.shape != other.shape:
            return False
        if array.dtype.kind != "f":
            if not np.array_equal(array, other):
                return False
        elif array.size and np.linalg.norm(array - other) > _MOST_APART * np.linalg.norm(array):
            return False
    return True


def _database(catalogue: Catalogue) -> list[str]:
    lines = catalogue.connection().execute("PRAGMA integrity_check(5)").fetchall()
    return [] if lines == [("ok",)] else [str(line[0]) for line in lines]


def _segment(folder: Path, catalogue: Catalogue, record: SegmentRecord, fields: Sequence[Field]) -> list[str]:
    path = folder / SEGMENTS / record.file
    try:
        if path.stat().st_size != record.bytes:
            return [f"{path} has {path.stat().st_size:,} bytes, {record.bytes:,} were written"]
        if digest_of(path) != record.sha256:
            return [f"{path} is not what was written: its sha256 is another"]
        segment = Segment(record, folder / SEGMENTS)
    except (OSError, StoreError, SegmentGoneError) as wrong:
        return [str(wrong)]
    found = [f"{path} lacks field {f.name}" for f in fields if not segment.field(f.name)]
    if len(segment.ids) != record.rows:
        return [*found, f"{path} has {len(segment.ids)} ids, {record.rows} were written"]
    return found + _places(catalogue, segment, path)


def _places(catalogue: Catalogue, segment: Segment, path: Path) -> list[str]:
    """Every place of a segment is one living document's or dead, and has the id that the catalogue says."""
    number = segment.record.number
    query = "SELECT place, id FROM documents WHERE segment = ?"
    living = dict(catalogue.connection().execute(query, (number,)).fetchall())
    dead = {p for (p,) in catalogue.connection().execute("SELECT place FROM tombstones WHERE segment = ?", (number,))}
    found = []
    both, neither = living.keys() & dead, set(range(len(segment))) - living.keys() - dead
    if both or neither:
        found.append(f"{path}: {len(both)} places are both living and dead, {len(neither)} are neither")
    wrong = [i for place, i in living.items() if place >= len(segment) or segment.ids[place] != i]
    if wrong:
        found.append(f"{path}: {len(wrong)} documents are not where the catalogue says, such as {wrong[0]!r}")
    return found
