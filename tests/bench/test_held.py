"""One pass over the texts serves every system that differs behind the encoder."""

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from fake_engines import FakeEncoder, FakeReranker
from steelyard.bench.evaluation.cached import CachedEncoder, CachedReranker, CacheUse
from steelyard.bench.evaluation.held import HeldEncoder, HeldReranker
from steelyard.bench.evaluation.runner import WeighConfig, weigh
from steelyard.engines.base import TruncationWarning
from steelyard.retrieval.resolve import read_systems
from steelyard.suites.registry import open_suite
from steelyard.types import Role


class Counting(FakeEncoder):
    """Counts the texts that it computes."""

    computed = 0

    def _encode(self, texts: Sequence[str], role: Role, instruction: str | None) -> Any:
        self.computed += len(texts)
        return super()._encode(texts, role, instruction)


def held(max_tokens: Any = None, **given: Any) -> tuple[Any, ...]:
    inner, use = Counting(max_tokens=max_tokens), CacheUse()
    return HeldEncoder(CachedEncoder(inner, None, use), use, **given), inner, use


def test_the_same_texts_are_computed_once() -> None:
    encoder, inner, use = held()
    texts = ["苹果", "手机", "苹果"]
    first = encoder.encode(texts, Role.DOCUMENT)
    assert encoder.encode(texts, Role.DOCUMENT, "ignored for documents") is first
    assert (inner.computed, use.computed, use.found) == (2, 2, 2)
    assert np.array_equal(first, FakeEncoder().encode(texts, Role.DOCUMENT))


def test_role_instruction_and_order_are_told_apart() -> None:
    encoder, inner, _ = held()
    for texts, role, instruction in [
        (["a", "b"], Role.QUERY, None),
        (["a", "b"], Role.DOCUMENT, None),
        (["a", "b"], Role.QUERY, ""),
        (["b", "a"], Role.QUERY, None),
    ]:
        assert np.array_equal(encoder.encode(texts, role, instruction), FakeEncoder().encode(texts, role, instruction))
    assert inner.computed == 8


def test_what_is_held_cannot_be_written_to() -> None:
    encoder, _, _ = held()
    rows = encoder.encode(["a"], Role.QUERY)
    with pytest.raises(ValueError, match="read-only"):
        rows[0, 0] = 1


def test_beyond_its_room_it_computes_again() -> None:
    encoder, inner, _ = held(max_bytes=100)
    for _ in range(2):
        encoder.encode(["a"], Role.QUERY)
    assert inner.computed == 2


def test_a_warning_is_given_every_time() -> None:
    encoder, _, _ = held(max_tokens=4)
    for _ in range(2):
        with pytest.warns(TruncationWarning, match="1 of 1 texts are longer"):
            encoder.encode(["a long text"], Role.DOCUMENT)


def test_closing_forgets() -> None:
    encoder, inner, _ = held()
    encoder.encode(["a"], Role.QUERY)
    encoder.close()
    encoder.encode(["a"], Role.QUERY)
    assert inner.computed == 2


class CountingReranker(FakeReranker):
    """Counts the pairs that it scores."""

    scored = 0

    def _score(self, query: Any, documents: Any, instruction: str | None) -> Any:
        self.scored += len(documents)
        return super()._score(query, documents, instruction)


def held_reranker(**given: Any) -> tuple[Any, ...]:
    inner, use = CountingReranker(), CacheUse()
    return HeldReranker(CachedReranker(inner, None, use), use, **given), inner, use


def test_a_shallower_reranking_costs_nothing() -> None:
    reranker, inner, use = held_reranker()
    documents = ["苹果", "手机", "月亮", "手机"]
    deep = reranker.score("苹果手机", documents)
    assert inner.scored == 3
    assert (reranker.score("苹果手机", documents[1:3]) == deep[1:3]).all()
    assert (inner.scored, use.found, use.computed) == (3, 2, 3)
    assert np.array_equal(deep, FakeReranker().score("苹果手机", documents))


def test_pairs_are_told_apart_by_query_and_instruction() -> None:
    reranker, inner, _ = held_reranker()
    for query, instruction in [("a", None), ("b", None), ("a", "find")]:
        reranker.score(query, ["x", "y"], instruction)
    assert inner.scored == 6
    assert reranker.score("a", []).shape == (0,)


def test_beyond_its_room_it_scores_again() -> None:
    reranker, inner, _ = held_reranker(max_pairs=1)
    for _ in range(2):
        reranker.score("a", ["x", "y"])
    assert inner.scored == 4
    reranker.close()


def test_a_sweep_embeds_every_text_once() -> None:
    suite = open_suite("zh-traps-mini")
    systems = read_systems(["minilm-en[dim=32|64|384, precision=float32|int8|binary, rescore=0|5]"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = weigh(systems, suite, WeighConfig())
    assert len(systems) == 18
    texts = len({q.text for q in suite.queries}) + len({d.text for d in suite.documents})
    assert sum(s.cache.computed for s in result.systems) == texts
    assert [s.cache.found for s in result.systems] == [0] + [texts] * 17
