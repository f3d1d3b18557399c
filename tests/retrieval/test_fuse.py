from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from retrieval_fakes import FixedRetriever

from steelyard.errors import UsageError
from steelyard.retrieval.fuse import FusedRetriever, FusePart
from steelyard.types import Document, Query

A = {"a": 9.0, "b": 5.0, "c": 1.0}
B = {"c": 0.9, "d": 0.5}


def fused(*parts: Any, **settings: Any) -> FusedRetriever:
    return FusedRetriever([FusePart(FixedRetriever(s), w) for s, w in parts], **settings)


def search(retriever: Any, k: int = 10) -> Any:
    return retriever.search([Query("q", "text")], k)[0]


def test_reciprocal_ranks() -> None:
    ranking = search(fused((A, None), (B, None)))
    assert ranking.document_ids == ("c", "a", "d", "b")
    np.testing.assert_allclose(ranking.scores, [1 / 63 + 1 / 61, 1 / 61, 1 / 62, 1 / 62], rtol=1e-6)


def test_the_constant_of_reciprocal_ranks() -> None:
    np.testing.assert_allclose(search(fused((A, None), rrf_k=1)).scores, [1 / 2, 1 / 3, 1 / 4], rtol=1e-6)


def test_weights_share_out_normalised_scores() -> None:
    ranking = search(fused((A, 3), (B, None)))
    assert ranking.document_ids == ("a", "b", "c", "d")
    np.testing.assert_allclose(ranking.scores, [0.75, 0.375, 0.25, 0], rtol=1e-6)


def test_one_hit_and_equal_scores_count_one() -> None:
    assert list(search(fused(({"a": -7.0}, 1), ({}, 1))).scores) == [0.5]
    assert list(search(fused(({"a": 2.0, "b": 2.0}, 1))).scores) == [1, 1]


def test_no_hits_at_all() -> None:
    assert len(search(fused(({}, None), ({}, None)))) == 0
    assert len(search(fused(({}, 1), ({}, 2)))) == 0


def test_each_part_is_asked_for_the_depth_or_k() -> None:
    first, second = FixedRetriever(A), FixedRetriever(B)
    retriever = FusedRetriever([FusePart(first), FusePart(second)], depth=2)
    assert search(retriever, k=1).document_ids == ("c",)
    search(retriever, k=3)
    assert first.asked == second.asked == [2, 3]


def test_every_part_gets_the_documents_and_progress_runs_through() -> None:
    first, second = FixedRetriever(A), FixedRetriever(B)
    seen = []
    documents = [Document("a", "x"), Document("b", "y")]
    FusedRetriever([FusePart(first), FusePart(second)]).index(documents, lambda *p: seen.append(p))
    assert first.documents == second.documents == documents
    assert seen == [("index", 2, 4), ("index", 4, 4)]


@pytest.mark.parametrize("weights", [(-1, 2), (0, 0), (float("inf"), 1), (float("nan"), 1)])
def test_weights_that_mean_nothing(weights: Any) -> None:
    with pytest.raises(UsageError, match="weights"):
        fused(*((A, w) for w in weights))


@pytest.mark.parametrize("wrong", [{"depth": 0}, {"rrf_k": 0}])
def test_settings_out_of_range(wrong: dict[Any, Any]) -> None:
    with pytest.raises(UsageError):
        fused((A, None), **wrong)
    with pytest.raises(UsageError):
        FusedRetriever([])


scores = st.dictionaries(st.sampled_from("abcdefgh"), st.floats(-100, 100, width=32), max_size=8)


@given(st.lists(scores, min_size=1, max_size=4), st.permutations(range(4)), st.booleans())
def test_the_order_of_the_parts_does_not_matter(parts: list[Any], order: Any, weighted: bool) -> None:
    weight = 1.0 if weighted else None
    one = search(fused(*((s, weight) for s in parts)))
    other = search(fused(*((parts[i], weight) for i in order if i < len(parts))))
    assert one == other
    assert set(one.document_ids) == set().union(*parts)


@given(scores, st.floats(0.01, 100), st.floats(-50, 50))
def test_weighted_fusion_does_not_see_scale_or_shift(part: Any, scale: float, shift: float) -> None:
    moved = {i: s * scale + shift for i, s in part.items()}
    one = search(fused((part, 2.0), (B, 1.0)))
    other = search(fused((moved, 2.0), (B, 1.0)))
    left, right = ({h.document_id: h.score for h in r} for r in (one, other))
    spread = max(part.values(), default=0) - min(part.values(), default=0)
    if spread > 1e-2:
        assert left == pytest.approx(right, abs=2e-2)
