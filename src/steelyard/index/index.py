"""An index: a folder that keeps documents and answers as the system it was built for."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from threading import RLock
from types import TracebackType
from typing import TypeVar

from steelyard.errors import StoreError, UsageError
from steelyard.index import catalogue as truth
from steelyard.index.catalogue import SCHEMA, Catalogue
from steelyard.index.check import problems, unlike
from steelyard.index.compaction import to_join
from steelyard.index.container import SegmentGoneError
from steelyard.index.entry import Entry, Found
from steelyard.index.filters import Condition, Where, conditions
from steelyard.index.lock import writer
from steelyard.index.snapshot import Part, Snapshot, take
from steelyard.index.system import StoredSystem, searching, stored_system
from steelyard.index.writing import SEGMENTS, Added, add_batch, batches, join_segments, sweep
from steelyard.retrieval.builder import SystemBuilder
from steelyard.retrieval.protocol import Progress, silent
from steelyard.retrieval.resolve import read_system, read_systems
from steelyard.types import Query, Ranking

BATCH = 1_024
_TRIES = 20
T = TypeVar("T")


@dataclass(frozen=True)
class IndexInfo:
    """What an index says of itself.

    Attributes:
        folder: where it is.
        system: the expression whose rankings it gives.
        documents: that can be found.
        segments: files that hold them.
        bytes: on disk, the catalogue included.
        dead: share of the places in segments whose document was replaced or deleted.
        version: goes up with every commit.
        created: ISO 8601.
        fingerprints: of the engines that the vectors come from.
    """

    folder: Path
    system: str
    documents: int
    segments: int
    bytes: int
    dead: float
    version: int
    created: str
    fingerprints: Mapping[str, str]


class Index:
    """Documents, and the system that finds them. Made by :meth:`create`, :meth:`open` or :meth:`build`.

    Searching is safe from many threads and processes at once and never waits for a writer; an answer is that of one
    state of the index. One writer at a time: :meth:`add`, :meth:`delete` and :meth:`compact` take turns.
    """

    def __init__(
        self, folder: Path, catalogue: Catalogue, *, force: bool = False, builder: SystemBuilder | None = None
    ) -> None:
        self.folder = folder
        self._catalogue = catalogue
        self._manifest = catalogue.manifest()
        self._builder = builder or SystemBuilder()
        self._lock = RLock()
        self._snapshot: Snapshot | None = None
        self._system = self._stored()
        if not force:
            self._expect_same_engines()

    @classmethod
    def create(
        cls, folder: Path | str, system: str, *, force: bool = False, builder: SystemBuilder | None = None
    ) -> Index:
        """Makes an index for a system, or opens it where it is there already.

        Args:
            folder: is made where it is missing.
            system: an expression without a sweep.
            force: see :meth:`open`.
            builder: makes the system from its expression; another one shares engines with what else runs.

        Raises:
            ExpressionError: the expression does not build.
            UsageError: there is an index for another system, or the folder holds something else.
        """
        place, canonical = Path(folder), _canonical(system)
        if place.exists() and not (place / truth.FILE).exists() and any(place.iterdir()):
            raise UsageError(f"{place} is not empty and holds no index; name a new folder")
        (place / SEGMENTS).mkdir(parents=True, exist_ok=True)
        with writer(place):
            catalogue = Catalogue(place, create=True)
            known = catalogue.manifest().get("system")
            if known is None:
                now = datetime.now(UTC).isoformat(timespec="seconds")
                catalogue.describe({"schema": SCHEMA, "system": canonical, "created": now})
            elif known != canonical:
                catalogue.close()
                raise UsageError(f"{place} is an index for {known}, not for {canonical}; name another folder")
        return cls(place, catalogue, force=force, builder=builder)

    @classmethod
    def open(cls, folder: Path | str, *, force: bool = False, builder: SystemBuilder | None = None) -> Index:
        """Opens an index to search or change it; models are loaded when they are first needed.

        Args:
            folder: of the index.
            force: go on although the engines are not those that made the vectors. Queries and documents are then
                embedded differently, and rankings may be wrong without any other sign.
            builder: see :meth:`create`.

        Raises:
            StoreError: there is no index, it is damaged, or its engines are other ones now.
        """
        return cls(Path(folder), Catalogue(Path(folder)), force=force, builder=builder)

    @property
    def system(self) -> str:
        """The expression, in its canonical form."""
        return self._manifest["system"]

    def add(self, entries: Iterable[Entry], progress: Progress = silent, batch: int = BATCH) -> Added:
        """Adds documents; those of an id that is there replace it, those that are there as they are cost nothing.

        Every batch is one commit: after a crash the same call goes on where the last one ended.

        Args:
            entries: read as they are needed.
            progress: called as ``("index", documents done, documents done or the whole number where it is known)``.
            batch: documents a commit.

        Raises:
            UsageError: a document that cannot be kept; earlier batches stay.
            StoreError: the disk is full, or another process writes.
        """
        done = Added()
        total = len(entries) if isinstance(entries, Sequence) else 0
        with writer(self.folder):
            sweep(self.folder, self._catalogue)
            self._remember_engines()
            for some in batches(entries, batch):
                with self._lock:
                    done += add_batch(self.folder, self._catalogue, self._system.fields, some)
                count = done.added + done.replaced + done.unchanged
                progress("index", count, max(total, count))
                self._compact_some()
        return done

    def delete(self, ids: Iterable[str]) -> int:
        """Deletes documents in one commit; returns how many there were.

        Raises:
            StoreError: another process writes.
        """
        if isinstance(ids, str):
            raise UsageError(f"delete takes a list of ids, not the one string {ids!r}")
        with writer(self.folder):
            with self._catalogue.writing() as connection:
                gone = truth.remove(connection, ids)
            self._compact_some()
        return gone

    def compact(self) -> None:
        """Makes one segment of all; searches go on meanwhile."""
        with writer(self.folder):
            sweep(self.folder, self._catalogue)
            parts = self._parts()
            if len(parts) > 1 or any(p.alive is not None for p in parts):
                join_segments(self.folder, self._catalogue, self._system.fields, parts)

    def search(self, query: str, k: int = 10, where: Where = None) -> list[Found]:
        """The k best documents of one query, best first.

        Args:
            query: as a person types it; instructions and templates are put on as the system says.
            k: hits at the most.
            where: which documents may be hits; see :mod:`steelyard.index.filters`.
        """
        return self.search_many([query], k, where)[0]

    def search_many(self, queries: Sequence[str], k: int = 10, where: Where = None) -> list[list[Found]]:
        """The same for several queries over one state of the index."""
        asked = [Query(str(i), q) for i, q in enumerate(queries)]
        wanted = conditions(where)

        def answer() -> list[list[Found]]:
            found = self._rank(asked, k, wanted)
            known = self._catalogue.texts(list({i for r in found for i in r.document_ids}))
            return [[Found(h.document_id, h.score, *_shown(known[h.document_id])) for h in r] for r in found]

        return self._at_one_state(answer)

    def rankings(self, queries: Sequence[Query], k: int, where: Where = None) -> list[Ranking]:
        """One ranking a query, as the weighed system gives it for the documents that are there."""
        wanted = conditions(where)
        return self._at_one_state(lambda: self._rank(queries, k, wanted))

    def get(self, ids: Sequence[str]) -> list[Entry]:
        """The documents of those ids that are there, in the order of ``ids``."""
        with self._catalogue.reading():
            known = self._catalogue.texts(ids)
        return [Entry(i, *_shown(known[i])) for i in ids if i in known]

    def __iter__(self) -> Iterator[Entry]:
        """Every document, by id."""
        last = ""
        query = "SELECT id, text, metadata FROM documents WHERE id > ? ORDER BY id LIMIT 1000"
        while True:
            with self._catalogue.reading() as connection:
                rows = connection.execute(query, (last,)).fetchall()
            if not rows:
                return
            last = rows[-1][0]
            yield from (Entry(i, text, json.loads(metadata)) for i, text, metadata in rows)

    def __len__(self) -> int:
        with self._catalogue.reading():
            return self._catalogue.count()

    def __contains__(self, document_id: object) -> bool:
        return isinstance(document_id, str) and bool(self.get([document_id]))

    def info(self) -> IndexInfo:
        """Sizes and origin."""
        with self._catalogue.reading():
            records, documents = self._catalogue.segments(), self._catalogue.count()
            manifest, version = self._catalogue.manifest(), self._catalogue.version()
        rows = sum(r.rows for r in records)
        size = sum(r.bytes for r in records) + self._catalogue.path.stat().st_size
        return IndexInfo(
            folder=self.folder,
            system=self.system,
            documents=documents,
            segments=len(records),
            bytes=size,
            dead=1 - documents / rows if rows else 0.0,
            version=version,
            created=manifest["created"],
            fingerprints=json.loads(manifest.get("fingerprints", "{}")),
        )

    def check(self, progress: Progress = silent, *, embed: int = 0) -> list[str]:
        """What is wrong, a sentence each; empty where the index is whole. Reads every byte.

        Args:
            progress: called as ``("check", segments done, segments)``.
            embed: so many documents, drawn at random, are embedded again and compared with what is stored.
        """

        def work() -> list[str]:
            fields = self._system.fields
            found = problems(self.folder, self._catalogue, fields, lambda n, total: progress("check", n, total))
            if not found and embed:
                found = unlike(self._catalogue, self._take(), fields, embed, self._catalogue.version())
            return found

        return self._at_one_state(work)

    def close(self) -> None:
        """Frees models and files."""
        self._builder.close()
        self._catalogue.close()
        self._snapshot = None

    def __enter__(self) -> Index:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: object, trace: TracebackType | None) -> None:
        self.close()

    def _stored(self) -> StoredSystem:
        return stored_system(self._builder.build(read_system(self.system)), self._texts)

    def _texts(self, ids: Sequence[str]) -> list[str]:
        known = self._catalogue.texts(ids)
        return [known[i][0] for i in ids]

    def _at_one_state(self, work: Callable[[], T]) -> T:
        """What ``work`` gives within one read transaction."""
        for _ in range(_TRIES):
            with self._catalogue.reading(), suppress(SegmentGoneError):
                return work()
            # A segment was compacted away after the transaction began and before it was mapped: see the new state.
        raise StoreError(f"{self.folder} lacks a segment; run `steelyard index check {self.folder}`")

    def _rank(self, queries: Sequence[Query], k: int, wanted: Sequence[Condition]) -> list[Ranking]:
        if k < 1:
            raise UsageError(f"k must be at least 1, not {k}")
        snapshot = self._take()
        with self._lock, searching(snapshot.restricted(wanted)):
            return self._system.retriever.search(queries, k)

    def _take(self) -> Snapshot:
        """The state that this thread's read transaction sees."""
        with self._lock:
            self._snapshot = found = take(self._catalogue, self.folder / SEGMENTS, self._snapshot)
        return found

    def _parts(self) -> list[Part]:
        return self._at_one_state(lambda: list(self._take().parts.values()))

    def _compact_some(self) -> None:
        while joined := to_join(self._parts()):
            join_segments(self.folder, self._catalogue, self._system.fields, joined)

    def _remember_engines(self) -> None:
        """The first documents decide whose vectors an index holds."""
        if "fingerprints" not in self._catalogue.manifest():
            self._catalogue.describe({"fingerprints": json.dumps(self._system.fingerprints)})

    def _expect_same_engines(self) -> None:
        held = json.loads(self._manifest.get("fingerprints", "{}"))
        now = self._system.fingerprints
        odd = [name for name in held if held[name] != now.get(name)]
        if odd:
            raise StoreError(
                f"{self.folder} holds vectors of {held[odd[0]]}; here {self.system} runs as {now.get(odd[0])}. "
                "Queries embedded by another model, backend or revision rank wrongly without any other sign. Install "
                "what made them, build the index again, or take the risk with --force (force=True)"
            )


def _canonical(system: str) -> str:
    found = read_systems([system])
    if len(found) != 1:
        raise UsageError(f"an index is for one system; {system} is a sweep of {len(found)}")
    return found[0].name


def _shown(kept: tuple[str, str]) -> tuple[str, dict[str, str | float | int | bool]]:
    return kept[0], json.loads(kept[1])
