"""The client engine, the gateway and the doctor in front of the same servers: what one can read, all can."""

import gzip
import resource
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import numpy as np
import pytest

from served import serving_app
from steelyard.doctor.target import ServerConfig, ServerTarget, served_models
from steelyard.engines.remote.openai import OpenAIConfig, OpenAIEncoder, OpenAIReranker
from steelyard.engines.remote.retry import RetryPolicy
from steelyard.errors import EndpointError
from steelyard.serving.app import build_app
from steelyard.serving.gateway.service import GatewayConfig, gateway_service
from steelyard.serving.gateway.upstreams import Retries
from steelyard.serving.settings import Behaviour, Limits
from steelyard.types import Role
from upstream_kit import Asked, Bad, http

QUERY, DOCUMENTS = "q", ["aa", "b", "cccc"]
SCORES = [2.0, 1.0, 4.0]
Start = Callable[[Callable[[Asked], bytes | None]], Bad]


def scored(documents: list[str], name: str) -> list[dict[str, Any]]:
    return [{"index": i, name: float(len(d))} for i, d in reversed(list(enumerate(documents)))]


def cohere(path: str) -> Callable[[Asked], bytes]:
    def habit(asked: Asked) -> bytes:
        if asked.path != path:
            return http(404, {"detail": "Not Found"})
        return http(200, {"results": scored(asked.body["documents"], "relevance_score")})

    return habit


def sglang(asked: Asked) -> bytes:
    return http(200, scored(asked.body["documents"], "score")) if asked.path == "/v1/rerank" else http(404, "")


def voyage(asked: Asked) -> bytes:
    return http(200, {"data": scored(asked.body["documents"], "relevance_score")})


def tei(asked: Asked) -> bytes:
    if asked.path != "/rerank":
        return http(404, "")
    if "texts" not in asked.body:
        said = "Failed to deserialize the JSON body into the target type: missing field `texts` at line 1 column 62"
        return http(422, said, kind="text/plain")
    return http(200, scored(asked.body["texts"], "score"))


def dashscope(asked: Asked) -> bytes:
    if asked.path != "/v1/services/rerank/text-rerank/text-rerank":
        return http(404, "")
    return http(200, {"output": {"results": scored(asked.body["input"]["documents"], "relevance_score")}})


SERVERS = {
    "vLLM": cohere("/v1/rerank"),
    "beside v1": cohere("/rerank"),
    "SGLang": sglang,
    "Voyage": voyage,
    "TEI": tei,
    "DashScope": dashscope,
    "DashScope, flat": cohere("/v1/reranks"),
}


@pytest.fixture
def start() -> Iterator[Start]:
    started: list[Bad] = []

    def begin(habit: Callable[[Asked], bytes | None]) -> Bad:
        started.append(Bad(habit, models=http(200, {"data": [{"id": "the-reranker"}, {"id": "an-embedder"}]})))
        return started[-1]

    yield begin
    for one in started:
        one.close()


@pytest.mark.parametrize("name", SERVERS)
def test_all_three_read_every_reranker(start: Start, name: str) -> None:
    url = start(SERVERS[name]).url + "/v1"
    engine = OpenAIReranker(OpenAIConfig("the-reranker", url), {})
    np.testing.assert_array_equal(engine.score(QUERY, DOCUMENTS), SCORES)
    doctor = ServerTarget(ServerConfig(url, "the-reranker"))
    np.testing.assert_array_equal(doctor.rerank(QUERY, DOCUMENTS), SCORES)
    with through_gateway(url) as gateway:
        answer = httpx.post(f"{gateway}/v1/rerank", json={"query": QUERY, "documents": DOCUMENTS}).json()
    assert {r["index"]: r["relevance_score"] for r in answer["results"]} == dict(enumerate(SCORES))


def test_the_spelling_is_found_once(start: Start) -> None:
    server = start(tei)
    target = ServerTarget(ServerConfig(f"{server.url}/v1", "the-reranker"))
    for _ in range(3):
        target.rerank(QUERY, DOCUMENTS)
    assert [a.path for a in server.posts] == ["/v1/rerank", "/rerank", "/rerank", "/rerank", "/rerank"]


def bomb(layers: int, size: int) -> bytes:
    content = bytes(size)
    for _ in range(layers):
        content = gzip.compress(content)
    coding = ", ".join(["gzip"] * layers)
    return http(200, content, f"Content-Encoding: {coding}\r\n")


BOMBS = {"gzip, gzip": bomb(2, 1 << 28), "gzip": bomb(1, 1 << 28), "as it is": http(200, bytes(1 << 26))}


@pytest.mark.parametrize("name", BOMBS)
def test_no_answer_takes_more_memory_than_its_bound(start: Start, name: str) -> None:
    server = start(lambda _: BOMBS[name])
    server.models = BOMBS[name]
    url = f"{server.url}/v1"
    before = peak()
    config = OpenAIConfig("m", url, retry=RetryPolicy(attempts=1))
    for ask in (
        lambda: OpenAIEncoder(config, {}).encode(["a"], Role.QUERY),
        lambda: OpenAIReranker(config, {}).score("q", ["a"]),
        lambda: ServerTarget(ServerConfig(url, "m")).embed(["a"], None),
        lambda: ServerTarget(ServerConfig(url, "m")).rerank("q", ["a"]),
        lambda: served_models(url),
    ):
        with pytest.raises(EndpointError, match=r"more than|not asked for"):
            ask()
    assert peak() - before < 128 << 20  # twice the largest bound, 33 MB, and what a request takes besides


@pytest.mark.parametrize("name", BOMBS)
def test_the_gateway_refuses_a_bomb(start: Start, name: str) -> None:
    server = start(lambda _: BOMBS[name])
    with through_gateway(server.url) as gateway:
        before = peak()
        answer = httpx.post(f"{gateway}/v1/embeddings", json={"model": "an-embedder", "input": "a"}, timeout=20)
        assert answer.status_code == 502
        assert peak() - before < 128 << 20


def test_what_is_on_this_machine_is_not_asked_through_a_proxy(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    url = start(sglang).url + "/v1"
    assert served_models(url) == ("the-reranker", "an-embedder")
    np.testing.assert_array_equal(ServerTarget(ServerConfig(url, "m")).rerank(QUERY, DOCUMENTS), SCORES)


def through_gateway(url: str) -> Any:
    config = GatewayConfig((url,), retries=Retries(rounds=2, wait=0.01))
    return serving_app(build_app(gateway_service([], config, Limits(), Behaviour())))


def peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
