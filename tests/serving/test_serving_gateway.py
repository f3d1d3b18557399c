"""The gateway in front of servers that differ, fail and refuse."""

import base64
import json
import threading
from collections.abc import Callable
from typing import Any

import httpx
import numpy as np
import openai
import pytest
from pytest_httpserver import HTTPServer
from serving_kit import Serve, recipe, reranker_recipe
from werkzeug import Request, Response

from fake_engines import FakeEncoder
from steelyard.errors import EndpointError, UsageError
from steelyard.models.recipe import Recipe, Sources
from steelyard.serving.gateway.cache import VectorLru
from steelyard.serving.gateway.service import GatewayConfig, gateway_service
from steelyard.serving.gateway.upstream import Upstream
from steelyard.serving.gateway.upstreams import Retries
from steelyard.serving.models import Wanted
from steelyard.serving.settings import Behaviour, Limits
from steelyard.text.key import key_of
from steelyard.types import Role

QUICK = Retries(rounds=3, wait=0.01)
MODEL = recipe("fake", sources=Sources(huggingface="Qwen/Fake-Embedding"))
RERANKER = reranker_recipe()
Ask = Any


def vectors(texts: list[str]) -> np.ndarray:
    return FakeEncoder().encode(texts, Role.DOCUMENT)


class Server:
    """An OpenAI-compatible server with whatever habits a test gives it."""

    def __init__(self, http: HTTPServer) -> None:
        self.bodies: list[dict[str, Any]] = []
        self.listed = ["Qwen/Fake-Embedding"]
        self.failures: list[Response] = []
        self.largest = 10_000
        self.takes_base64 = True
        self.refuses = "\x00nothing"
        self.lock = threading.Lock()
        http.expect_request("/v1/models").respond_with_handler(
            lambda r: _json({"data": [{"id": n, "kind": "reranker" if n == "late" else 7} for n in self.listed]})
        )
        http.expect_request("/v1/embeddings", method="POST").respond_with_handler(self.embed)

    def list_models(self, request: Request) -> Response:
        return _json({"data": [{"id": n, "kind": "reranker" if n == "late" else 7} for n in self.listed]})

    def embed(self, request: Request) -> Response:
        body = json.loads(request.data)
        with self.lock:
            self.bodies.append(body)
            if self.failures:
                return self.failures.pop(0)
        if "encoding_format" in body and not self.takes_base64:
            return _json({"error": {"message": "unknown field encoding_format"}}, 400)
        if len(body["input"]) > self.largest:
            return _json({"error": f"batch size {len(body['input'])} > {self.largest}"}, 422)
        if any(self.refuses in t for t in body["input"]):
            return _json({"message": "this text is too long"}, 413)
        rows = vectors(body["input"]) * 3  # not normalised, as some servers leave them
        rows = rows[:, : body.get("dimensions", 32)]
        if body.get("encoding_format") == "base64":
            values = [base64.b64encode(r.astype("<f4").tobytes()).decode() for r in rows]
        else:
            values = [r.tolist() for r in rows]
        data = [{"index": i, "embedding": v} for i, v in enumerate(values)]
        return _json({"data": data[::-1], "usage": {"prompt_tokens": 7, "total_tokens": 7}})

    @property
    def texts(self) -> list[str]:
        return [t for body in self.bodies for t in body["input"]]


