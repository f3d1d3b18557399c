import numpy as np
import pytest
from retrieval_fakes import TableEncoder

from steelyard.errors import UsageError
from steelyard.retrieval.dense import DenseRetriever
from steelyard.types import Document, Query

TABLE = {"east": (4, 0, 3), "north": (0, 2, 0), "both": (1, 1, 9), "zero": (0, 0, 0), "q": (1, 0, 0)}
DOCUMENTS = [Document(t, t) for t in ("east", "north", "both", "zero")]


def test_ranks_by_cosine() -> None:
    retriever = DenseRetriever(TableEncoder(TABLE))
    retriever.index(DOCUMENTS)
    ranking = retriever.search([Query("1", "q")], 10)[0]
    assert ranking.document_ids == ("east", "both", "zero", "north")
    np.testing.assert_allclose(ranking.scores, [0.8, 1 / np.sqrt(83), 0, 0], rtol=1e-6)


def test_a_cut_vector_is_normalised_again() -> None:
    retriever = DenseRetriever(TableEncoder(TABLE), dimension=2)
    retriever.index(DOCUMENTS)
    ranking = retriever.search([Query("1", "q")], 2)[0]
    assert ranking.document_ids == ("east", "both")
    np.testing.assert_allclose(ranking.scores, [1, np.sqrt(0.5)], rtol=1e-6)


@pytest.mark.parametrize("dimension", [0, 4, -1])
def test_a_dimension_that_is_not_there(dimension: int) -> None:
    retriever = DenseRetriever(TableEncoder(TABLE), dimension=dimension)
    with pytest.raises(UsageError, match="table gives 3 dimensions"):
        retriever.index(DOCUMENTS)


def test_only_queries_get_the_instruction() -> None:
    encoder = TableEncoder(TABLE)
    retriever = DenseRetriever(encoder, instruction="find it")
    retriever.index(DOCUMENTS)
    retriever.search([Query("1", "q"), Query("2", "q")], 1)
    assert encoder.calls == [(4, "document", None), (1, "query", "find it")]


def test_many_documents_come_in_parts_and_in_order() -> None:
    table = {f"t{i}": (np.cos(i), np.sin(i)) for i in range(700)} | {"q": (1, 0)}
    retriever = DenseRetriever(TableEncoder(table))
    seen = []
    retriever.index([Document(f"d{i}", f"t{i}") for i in range(700)], lambda *p: seen.append(p))
    assert [p[1:] for p in seen] == [(256, 700), (512, 700), (700, 700)]
    best = retriever.search([Query("1", "q")], 700)[0]
    for hit in best:
        assert hit.score == pytest.approx(np.cos(int(hit.document_id[1:])), abs=1e-6)


def test_nothing_indexed_nothing_found() -> None:
    retriever = DenseRetriever(TableEncoder(TABLE))
    with pytest.raises(UsageError, match="index documents"):
        retriever.search([Query("1", "q")], 1)
    retriever.index([])
    assert [len(r) for r in retriever.search([Query("1", "q")], 1)] == [0]
    retriever.index(DOCUMENTS)
    assert retriever.search([], 1) == []
