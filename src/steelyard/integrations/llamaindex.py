"""LlamaIndex: embeddings, a retriever and a reranker, all of what Steelyard measured. Extra ``llamaindex``."""

from __future__ import annotations

from typing import Any

from llama_index.core.base.base_retriever import BaseRetriever
from llama_index.core.base.embeddings.base import BaseEmbedding
from llama_index.core.postprocessor.types import BaseNodePostprocessor
from llama_index.core.schema import NodeWithScore, QueryBundle, TextNode
from pydantic import PrivateAttr

from steelyard.engines.protocol import Encoder, Reranker
from steelyard.index.filters import Where
from steelyard.index.index import Index
from steelyard.types import Role


class SteelyardEmbedding(BaseEmbedding):
    """An encoder as LlamaIndex calls it: queries get the query's template, documents theirs.

    Args:
        encoder: any encoder.
        instruction: task text of queries; None for the model's default, "" for none.
        options: of LlamaIndex's base class.
    """

    _encoder: Encoder = PrivateAttr()
    _instruction: str | None = PrivateAttr()

    def __init__(self, encoder: Encoder, instruction: str | None = None, **options: Any) -> None:
        super().__init__(model_name=encoder.info.model, **options)
        self._encoder, self._instruction = encoder, instruction

    def _get_query_embedding(self, query: str) -> list[float]:
        return [float(x) for x in self._encoder.encode([query], Role.QUERY, self._instruction)[0]]

    async def _aget_query_embedding(self, query: str) -> list[float]:
        return self._get_query_embedding(query)

    def _get_text_embedding(self, text: str) -> list[float]:
        return self._get_text_embeddings([text])[0]

    def _get_text_embeddings(self, texts: list[str]) -> list[list[float]]:
        return [[float(x) for x in row] for row in self._encoder.encode(texts, Role.DOCUMENT)]


class SteelyardIndexRetriever(BaseRetriever):
    """An index as a retriever.

    Args:
        index: an open index.
        k: documents an answer.
        where: which documents may be found.
    """

    def __init__(self, index: Index, k: int = 4, where: Where = None) -> None:
        self._index, self._k, self._where = index, k, where
        super().__init__()

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        found = self._index.search(query_bundle.query_str, self._k, self._where)
        return [
            NodeWithScore(node=TextNode(id_=h.id, text=h.text, metadata=dict(h.metadata)), score=h.score) for h in found
        ]


class SteelyardRerank(BaseNodePostprocessor):
    """A reranker that keeps the best nodes.

    Args:
        reranker: any reranker.
        top: nodes that are kept.
        instruction: task text; None for the model's default.
        options: of LlamaIndex's base class.
    """

    _reranker: Reranker = PrivateAttr()
    _top: int = PrivateAttr()
    _instruction: str | None = PrivateAttr()

    def __init__(self, reranker: Reranker, top: int = 4, instruction: str | None = None, **options: Any) -> None:
        super().__init__(**options)
        self._reranker, self._top, self._instruction = reranker, top, instruction

    @classmethod
    def class_name(cls) -> str:
        """As LlamaIndex names it."""
        return "SteelyardRerank"

    def _postprocess_nodes(
        self, nodes: list[NodeWithScore], query_bundle: QueryBundle | None = None
    ) -> list[NodeWithScore]:
        if query_bundle is None or not nodes:
            return nodes[: self._top]
        scores = self._reranker.score(query_bundle.query_str, [n.get_content() for n in nodes], self._instruction)
        order = sorted(range(len(nodes)), key=lambda i: (-float(scores[i]), i))[: self._top]
        return [NodeWithScore(node=nodes[i].node, score=float(scores[i])) for i in order]
