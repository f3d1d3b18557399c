import math
from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from steelyard.errors import UsageError
from steelyard.retrieval.lexical import METHODS, BM25Retriever
from steelyard.text.segment import segment
from steelyard.types import Document, Query, ranked

words = st.sampled_from(["苹果", "手机", "水果", "好吃", "apple", "的", "，"])
texts = st.lists(words, max_size=8).map(" ".join)


def reference(documents: Any, query: Any, k: Any, k1: float = 1.5, b: float = 0.75) -> Any:
    """BM25 as Lucene has it, written out."""
    bags = {d.id: Counter(segment(d.text)) for d in documents}
    average = sum(map(Counter.total, bags.values())) / len(bags)
    scores = {}
    for document_id, bag in bags.items():
        total, matched = 0.0, False
        for word in segment(query.text):
            tf = bag[word]
            df = sum(word in other for other in bags.values())
            if tf:
                idf = math.log(1 + (len(bags) - df + 0.5) / (df + 0.5))
                total += idf * tf / (tf + k1 * (1 - b + b * bag.total() / average))
                matched = True
        if matched:
            scores[document_id] = total
    return ranked(query.id, scores, k)


@given(st.lists(texts, min_size=1, max_size=12), texts, st.integers(1, 15))
def test_is_lucenes_bm25(document_texts: list[Any], query_text: Any, k: int) -> None:
    documents = [Document(f"d{i}", t) for i, t in enumerate(document_texts)]
    retriever = BM25Retriever()
    retriever.index(documents)
    ours = retriever.search([Query("q", query_text)], k)[0]
    wanted = reference(documents, Query("q", query_text), k)
    np.testing.assert_allclose(ours.scores, wanted.scores, rtol=1e-5)
    assert ours.scores.dtype == np.float32
    every = {hit.document_id: hit.score for hit in reference(documents, Query("q", query_text), 99)}
    for hit in ours:
        assert every[hit.document_id] == pytest.approx(hit.score, rel=1e-5)


def test_no_match_is_an_empty_ranking() -> None:
    retriever = BM25Retriever()
    retriever.index([Document("a", "苹果手机"), Document("b", ""), Document("c", "，。")])
    found = retriever.search([Query("1", "月亮"), Query("2", ""), Query("3", "手机"), Query("4", "！")], 10)
    assert [r.document_ids for r in found] == [(), (), ("a",), ()]
    assert [r.query_id for r in found] == ["1", "2", "3", "4"]


@pytest.mark.parametrize("documents", [[], [Document("a", "")], [Document("a", "，"), Document("b", " ")]])
def test_documents_without_words(documents: list[Any]) -> None:
    retriever = BM25Retriever()
    retriever.index(documents)
    assert len(retriever.search([Query("q", "苹果")], 3)[0]) == 0


def test_equal_documents_tie_by_id_descending() -> None:
    retriever = BM25Retriever()
    retriever.index([Document(i, "红苹果") for i in ("b", "c", "a")])
    assert retriever.search([Query("q", "苹果")], 2)[0].document_ids == ("c", "b")


def test_a_second_index_replaces_the_first() -> None:
    retriever = BM25Retriever()
    retriever.index([Document("a", "苹果")])
    retriever.index([Document("b", "月亮")])
    assert retriever.search([Query("q", "苹果 月亮")], 5)[0].document_ids == ("b",)


@pytest.mark.parametrize("method", METHODS)
def test_every_method_finds_the_better_document(method: Any) -> None:
    retriever = BM25Retriever(method=method)
    filler = [Document(f"x{i}", "今天 天气 不错") for i in range(5)]
    retriever.index([Document("a", "苹果 手机 发布"), Document("b", "苹果 好吃"), *filler])
    ranking = retriever.search([Query("q", "苹果 手机")], 5)[0]
    assert ranking.document_ids == ("a", "b")


def test_progress_ends_at_the_total() -> None:
    seen = []
    retriever = BM25Retriever()
    retriever.index([Document("a", "苹果")], lambda *p: seen.append(p))
    retriever.search([Query("q", "苹果")], 1, lambda *p: seen.append(p))
    assert seen == [("index", 1, 1), ("search", 1, 1)]


@pytest.mark.parametrize("wrong", [{"k1": -1}, {"b": 1.5}, {"method": "tfidf"}])
def test_settings_out_of_range(wrong: dict[Any, Any]) -> None:
    with pytest.raises(UsageError):
        BM25Retriever(**wrong)
