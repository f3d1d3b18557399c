"""LangChain's own standard suites, on an index and encoders whose vectors are made of characters."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fake_engines import FakeEncoder, FakeReranker
from index_kit import fake_builder

pytest.importorskip("langchain_tests")
from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings
from langchain_core.retrievers import BaseRetriever
from langchain_core.vectorstores import VectorStore
from langchain_tests.integration_tests import (
    EmbeddingsIntegrationTests,
    RetrieversIntegrationTests,
    VectorStoreIntegrationTests,
)

from steelyard.errors import UsageError
from steelyard.index.entry import Entry
from steelyard.index.index import Index
from steelyard.integrations.langchain import (
    SteelyardEmbeddings,
    SteelyardReranker,
    SteelyardRetriever,
    SteelyardVectorStore,
)


class FakeEmbeddings(SteelyardEmbeddings):
    def __init__(self) -> None:
        super().__init__(FakeEncoder(32))


class TestEmbeddings(EmbeddingsIntegrationTests):
    @property
    def embeddings_class(self) -> type[Embeddings]:
        return FakeEmbeddings

    @property
    def embedding_model_params(self) -> dict[str, Any]:
        return {}


class TestVectorStore(VectorStoreIntegrationTests):
    @pytest.fixture
    def vectorstore(self, tmp_path: Path) -> Iterator[VectorStore]:
        with Index.create(tmp_path / "kb", "e5-small", builder=fake_builder()) as index:
            yield SteelyardVectorStore(index, self.get_embeddings())


class TestRetriever(RetrieversIntegrationTests):
    @pytest.fixture(autouse=True)
    def _index(self, tmp_path: Path) -> Iterator[None]:
        with Index.create(tmp_path / "kb", "bm25 + e5-small", builder=fake_builder()) as self.index:
            self.index.add([Entry(str(i), f"第{i}条 example") for i in range(20)])
            yield

    @property
    def retriever_constructor(self) -> type[BaseRetriever]:
        return SteelyardRetriever

    @property
    def retriever_constructor_params(self) -> dict[str, Any]:
        return {"index": self.index}

    @property
    def retriever_query_example(self) -> str:
        return "example 第7条"


def test_a_reranker_keeps_the_best_and_says_their_scores() -> None:
    documents = [Document("无关的文字", metadata={"n": 1}), Document("退款规则"), Document("怎么退款")]
    kept = SteelyardReranker(reranker=FakeReranker(), top=2).compress_documents(documents, "怎么退款")
    assert [d.page_content for d in kept] == ["怎么退款", "退款规则"]
    assert kept[0].metadata["relevance_score"] == pytest.approx(1.0)
    assert "relevance_score" not in documents[2].metadata


def test_a_filter_and_a_store_from_texts(tmp_path: Path) -> None:
    store = SteelyardVectorStore.from_texts(
        ["退款规则", "refund rules"],
        FakeEmbeddings(),
        [{"lang": "zh"}, {"lang": "en"}],
        folder=tmp_path / "kb",
        system="bm25",
    )
    assert [d.metadata for d in store.similarity_search("退款 refund", filter={"lang": "en"})] == [{"lang": "en"}]
    with pytest.raises(UsageError, match="folder"):
        SteelyardVectorStore.from_texts(["a"], FakeEmbeddings())
    with pytest.raises(UsageError, match="name the ids"):
        store.delete()
