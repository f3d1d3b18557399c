"""Requests and answers as values: what is written is read back, what cannot be right is refused."""

import base64
import gzip
import math
import zlib
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from steelyard.types import Role
from steelyard.wire.answer import AnswerError, excerpt
from steelyard.wire.embeddings import embeddings_request, listed_models, read_embeddings, refuses_encoding
from steelyard.wire.http import read_bounded
from steelyard.wire.rerank import SPELLINGS, other_spellings, path_under, read_scores

NUMBERS = st.floats(-(2.0**100), 2.0**100, width=32)
ROWS = st.integers(1, 5).flatmap(
    lambda d: st.lists(st.lists(NUMBERS, min_size=d, max_size=d).filter(any), min_size=1, max_size=6)
)


@given(rows=ROWS, in_base64=st.booleans(), order=st.randoms(use_true_random=False))
def test_vectors_are_read_back_exactly_in_the_order_of_the_texts(rows: Any, in_base64: bool, order: Any) -> None:
    def written(row: Any) -> Any:
        return base64.b64encode(np.array(row, dtype="<f4").tobytes()).decode() if in_base64 else row

    data = [{"index": i, "embedding": written(row)} for i, row in enumerate(rows)]
    order.shuffle(data)
    read = read_embeddings({"data": data}, len(rows), len(rows[0]))
    np.testing.assert_array_equal(read.vectors, np.array(rows, dtype=np.float32))
    assert read.listed == tuple(item["index"] for item in data)


@given(scores=st.lists(NUMBERS, min_size=1, max_size=6), order=st.randoms(use_true_random=False))
def test_every_shape_of_scores_says_the_same(scores: list[Any], order: Any) -> None:
    places = list(range(len(scores)))
    order.shuffle(places)
    relevance = [{"index": i, "relevance_score": scores[i]} for i in places]
    bare = [{"index": i, "score": scores[i]} for i in places]
    for answer in ({"results": relevance}, bare, {"data": relevance}, {"output": {"results": relevance}}):
        np.testing.assert_array_equal(read_scores(answer, len(scores)), np.array(scores, dtype=np.float32))


@pytest.mark.parametrize("score", [math.nan, math.inf, 1e39, 10**400, True, "1", None, [1.0]])
def test_what_is_no_score_is_refused(score: Any) -> None:
    with pytest.raises(AnswerError, match="as the score") as caught:
        read_scores([{"index": 0, "score": 1.0}, {"index": 1, "score": score}], 2)
    assert caught.value.index == 1


@pytest.mark.parametrize(
    ("embeddings", "said"),
    [
        ([[0.0, 0.0], [1.0, 0.0]], "zeros only"),
        ([[1.0], [1.0, 0.0]], "1, 2 dimensions where one size"),
        ([[1.0, math.nan], [1.0, 0.0]], "not finite"),
        ([[1.0, 10**400], [1.0, 0.0]], "instead of a vector"),
        ([[[1.0]], [[1.0]]], "instead of a vector"),
        (["!", "!"], "instead of a vector"),
        ([None, None], "instead of a vector"),
    ],
)
def test_what_is_no_vector_is_refused(embeddings: Any, said: str) -> None:
    with pytest.raises(AnswerError, match=said):
        read_embeddings({"data": [{"index": i, "embedding": e} for i, e in enumerate(embeddings)]}, 2)


@pytest.mark.parametrize("index", [(0, 0), (1, 2), (True, 0), (0.0, 1.0), ("0", "1"), (None, None), (-1, 0)])
def test_numbers_that_are_not_those_of_the_texts_are_refused(index: Any) -> None:
    with pytest.raises(AnswerError, match="numbered"):
        read_embeddings({"data": [{"index": i, "embedding": [1.0]} for i in index]}, 2)


