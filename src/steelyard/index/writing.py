"""What changes an index: batches added, documents deleted, segments compacted; each one commit."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steelyard.errors import UsageError
from steelyard.index import catalogue as truth
from steelyard.index.catalogue import Catalogue, Row
from steelyard.index.columns import column_arrays
from steelyard.index.container import write_arrays
from steelyard.index.entry import Entry, Scalar
from steelyard.index.fields.protocol import Field, Kept
from steelyard.index.filters import scalar
from steelyard.index.snapshot import Part
from steelyard.index.strings import packed
from steelyard.text.clean import clean
from steelyard.text.key import key_of

SEGMENTS = "segments"
_LONGEST_ID = 1_024  # characters
_LONGEST_TEXT = 10_000_000  # characters


@dataclass(frozen=True, slots=True)
class Added:
    """What a batch did.

    Attributes:
        added: documents that were new.
        replaced: documents whose id was there with another text or other metadata.
        unchanged: documents that were there as they are; nothing was computed for them.
    """

    added: int = 0
    replaced: int = 0
    unchanged: int = 0

    def __add__(self, other: Added) -> Added:
        return Added(self.added + other.added, self.replaced + other.replaced, self.unchanged + other.unchanged)


def add_batch(folder: Path, catalogue: Catalogue, fields: Sequence[Field], entries: Sequence[Entry]) -> Added:
    """Adds documents in one commit; of two with the same id the last one stays.

    Raises:
        UsageError: an id, text or value that cannot be kept; nothing of the batch was added.
        StoreError: the disk is full; what was committed before is unharmed.
    """
    rows = {row.id: row for row in map(_row, entries)}
    with catalogue.guard():
        known = catalogue.contents(list(rows))
    changed = [row for row in rows.values() if known.get(row.id) != row.content]
    if not changed:
        return Added(unchanged=len(rows))
    metadata = [json.loads(row.metadata) for row in changed]
    arrays = {**packed("ids", [row.id for row in changed]), **column_arrays(metadata)}
    for field in fields:
        arrays.update(_named(field, field.keep([row.text for row in changed])))
    file, size, sha256 = _publish(folder, arrays)
    with catalogue.writing() as connection:
        number = truth.add_segment(connection, file, len(changed), size, sha256)
        replaced = truth.put(connection, number, changed)
    return Added(len(changed) - replaced, replaced, len(rows) - len(changed))


def join_segments(folder: Path, catalogue: Catalogue, fields: Sequence[Field], parts: Sequence[Part]) -> None:
    """Makes one segment of several, without the documents that were deleted, in one commit.

    Raises:
        StoreError: the disk is full; the old segments stay as they were.
    """
    numbers = [p.segment.record.number for p in parts]
    with catalogue.guard():
        living = [_living(catalogue, n) for n in numbers]
    arrays = {
        **packed("ids", [i for some in living for i, _, _ in some]),
        **column_arrays([json.loads(m) for some in living for _, m, _ in some]),
    }
    places = [np.array([place for _, _, place in some], dtype=np.int64) for some in living]
    if any(len(p) for p in places):
        for field in fields:
            kept = [
                Kept(p.segment.field(field.name), own, len(p.segment)) for p, own in zip(parts, places, strict=True)
            ]
            arrays.update(_named(field, field.join(kept)))
    ids = [i for some in living for i, _, _ in some]
    file, size, sha256 = _publish(folder, arrays) if ids else ("", 0, "")
    with catalogue.writing() as connection:
        if ids:
            number = truth.add_segment(connection, file, len(ids), size, sha256)
            moved = [(number, place, i) for place, i in enumerate(ids)]
            connection.executemany("UPDATE documents SET segment = ?, place = ? WHERE id = ?", moved)
        gone = [(n,) for n in numbers]
        connection.executemany("DELETE FROM segments WHERE number = ?", gone)
        connection.executemany("DELETE FROM tombstones WHERE segment = ?", gone)
    for part in parts:
        (folder / SEGMENTS / part.segment.record.file).unlink(missing_ok=True)


def sweep(folder: Path, catalogue: Catalogue) -> int:
    """Removes files of writers that died before their commit; under the writer's lock alone. Returns how many."""
    with catalogue.guard():
        named = {s.file for s in catalogue.segments()}
        orphans = [p for p in (folder / SEGMENTS).iterdir() if p.name not in named]
        for path in orphans:
            path.unlink()
    return len(orphans)


def batches(entries: Iterable[Entry], size: int) -> Iterator[list[Entry]]:
    """The entries in lists of at most ``size``."""
    rest = iter(entries)
    while some := list(islice(rest, size)):
        yield some


def _living(catalogue: Catalogue, segment: int) -> list[tuple[str, str, int]]:
    query = "SELECT id, metadata, place FROM documents WHERE segment = ? ORDER BY place"
    return catalogue.connection().execute(query, (segment,)).fetchall()


def _publish(folder: Path, arrays: Mapping[str, NDArray[Any]]) -> tuple[str, int, str]:
    name = f"{uuid.uuid4().hex}.safetensors"
    size, sha256 = write_arrays(folder / SEGMENTS / name, arrays)
    return name, size, sha256


def _named(field: Field, arrays: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    return {f"field.{field.name}.{name}": array for name, array in arrays.items()}


def _row(entry: Entry) -> Row:
    if not isinstance(entry.id, str) or not 0 < len(entry.id) <= _LONGEST_ID or clean(entry.id) != entry.id:
        raise UsageError(
            f"{entry.id!r:.80} cannot be a document's id: it must be a string of 1 to {_LONGEST_ID:,} characters "
            "without NUL and lone surrogates"
        )
    if not isinstance(entry.text, str) or len(entry.text) > _LONGEST_TEXT:
        raise UsageError(f"document {entry.id!r}: its text must be a string of at most {_LONGEST_TEXT:,} characters")
    metadata = _metadata(entry)
    text = clean(entry.text)
    return Row(entry.id, text, metadata, key_of(text, metadata))


def _metadata(entry: Entry) -> str:
    values: dict[str, Scalar] = {}
    for key, value in entry.metadata.items():
        if value is None:
            continue
        try:
            kept = scalar(value)
        except UsageError as wrong:
            raise UsageError(f"document {entry.id!r}, {key!r}: {wrong}") from None
        if isinstance(kept, float) and not np.isfinite(kept):
            raise UsageError(f"document {entry.id!r}, {key!r}: {kept} is not a number that can be compared")
        values[clean(str(key))] = clean(kept) if isinstance(kept, str) else kept
    return json.dumps(values, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