def _json(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(json.dumps(value), status, headers, content_type="application/json")


@pytest.fixture
def server(httpserver: HTTPServer) -> Server:
    return Server(httpserver)


@pytest.fixture
def ask(serve: Serve, httpserver: HTTPServer) -> Ask:
    url: list[str] = []

    def start(*urls: str, model: Recipe = MODEL, **config: Any) -> None:
        settings = GatewayConfig(urls or (httpserver.url_for(""),), retries=QUICK, **config)
        wanted = [Wanted(model)] if model else []
        url.append(serve(gateway_service(wanted, settings, Limits(), Behaviour())))

    def post(texts: str | list[str], path: str = "/v1/embeddings", headers: Any = None, **body: Any) -> httpx.Response:
        if not url:
            start()
        return httpx.post(url[0] + path, json={"model": "fake", "input": texts} | body, headers=headers, timeout=20)

    post.start, post.url = start, url  # type: ignore[attr-defined]
    return post


def rows(answer: httpx.Response) -> np.ndarray:
    assert answer.status_code == 200, answer.text
    return np.array([d["embedding"] for d in answer.json()["data"]])


def test_templates_are_put_on_and_vectors_normalised(ask: Ask, server: Server) -> None:
    answer = ask(["甲", "乙"], input_type="query", instruction="find")
    sent = ["Instruct: find\nQuery:甲", "Instruct: find\nQuery:乙"]
    assert server.bodies == [{"model": "Qwen/Fake-Embedding", "input": sent, "encoding_format": "base64"}]
    np.testing.assert_allclose(rows(answer), vectors(sent), atol=1e-6)
    assert answer.json()["usage"]["total_tokens"] == 7


def test_dimensions_are_cut_here_and_never_asked_of_the_upstream(ask: Ask, server: Server) -> None:
    cut = rows(ask("甲", dimensions=8))
    wanted = vectors(["甲"])[:, :8]
    np.testing.assert_allclose(cut, wanted / np.linalg.norm(wanted), atol=1e-6)
    assert "dimensions" not in server.bodies[0]
    assert ask("甲", dimensions=4).json()["error"]["code"] == "dimensions_refused"


def test_the_official_client_through_the_gateway(ask: Ask, server: Server) -> None:
    ask.start()
    with openai.OpenAI(base_url=f"{ask.url[0]}/v1", api_key="none") as client:
        answer = client.embeddings.create(model="fake", input=["甲", "乙"])
        assert [m.id for m in client.models.list()] == ["fake"]
    np.testing.assert_allclose([d.embedding for d in answer.data], vectors(["甲", "乙"]), atol=1e-6)


def test_what_was_asked_before_is_not_asked_again(ask: Ask, server: Server) -> None:
    first = rows(ask(["甲", "乙", "甲"]))
    again = rows(ask(["乙", "丙", "甲"]))
    assert server.texts == ["甲", "乙", "丙"]
    np.testing.assert_array_equal(first[[1, 0]], again[[0, 2]])
    rows(ask("甲", input_type="query"))
    assert server.texts[3:] == ["Instruct: find it\nQuery:甲"]
    text = httpx.get(f"{ask.url[0]}/metrics").text
    assert 'steelyard_gateway_cache_total{hit="yes"} 3.0' in text


def test_nul_is_made_harmless_before_it_is_sent(ask: Ask, server: Server) -> None:
    rows(ask("a\x00b"))
    assert server.texts == ["a b"]


def test_a_server_without_base64_is_asked_for_numbers(ask: Ask, server: Server) -> None:
    server.takes_base64 = False
    np.testing.assert_allclose(rows(ask("甲")), vectors(["甲"]), atol=1e-6)
    rows(ask("乙"))
    assert ["encoding_format" in b for b in server.bodies] == [True, False, False]


def test_smaller_batches_are_found_for_a_server_that_wants_them(ask: Ask, server: Server) -> None:
    server.largest = 3
    texts = [f"text {i}" for i in range(40)]
    np.testing.assert_allclose(rows(ask(texts)), vectors(texts), atol=1e-6)


def test_a_text_that_the_upstream_refuses_is_answered_in_its_words(ask: Ask, server: Server) -> None:
    server.refuses = "long"
    answer = ask([*(f"t{i}" for i in range(9)), "too long", "t"])
    assert answer.status_code == 400
    assert "this text is too long" in answer.json()["error"]["message"]
    assert rows(ask(["t1", "new"])).shape == (2, 32)


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_passing_failure_is_tried_again(ask: Ask, server: Server, status: int) -> None:
    server.failures = [_json({}, status, {"Retry-After": "0"})] * 2
    np.testing.assert_allclose(rows(ask("甲")), vectors(["甲"]), atol=1e-6)


def test_a_lasting_failure_names_the_upstream_and_no_key(ask: Ask, server: Server, httpserver: HTTPServer) -> None:
    ask.start(httpserver.url_for("").replace("http://", "http://user:secret@"), key="sk-secret")
    server.failures = [_json({}, 503)] * 20
    answer = ask("甲")
    assert (answer.status_code, answer.json()["error"]["code"]) == (502, "upstream_failed")
    assert "status 503" in answer.text
    assert "secret" not in answer.text
    assert "secret" not in httpx.get(f"{ask.url[0]}/metrics").text


def test_another_upstream_stands_in_for_one_that_is_down(ask: Ask, server: Server, httpserver: HTTPServer) -> None:
    ask.start("http://127.0.0.1:9", httpserver.url_for("/v1"))
    for text in ("甲", "乙", "丙"):
        np.testing.assert_allclose(rows(ask(text)), vectors([text]), atol=1e-6)
    assert httpx.get(f"{ask.url[0]}/ready").status_code == 200


def test_nobody_answers(ask: Ask) -> None:
    ask.start("http://127.0.0.1:9")
    assert ask("甲").status_code == 502
    assert httpx.get(f"{ask.url[0]}/ready").status_code == 503
    late = ask("甲", headers={"X-Request-Timeout": "0.000001"})
    assert late.json()["error"]["code"] == "deadline"


def test_another_model_than_expected_is_noticed(ask: Ask, server: Server) -> None:
    ask.start(model=recipe("fake", dimension=64, sources=MODEL.sources))
    answer = ask("甲")
    assert answer.status_code == 502
    assert "gave vectors of 32 dimensions where 64 were expected" in answer.text


def test_a_model_that_the_upstream_does_not_list(ask: Ask, server: Server) -> None:
    server.listed = ["other"]
    answer = ask("甲")
    assert answer.status_code == 502
    assert "lists no fake; write fake=ITS_NAME" in answer.text


def test_without_models_all_that_is_listed_is_served(serve: Serve, server: Server, httpserver: HTTPServer) -> None:
    server.listed = ["/models/Qwen3-Embedding-0.6B", "unheard-of", "some-reranker", "late"]
    config = GatewayConfig((httpserver.url_for("/v1"),), retries=QUICK)
    url = serve(gateway_service([], config, Limits(), Behaviour()))
    cards = {c["id"]: c for c in httpx.get(f"{url}/v1/models").json()["data"]}
    assert [c["kind"] for c in cards.values()] == ["embedding", "embedding", "reranker", "reranker"]
    assert cards["/models/Qwen3-Embedding-0.6B"]["dimension"] == 1024
    body = {"model": "unheard-of", "input": "x", "dimensions": 5}
    assert rows(httpx.post(f"{url}/v1/embeddings", json=body)).shape == (1, 5)
    assert server.bodies[-1] == body | {"input": ["x"], "encoding_format": "base64"}
    with pytest.raises(EndpointError, match="no list of models"):
        gateway_service([], GatewayConfig(("http://127.0.0.1:9",)), Limits(), Behaviour())


SCORES = [0.1, 0.9, 0.5]


def vllm(body: dict[str, Any]) -> Any:
    return {"results": [{"index": i, "relevance_score": s} for i, s in enumerate(SCORES[: len(body["documents"])])]}


def sglang(body: dict[str, Any]) -> Any:
    pairs = zip(SCORES, body["documents"], strict=True)
    return [{"index": i, "score": s, "document": d} for i, (s, d) in enumerate(pairs)][::-1]


def tei(body: dict[str, Any]) -> Any:
    return [{"index": i, "score": s} for i, s in enumerate(SCORES[: len(body["texts"])])]


@pytest.mark.parametrize(
    ("path", "shape"), [("/v1/rerank", vllm), ("/v1/rerank", sglang), ("/rerank", vllm), ("/rerank", tei)]
)
def test_every_rerank_shape_becomes_one(
    ask: Ask,
    httpserver: HTTPServer,
    path: str,
    shape: Callable[[dict], Any],  # type: ignore[type-arg]
) -> None:
    seen: list[dict[str, Any]] = []
    httpserver.no_handler_status_code = 404

    def rerank(request: Request) -> Response:
        body = json.loads(request.data)
        seen.append(body)
        if shape is tei and "texts" not in body:
            return _json({"error": "missing field `texts`"}, 422)
        return _json(shape(body))

    httpserver.expect_request(path, method="POST").respond_with_handler(rerank)
    ask.start(model=RERANKER)
    for _ in range(2):
        answer = ask("", "/v1/rerank", model="fake-reranker", query="q", documents=["a", "b", "c"])
        assert [r["index"] for r in answer.json()["results"]] == [1, 2, 0]
    assert [r["relevance_score"] for r in answer.json()["results"]] == pytest.approx([0.9, 0.5, 0.1])
    assert seen[-1]["query"] == "q"
    assert len(seen) == (3 if shape is tei else 2)
    bare = httpx.post(f"{ask.url[0]}/rerank", json={"query": "q", "texts": ["a", "b", "c"]})
    assert [r["index"] for r in bare.json()] == [1, 2, 0]


def test_an_upstream_that_cannot_rerank(ask: Ask, httpserver: HTTPServer) -> None:
    ask.start(model=RERANKER)
    httpserver.expect_request("/v1/models").respond_with_data("", status=404)
    httpserver.no_handler_status_code = 404
    answer = ask("", "/v1/rerank", model="fake-reranker", query="q", documents=["a"])
    assert answer.status_code == 502


def test_the_cache_keeps_what_was_used_last_within_its_bound() -> None:
    row = np.ones(100, dtype=np.float32)
    cache = VectorLru(3 * (row.nbytes + 350))
    for name in "abc":
        cache.put(key_of(name), row)
    assert cache.get(key_of("a")) is not None
    cache.put(key_of("d"), row)
    assert [cache.get(key_of(n)) is not None for n in "abcd"] == [True, False, True, True]
    cache.put(key_of("e"), np.ones(10_000, dtype=np.float32))
    assert (len(cache), cache.bytes) == (3, 3 * (row.nbytes + 350))
    cache.put(key_of("a"), row)
    assert cache.bytes == 3 * (row.nbytes + 350)
    assert key_of("ab", "c") != key_of("a", "bc")


@pytest.mark.parametrize(
    ("given", "embeddings", "beside"),
    [
        ("http://h:8000", "http://h:8000/v1/embeddings", "http://h:8000/rerank"),
        ("http://h:8000/v1/", "http://h:8000/v1/embeddings", "http://h:8000/rerank"),
        ("https://h/api/paas/v4", "https://h/api/paas/v4/embeddings", "https://h/api/paas/v4/rerank"),
    ],
)
def test_where_the_api_begins(given: str, embeddings: str, beside: str) -> None:
    upstream = Upstream.read(given, None)
    assert (str(upstream.url("/embeddings")), str(upstream.url("//rerank"))) == (embeddings, beside)


@pytest.mark.parametrize("url", ["localhost:8000", "ftp://h", "http://", "http://h/v1?key=1"])
def test_what_is_no_upstream(url: str) -> None:
    with pytest.raises(UsageError, match="--upstream"):
        Upstream.read(url, None)