@pytest.mark.parametrize(
    ("usage", "tokens"),
    [
        ({"prompt_tokens": 7, "total_tokens": 9}, 7),
        ({"total_tokens": 9}, 9),
        ({"prompt_tokens": -1, "total_tokens": 3}, 3),
        ({"prompt_tokens": "7"}, None),
        ([], None),
        (None, None),
    ],
)
def test_tokens_are_read_where_they_are_said(usage: Any, tokens: int | None) -> None:
    answer = {"data": [{"index": 0, "embedding": [1.0]}], "usage": usage}
    assert read_embeddings(answer, 1).tokens == tokens


def test_requests_say_only_what_was_given() -> None:
    assert embeddings_request("m", ["a"]) == {"model": "m", "input": ["a"]}
    full = embeddings_request("m", ["a"], dimensions=8, encoding="base64", role=Role.QUERY)
    assert full == {"model": "m", "input": ["a"], "dimensions": 8, "encoding_format": "base64", "input_type": "query"}
    assert refuses_encoding(422, "unknown field encoding_format")
    assert not refuses_encoding(500, "encoding_format")


def test_every_spelling_carries_query_documents_and_task() -> None:
    for spelling in SPELLINGS:
        body = spelling.request("m", "q", ["a", "b"], "find")
        inner = body.get("input", body)
        assert (body["model"], inner["query"], inner[spelling.field]) == ("m", "q", ["a", "b"])
        assert body.get("parameters", body)["instruct"] == "find"
        assert "instruct" not in str(spelling.request("m", "q", ["a"]))


def test_every_spelling_can_be_reached_from_the_first() -> None:
    def reached(spelling: Any) -> Any:
        refusals = [*other_spellings(spelling, 404, ""), *other_spellings(spelling, 422, "missing field `texts`")]
        return {spelling}.union(*map(reached, refusals))

    assert reached(SPELLINGS[0]) == set(SPELLINGS)
    assert other_spellings(SPELLINGS[0], 400, "too many documents") == ()


@pytest.mark.parametrize(
    ("base", "path", "whole"),
    [("/v1", "/rerank", "/v1/rerank"), ("/v1", "//rerank", "/rerank"), ("", "//rerank", "/rerank")],
)
def test_paths_beside_the_version(base: str, path: str, whole: str) -> None:
    assert path_under(base, path) == whole


def test_models_are_listed_with_their_kind() -> None:
    answer = {"data": [{"id": "a", "kind": "reranker"}, {"id": "b", "kind": 7}, {"id": 3}, "c"]}
    assert listed_models(answer) == {"a": "reranker", "b": None}
    assert listed_models([1]) == listed_models({"data": {}}) == {}


def test_an_excerpt_shows_no_control_characters_and_stays_short() -> None:
    assert "\x1b" not in excerpt("\x1b[31mred\n")
    assert len(excerpt([["x" * 10_000] * 100] * 1000)) <= 200


@given(st.binary(max_size=400), st.integers(1, 7), st.sampled_from(["", "identity", "gzip", "GZIP"]))
def test_an_answer_is_read_whole_up_to_the_bound(content: bytes, cuts: int, coding: str) -> None:
    sent = gzip.compress(content) if coding.lower() == "gzip" else content
    pieces = [sent[i : i + cuts] for i in range(0, len(sent), cuts)]
    assert read_bounded(iter(pieces), coding, len(content)) == content
    if content:
        with pytest.raises(AnswerError, match="more than"):
            read_bounded(iter(pieces), coding, len(content) - 1)


@pytest.mark.parametrize("coding", ["gzip, gzip", "br", "zstd", "deflate", "x" * 1000])
def test_a_coding_that_was_not_asked_for_is_refused(coding: str) -> None:
    with pytest.raises(AnswerError, match="not asked for"):
        read_bounded(iter([b"x"]), coding, 100)


def test_broken_gzip_is_refused() -> None:
    with pytest.raises(AnswerError, match="cannot be read"):
        read_bounded(iter([b"\x1f\x8b\x08\x00 not gzip", zlib.compress(b"x")]), "gzip", 100)
