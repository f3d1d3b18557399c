"""From a system expression to the fields that an index keeps for it, and to the same system over what is stored."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace

from steelyard.errors import UsageError
from steelyard.index.fields.dense import DenseField
from steelyard.index.fields.late import LateField
from steelyard.index.fields.lexical import LexicalField
from steelyard.index.fields.protocol import Field
from steelyard.index.fields.sparse import SparseField
from steelyard.index.snapshot import Part
from steelyard.retrieval.dense import DenseRetriever
from steelyard.retrieval.late import LateRetriever
from steelyard.retrieval.leaves import Texts, with_leaves
from steelyard.retrieval.lexical import BM25Retriever
from steelyard.retrieval.protocol import Progress, Retriever, silent
from steelyard.retrieval.sparse import SparseRetriever
from steelyard.types import Document, Query, Ranking

StoredField = LexicalField | DenseField | SparseField | LateField
_PARTS: ContextVar[Sequence[Part]] = ContextVar("parts")


@dataclass(frozen=True)
class StoredRetriever:
    """Searches what an index keeps for one leaf of its system."""

    field: Field

    def index(self, documents: Sequence[Document], progress: Progress = silent) -> None:
        """Refused: documents are added to the index as a whole.

        Raises:
            UsageError: always.
        """
        raise UsageError("add documents to the index, not to a part of its system")

    def search(self, queries: Sequence[Query], k: int, progress: Progress = silent) -> list[Ranking]:
        """One ranking a query over the parts of :func:`searching`."""
        found = self.field.search(_PARTS.get(), queries, k)
        progress("search", len(queries), len(queries))
        return found


@dataclass(frozen=True)
class StoredSystem:
    """A system over an index.

    Attributes:
        fields: what the index keeps, one for each different leaf.
        retriever: the system; it searches within :func:`searching`.
    """

    fields: tuple[Field, ...]
    retriever: Retriever

    @property
    def fingerprints(self) -> dict[str, str]:
        """Of every field: what must not change between adding and searching."""
        return {f.name: f.fingerprint for f in self.fields}


@contextmanager
def searching(parts: Sequence[Part]) -> Iterator[None]:
    """Says which parts of an index the stored leaves search, as long as the block runs, in its thread."""
    token = _PARTS.set(parts)
    try:
        yield
    finally:
        _PARTS.reset(token)


def stored_system(system: Retriever, texts: Texts) -> StoredSystem:
    """The stored form of a system.

    Args:
        system: as :class:`steelyard.retrieval.builder.SystemBuilder` makes it; nothing need be indexed in it.
        texts: where rerankers find documents.

    Raises:
        UsageError: the system has a leaf that an index cannot keep.
    """
    fields: dict[str, StoredField] = {}

    def stored(leaf: Retriever) -> Retriever:
        made = _field(leaf, str(len(fields)))
        # The same model and dimension searched in another way needs its arrays only once.
        same = (f for f in fields.values() if type(f) is type(made) and f.fingerprint == made.fingerprint)
        kept = next(same, made)
        fields.setdefault(kept.name, kept)
        return StoredRetriever(replace(made, name=kept.name))

    retriever = with_leaves(system, stored, texts)
    return StoredSystem(tuple(fields.values()), retriever)


def _field(leaf: Retriever, name: str) -> StoredField:
    match leaf:
        case BM25Retriever(method="lucene"):
            return LexicalField(name, leaf.k1, leaf.b)
        case DenseRetriever():
            return DenseField(name, leaf)
        case SparseRetriever():
            return SparseField(name, leaf)
        case LateRetriever():
            return LateField(name, leaf)
    raise UsageError(f"an index cannot keep what {type(leaf).__name__} searches")
