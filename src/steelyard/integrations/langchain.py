"""LangChain: embeddings, a vector store, a retriever and a reranker, all of what Steelyard measured.

Extra ``langchain``. Every class is a thin shell: templates, instructions and lengths are the recipe's, and what a store
answers is what its system was weighed with.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Self
from uuid import uuid4

from langchain_core.callbacks import CallbackManagerForRetrieverRun, Callbacks
from langchain_core.documents import BaseDocumentCompressor, Document
from langchain_core.embeddings import Embeddings
from langchain_core.retrievers import BaseRetriever
from langchain_core.vectorstores import VectorStore
from pydantic import ConfigDict

from steelyard.engines.protocol import Encoder, Reranker
from steelyard.errors import UsageError
from steelyard.index.entry import Entry, Found
from steelyard.index.filters import Where
from steelyard.index.index import Index
from steelyard.types import Role


class SteelyardEmbeddings(Embeddings):
    """An encoder as LangChain calls it: queries get the query's template, documents theirs.

    Args:
        encoder: any encoder.
        instruction: task text of queries; None for the model's default, "" for none.
    """

    def __init__(self, encoder: Encoder, instruction: str | None = None) -> None:
        self._encoder, self._instruction = encoder, instruction

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """One vector a text."""
        return [[float(x) for x in row] for row in self._encoder.encode(texts, Role.DOCUMENT)]

    def embed_query(self, text: str) -> list[float]:
        """The vector of a query."""
        return [float(x) for x in self._encoder.encode([text], Role.QUERY, self._instruction)[0]]


class SteelyardVectorStore(VectorStore):
    """An index as LangChain calls it; a filter is what :mod:`steelyard.index.filters` reads.

    Args:
        index: an open index.
        embedding: shown to LangChain; the index embeds by itself.
    """

    def __init__(self, index: Index, embedding: Embeddings | None = None) -> None:
        self.index = index
        self._embedding = embedding

    @property
    def embeddings(self) -> Embeddings | None:
        """What was given, for LangChain alone."""
        return self._embedding

    @classmethod
    def from_texts(
        cls,
        texts: list[str],
        embedding: Embeddings,
        metadatas: list[dict[str, Any]] | None = None,
        *,
        ids: list[str] | None = None,
        folder: str | Path | None = None,
        system: str = "bm25 + e5-small",
        **kwargs: Any,
    ) -> Self:
        """An index in ``folder`` with these texts; ``system`` says how they are found.

        Raises:
            UsageError: no folder is named.
        """
        if folder is None:
            raise UsageError("name the folder of the index: SteelyardVectorStore.from_texts(..., folder='kb')")
        store = cls(Index.create(folder, system), embedding)
        store.add_texts(texts, metadatas, ids=ids, **kwargs)
        return store

    def add_texts(
        self, texts: Iterable[str], metadatas: list[dict[str, Any]] | None = None, *, ids: list[str] | None = None,
        **kwargs: Any,
    ) -> list[str]:  # fmt: skip
        """Adds texts, or replaces those of the same ids; ids are made where there are none."""
        known = list(texts)
        names = [i or str(uuid4()) for i in (ids or [""] * len(known))]
        facts = metadatas or [{}] * len(known)
        self.index.add([Entry(i, t, m) for i, t, m in zip(names, known, facts, strict=True)])
        return names

    def delete(self, ids: list[str] | None = None, **kwargs: Any) -> bool | None:
        """Deletes documents; ids that are not there are no error.

        Raises:
            UsageError: no ids; a store is not emptied by mistake.
        """
        if ids is None:
            raise UsageError("name the ids to delete; to empty an index, delete its folder")
        self.index.delete(ids)
        return True

    def get_by_ids(self, ids: Sequence[str], /) -> list[Document]:
        """The documents of those ids that are there."""
        return [Document(id=e.id, page_content=e.text, metadata=dict(e.metadata)) for e in self.index.get(ids)]

    def similarity_search(self, query: str, k: int = 4, filter: Where = None, **kwargs: Any) -> list[Document]:  # noqa: A002
        """The k best documents."""
        return [_document(hit) for hit in self.index.search(query, k, filter)]

    def similarity_search_with_score(
        self,
        query: str,
        k: int = 4,
        filter: Where = None,  # noqa: A002
        **kwargs: Any,
    ) -> list[tuple[Document, float]]:
        """The k best documents with the scores of the index's system, which are comparable within one answer."""
        return [(_document(hit), hit.score) for hit in self.index.search(query, k, filter)]


class SteelyardRetriever(BaseRetriever):
    """An index as a retriever.

    Attributes:
        index: an open index.
        k: documents an answer.
        where: which documents may be found.
    """

    index: Index
    k: int = 4
    where: Any = None

    model_config = ConfigDict(arbitrary_types_allowed=True)

    def _get_relevant_documents(
        self, query: str, *, run_manager: CallbackManagerForRetrieverRun, k: int | None = None
    ) -> list[Document]:
        return [_document(hit) for hit in self.index.search(query, self.k if k is None else k, self.where)]


class SteelyardReranker(BaseDocumentCompressor):
    """A reranker that keeps the best documents.

    Attributes:
        reranker: any reranker.
        top: documents that are kept.
        instruction: task text; None for the model's default.
    """

    reranker: Reranker
    top: int = 4
    instruction: str | None = None

    model_config = ConfigDict(arbitrary_types_allowed=True)

    def compress_documents(
        self, documents: Sequence[Document], query: str, callbacks: Callbacks | None = None
    ) -> Sequence[Document]:
        """The best documents first, each with its ``relevance_score``."""
        scores = self.reranker.score(query, [d.page_content for d in documents], self.instruction)
        order = sorted(range(len(documents)), key=lambda i: (-float(scores[i]), i))[: self.top]
        return [
            documents[i].model_copy(update={"metadata": documents[i].metadata | {"relevance_score": float(scores[i])}})
            for i in order
        ]


def _document(hit: Found) -> Document:
    return Document(id=hit.id, page_content=hit.text, metadata=dict(hit.metadata))
