"""Vectors and scores kept by content: what was computed once is not computed again.

One SQLite file in WAL mode: safe under kill -9 and with several processes at once. A key is the SHA-256 of
everything that may change the numbers (see :func:`steelyard.text.key.key_of`); a value is raw little-endian float32.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from steelyard.errors import StoreError
from steelyard.models.hub import default_cache_dir
from steelyard.types import Vectors

DEFAULT_MAX_BYTES = 4 << 30
_LOOKUP = 400  # keys a SELECT; SQLite allows 999 variables in its oldest builds
_SCHEMA = """
CREATE TABLE IF NOT EXISTS vectors (
  added INTEGER PRIMARY KEY AUTOINCREMENT,
  key BLOB NOT NULL UNIQUE,
  model TEXT NOT NULL,
  value BLOB NOT NULL
)
"""


@dataclass(frozen=True, slots=True)
class CacheStats:
    """What a cache holds.

    Attributes:
        path: the SQLite file.
        entries: vectors and scores held.
        bytes: size of the file on disk, its write-ahead log included.
        models: entries for each model's fingerprint.
    """

    path: Path
    entries: int
    bytes: int
    models: Mapping[str, int]


def default_cache_path() -> Path:
    """``$STEELYARD_CACHE``, else ``$XDG_CACHE_HOME/steelyard``, else ``~/.cache/steelyard``; plus the file name."""
    return default_cache_dir().parent / "vectors.sqlite"


class VectorCache:
    """A bounded map from key to float32 vector.

    Args:
        path: the SQLite file; its folder is made where it is missing.
        max_bytes: when the file grows over this, the entries added first are dropped.
    """

    def __init__(self, path: Path, max_bytes: int = DEFAULT_MAX_BYTES) -> None:
        self.path = path
        self.max_bytes = max_bytes
        self._pid = -1
        self._db: sqlite3.Connection | None = None

    def get_many(self, keys: Sequence[bytes]) -> dict[bytes, Vectors]:
        """The vectors that are there, by key: float32[d] each."""
        found: dict[bytes, Vectors] = {}
        with self._guard() as db:
            for start in range(0, len(keys), _LOOKUP):
                some = keys[start : start + _LOOKUP]
                marks = ",".join("?" * len(some))
                rows = db.execute(f"SELECT key, value FROM vectors WHERE key IN ({marks})", some)  # noqa: S608
                found.update((bytes(k), np.frombuffer(v, dtype="<f4")) for k, v in rows)
        return found

    def put_many(self, model: str, items: Iterable[tuple[bytes, Vectors]]) -> None:
        """Adds vectors in one transaction; a key that is there already stays as it is."""
        rows = [(k, model, np.ascontiguousarray(v, dtype="<f4").tobytes()) for k, v in items]
        with self._guard() as db:
            with db:
                db.executemany("INSERT OR IGNORE INTO vectors (key, model, value) VALUES (?, ?, ?)", rows)
            self._shrink(db)

    def stats(self) -> CacheStats:
        """Counts and sizes."""
        with self._guard() as db:
            models = dict(db.execute("SELECT model, count(*) FROM vectors GROUP BY model ORDER BY model").fetchall())
        return CacheStats(self.path, sum(models.values()), self._file_bytes(), models)

    def clear(self, model: str | None = None) -> int:
        """Drops the entries of one model's fingerprint, or all; returns how many."""
        with self._guard() as db:
            with db:
                all_or_one = {"model": model}
                dropped = db.execute("DELETE FROM vectors WHERE :model IS NULL OR model = :model", all_or_one).rowcount
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            db.execute("VACUUM")
        return dropped

    def close(self) -> None:
        """Closes the file; the next use opens it again."""
        if self._db is not None and self._pid == os.getpid():
            self._db.close()
        self._db = None

    def _shrink(self, db: sqlite3.Connection) -> None:
        page = int(db.execute("PRAGMA page_size").fetchone()[0])
        while True:
            pages = int(db.execute("PRAGMA page_count").fetchone()[0])
            free = int(db.execute("PRAGMA freelist_count").fetchone()[0])
            if (pages - free) * page <= self.max_bytes:
                break
            with db:
                share = db.execute("SELECT max(1, count(*) / 10) FROM vectors").fetchone()[0]
                gone = db.execute(
                    "DELETE FROM vectors WHERE added IN (SELECT added FROM vectors ORDER BY added LIMIT ?)", (share,)
                ).rowcount
            if gone == 0:
                break
        if free:
            db.execute("PRAGMA incremental_vacuum").fetchall()

    def _file_bytes(self) -> int:
        parts = (self.path, self.path.with_name(self.path.name + "-wal"))
        return sum(p.stat().st_size for p in parts if p.exists())

    @contextmanager
    def _guard(self) -> Iterator[sqlite3.Connection]:
        try:
            yield self._open()
        except (sqlite3.Error, OSError) as wrong:
            raise StoreError(
                f"the vector cache {self.path} cannot be used: {wrong}. "
                "Free some disk, give another place with STEELYARD_CACHE=DIR, or delete the file: "
                "it holds nothing that cannot be computed again"
            ) from wrong

    def _open(self) -> sqlite3.Connection:
        if self._db is None or self._pid != os.getpid():
            self.path.parent.mkdir(parents=True, exist_ok=True)
            db = sqlite3.connect(self.path, timeout=60.0)
            db.execute("PRAGMA auto_vacuum = INCREMENTAL")
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA synchronous = NORMAL")
            db.execute(_SCHEMA)
            self._db, self._pid = db, os.getpid()
        return self._db
