"""The suite: a frozen value that every source of queries and documents becomes."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from steelyard.types import Document, Query, TrapKind

Judgements = Mapping[str, Mapping[str, int]]
"""query id -> document id -> grade; 0 is judged and not relevant."""


@dataclass(frozen=True, slots=True)
class Card:
    """What is known of a suite besides its texts; ``notes`` say how a user's files were read."""

    title: str = ""
    version: str = ""
    licence: str = ""
    languages: tuple[str, ...] = ()
    source: str = ""
    canary: str = ""
    text: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Suite:
    """Queries, documents and judgements.

    Attributes:
        name: how it is asked for on the command line.
        queries: in the order of their file.
        documents: in the order of their file.
        judgements: query id -> document id -> grade.
        traps: query id -> document id -> kind; empty where the suite has no trap annotations.
    """

    name: str
    queries: tuple[Query, ...]
    documents: tuple[Document, ...]
    judgements: Judgements
    traps: Mapping[str, Mapping[str, TrapKind]] = field(default_factory=dict)
    card: Card = field(default_factory=Card)

    @property
    def checksum(self) -> str:
        """sha256 over ids, texts and judgements: the same texts give the same sum wherever they came from."""
        digest = hashlib.sha256()
        for part in self._parts():
            raw = part.encode("utf-8", "surrogatepass")
            digest.update(len(raw).to_bytes(8, "little") + raw)
        return digest.hexdigest()

    def _parts(self) -> list[str]:
        parts = [text for q in self.queries for text in ("q", q.id, q.text, q.category or "")]
        parts += [text for d in self.documents for text in ("d", d.id, d.text)]
        for query_id, grades in sorted(self.judgements.items()):
            parts += [text for d, g in sorted(grades.items()) for text in ("j", query_id, d, str(g))]
        for query_id, kinds in sorted(self.traps.items()):
            parts += [text for d, k in sorted(kinds.items()) for text in ("t", query_id, d, k.value)]
        return parts
