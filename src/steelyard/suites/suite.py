"""The suite: a frozen value that every source of queries and documents becomes."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from steelyard.types import Document, Query, TrapKind

Judgements = Mapping[str, Mapping[str, int]]
"""query id -> document id -> grade; 0 is judged and not relevant."""


TRAP_VOTES = ("top1", "hit@3", "recall@10", "ndcg@10")
USUAL_VOTES = ("ndcg@10", "recall@10", "hit@3")


def usual_votes(*, traps: bool) -> tuple[str, ...]:
    """Primary measure and guards of a suite that names none."""
    return TRAP_VOTES if traps else USUAL_VOTES


@dataclass(frozen=True, slots=True)
class Card:
    """What is known of a suite besides its texts.

    Attributes:
        votes: the primary measure, then the guards; the usual ones where empty, see :attr:`Suite.votes`.
        clusters: what the queries' clusters are, such as ``category``; empty where there are none.
        notice: a known fault that must be said beside every figure.
        notes: how a user's files were read.
    """

    title: str = ""
    version: str = ""
    licence: str = ""
    languages: tuple[str, ...] = ()
    source: str = ""
    canary: str = ""
    text: str = ""
    notes: tuple[str, ...] = ()
    votes: tuple[str, ...] = ()
    clusters: str = ""
    notice: str = ""


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
    def votes(self) -> tuple[str, ...]:
        """The measure that is judged first, then those that must agree before a cheaper system is taken."""
        return self.card.votes or usual_votes(traps=bool(self.traps))

    @property
    def chance(self) -> float:
        """Share of trap groups whose right answer a blind guess within the group picks; 0 without traps."""
        return sum(1 / len(kinds) for kinds in self.traps.values()) / len(self.traps) if self.traps else 0.0

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
