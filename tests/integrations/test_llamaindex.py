from __future__ import annotations

from pathlib import Path

import pytest

from fake_engines import FakeEncoder, FakeReranker
from index_kit import fake_builder

pytestmark = pytest.mark.slow


def test_embedding_retriever_and_reranker(tmp_path: Path) -> None:
    pytest.importorskip("llama_index.core")
    from llama_index.core import Document, VectorStoreIndex
    from llama_index.core.schema import QueryBundle

    from steelyard.index.entry import Entry
    from steelyard.index.index import Index
    from steelyard.integrations.llamaindex import SteelyardEmbedding, SteelyardIndexRetriever, SteelyardRerank

    embedding = SteelyardEmbedding(FakeEncoder(32))
    texts = ["退款十日内到账", "在设置里修改密码", "发票随货寄出"]
    own = VectorStoreIndex.from_documents([Document(text=t) for t in texts], embed_model=embedding)
    assert own.as_retriever(similarity_top_k=1).retrieve("退款到账")[0].text == texts[0]
    with Index.create(tmp_path / "kb", "bm25 + e5-small", builder=fake_builder()) as index:
        index.add([Entry(str(i), t, {"n": i}) for i, t in enumerate(texts)])
        found = SteelyardIndexRetriever(index, k=3).retrieve("修改密码")
    assert (found[0].node.node_id, found[0].node.metadata) == ("1", {"n": 1})
    best = SteelyardRerank(FakeReranker(), top=1).postprocess_nodes(found, query_bundle=QueryBundle("发票随货"))
    assert [n.node.node_id for n in best] == ["2"]
