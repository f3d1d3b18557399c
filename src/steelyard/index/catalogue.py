"""The truth of an index: one SQLite file that says which documents there are and which segments hold them.

WAL mode with ``synchronous=FULL``: a commit that returned survives ``kill -9`` and a power failure. A segment's file is
published before the transaction that names it, so what the catalogue names exists, and a file that it does not name is
rubbish of a writer that died.

A document is one row of ``documents``; the same row points at its place in a segment. A place whose document was
replaced or deleted is a tombstone until its segment is compacted away.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from steelyard.errors import StoreError
from steelyard.index.segment import SegmentRecord

FILE = "index.sqlite"
SCHEMA = "steelyard.index/1"
_LOOKUP = 400  # keys a SELECT
_TABLES = """
CREATE TABLE IF NOT EXISTS manifest (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS segments (
  number INTEGER PRIMARY KEY AUTOINCREMENT, file TEXT NOT NULL UNIQUE, rows INTEGER NOT NULL,
  bytes INTEGER NOT NULL, sha256 TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS documents (
  id TEXT PRIMARY KEY, text TEXT NOT NULL, metadata TEXT NOT NULL, content BLOB NOT NULL,
  segment INTEGER NOT NULL, place INTEGER NOT NULL) WITHOUT ROWID;
CREATE UNIQUE INDEX IF NOT EXISTS places ON documents (segment, place);
CREATE TABLE IF NOT EXISTS tombstones (
  segment INTEGER NOT NULL, place INTEGER NOT NULL, version INTEGER NOT NULL,
  PRIMARY KEY (segment, place)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS tombstone_versions ON tombstones (version);
"""


@dataclass(frozen=True, slots=True)
class Row:
    """A document on its way into the catalogue.

    Attributes:
        metadata: as JSON.
        content: SHA-256 of text and metadata; equal content need not be embedded again.
    """

    id: str
    text: str
    metadata: str
    content: bytes


class Catalogue:
    """One SQLite file, used by any number of threads, each with a connection of its own.

    Args:
        folder: of the index.
        create: make the file where there is none.

    Raises:
        StoreError: there is no index, or it cannot be read.
    """

    def __init__(self, folder: Path, *, create: bool = False) -> None:
        self.path = folder / FILE
        self._local = threading.local()
        self._all: list[sqlite3.Connection] = []
        self._lock = threading.Lock()
        if not create and not self.path.is_file():
            raise StoreError(f"{folder} is no index: it has no {FILE}. Make one with `steelyard index build`")
        with self.guard():
            connection = self.connection()
            if create:
                connection.executescript(_TABLES)
            if not create and self.manifest().get("schema") != SCHEMA:
                raise StoreError(f"{self.path} is not of schema {SCHEMA}; build the index again with this version")

    def connection(self) -> sqlite3.Connection:
        """This thread's connection."""
        found: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if found is None:
            found = sqlite3.connect(self.path, timeout=60.0, isolation_level=None, check_same_thread=False)
            found.execute("PRAGMA journal_mode = WAL")
            found.execute("PRAGMA synchronous = FULL")
            self._local.connection = found
            with self._lock:
                self._all.append(found)
        return found

    def close(self) -> None:
        """Closes every thread's connection."""
        with self._lock:
            for connection in self._all:
                connection.close()
            self._all.clear()
        self._local = threading.local()

    @contextmanager
    def guard(self) -> Iterator[None]:
        """Turns what SQLite raises into one sentence."""
        try:
            yield
        except (sqlite3.Error, OSError) as wrong:
            raise StoreError(
                f"{self.path} cannot be used: {wrong}. What was committed before is unharmed; free some disk, or "
                f"check it with `steelyard index check {self.path.parent}`"
            ) from wrong

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """One state of the index for as long as the block runs, whatever writers do."""
        with self.guard():
            connection = self.connection()
            if connection.in_transaction:  # a search within a search sees what the outer one sees
                yield connection
                return
            connection.execute("BEGIN")
            try:
                yield connection
            finally:
                connection.execute("ROLLBACK")

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """A transaction that is there as a whole or not at all; the version goes up by one."""
        with self.guard():
            connection = self.connection()
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute(
                    "INSERT INTO manifest VALUES ('version', '1') "
                    "ON CONFLICT (key) DO UPDATE SET value = CAST(CAST(value AS INTEGER) + 1 AS TEXT)"
                )
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise

    def manifest(self) -> dict[str, str]:
        """What the index says of itself."""
        return dict(self.connection().execute("SELECT key, value FROM manifest").fetchall())

    def describe(self, values: dict[str, str]) -> None:
        """Adds to the manifest."""
        with self.writing() as connection:
            connection.executemany("INSERT OR REPLACE INTO manifest VALUES (?, ?)", list(values.items()))

    def version(self) -> int:
        """Goes up with every commit."""
        found = self.connection().execute("SELECT value FROM manifest WHERE key = 'version'").fetchone()
        return int(found[0]) if found else 0

    def segments(self) -> list[SegmentRecord]:
        """Every segment, oldest first."""
        rows = self.connection().execute("SELECT number, file, rows, bytes, sha256 FROM segments ORDER BY number")
        return [SegmentRecord(*row) for row in rows]

    def tombstones(self, after: int) -> list[tuple[int, int]]:
        """(segment, place) of what was replaced or deleted after a version."""
        query = "SELECT segment, place FROM tombstones WHERE version > ?"
        return self.connection().execute(query, (after,)).fetchall()

    def count(self) -> int:
        """Documents."""
        return int(self.connection().execute("SELECT count(*) FROM documents").fetchone()[0])

    def contents(self, ids: Sequence[str]) -> dict[str, bytes]:
        """The content hash of those ids that are there."""
        return {row[0]: bytes(row[1]) for row in self._by_id("id, content", ids)}

    def texts(self, ids: Sequence[str]) -> dict[str, tuple[str, str]]:
        """Text and metadata as JSON of those ids that are there."""
        return {row[0]: (row[1], row[2]) for row in self._by_id("id, text, metadata", ids)}

    def _by_id(self, columns: str, ids: Sequence[str]) -> Iterable[Any]:
        for start in range(0, len(ids), _LOOKUP):
            some = list(ids[start : start + _LOOKUP])
            marks = ",".join("?" * len(some))
            yield from self.connection().execute(f"SELECT {columns} FROM documents WHERE id IN ({marks})", some)  # noqa: S608


def add_segment(connection: sqlite3.Connection, file: str, rows: int, size: int, sha256: str) -> int:
    """Names a published file; returns the segment's number."""
    added = connection.execute(
        "INSERT INTO segments (file, rows, bytes, sha256) VALUES (?, ?, ?, ?)", (file, rows, size, sha256)
    )
    return int(added.lastrowid or 0)


def put(connection: sqlite3.Connection, segment: int, rows: Sequence[Row]) -> int:
    """Adds documents or replaces those of the same id; returns how many were replaced."""
    version = _next(connection)
    replaced = 0
    for place, row in enumerate(rows):
        replaced += _bury(connection, row.id, version)
        connection.execute(
            "INSERT OR REPLACE INTO documents VALUES (?, ?, ?, ?, ?, ?)",
            (row.id, row.text, row.metadata, row.content, segment, place),
        )
    return replaced


def remove(connection: sqlite3.Connection, ids: Iterable[str]) -> int:
    """Deletes documents; returns how many there were."""
    version = _next(connection)
    gone = 0
    for i in ids:
        if _bury(connection, i, version):
            connection.execute("DELETE FROM documents WHERE id = ?", (i,))
            gone += 1
    return gone


def _bury(connection: sqlite3.Connection, document_id: str, version: int) -> int:
    return connection.execute(
        "INSERT INTO tombstones SELECT segment, place, ? FROM documents WHERE id = ?", (version, document_id)
    ).rowcount


def _next(connection: sqlite3.Connection) -> int:
    """The version that the running transaction will have."""
    found = connection.execute("SELECT value FROM manifest WHERE key = 'version'").fetchone()
    return int(found[0]) + 1 if found else 1
