"""The gateway in front of servers that speak exactly as vLLM, SGLang, TEI, Ollama and infinity do.

The shapes are those of their sources: vLLM's entrypoints, SGLang's ``serving_base.py`` and ``serving_rerank.py``, TEI's
``router/src/http``, Ollama's ``middleware/openai.go``.
"""

import base64
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import numpy as np
import pytest
from serving_kit import Serve, recipe, reranker_recipe

from steelyard.models.recipe import Sources
from steelyard.serving.gateway.service import GatewayConfig, gateway_service
from steelyard.serving.gateway.upstreams import Retries
from steelyard.serving.models import Wanted
from steelyard.serving.settings import Behaviour, Limits
from upstream_kit import NAME, Asked, Bad, good, http, vectors

MODEL = recipe("fake", sources=Sources(huggingface=NAME))
Behind = Callable[..., str]


@pytest.fixture
def behind(serve: Serve) -> Iterator[Behind]:
    servers: list[Bad] = []

    def start(habit: Callable[[Asked], bytes], models: bytes, **config: Any) -> str:
        servers.append(Bad(habit, models))
        settings = GatewayConfig((servers[-1].url,), retries=Retries(2, 0.01), **config)
        return serve(gateway_service([Wanted(MODEL), Wanted(reranker_recipe())], settings, Limits(), Behaviour()))

    yield start
    for server in servers:
        server.close()


def embed(url: str, texts: list[str], **body: Any) -> httpx.Response:
    return httpx.post(f"{url}/v1/embeddings", json={"model": "fake", "input": texts} | body, timeout=20)


LISTED = http(200, {"object": "list", "data": [{"id": NAME, "object": "model"}]})
TEXT = "too long by far"
REFUSALS = {
    "vllm": http(400, {"error": {"message": TEXT, "type": "BadRequestError", "param": None, "code": 400}}),
    "vllm before 0.10": http(400, {"object": "error", "message": TEXT, "type": "BadRequestError", "code": 400}),
    "sglang": http(400, {"object": "error", "message": TEXT, "type": "BadRequest", "param": None, "code": 400}),
    "tei": http(422, {"error": TEXT, "error_type": "Validation"}),
    "tei, OpenAI's route": http(422, {"message": TEXT, "code": 422, "type": "Validation"}),
    "tei, the body": http(413, f"Failed to buffer the request body: {TEXT}", kind="text/plain"),
    "ollama": http(400, {"error": {"message": TEXT, "type": "invalid_request_error", "param": None, "code": None}}),
    "FastAPI": http(422, {"detail": [{"type": "too_long", "loc": ["body", "input"], "msg": TEXT}]}),
}


@pytest.mark.parametrize("server", REFUSALS)
def test_the_words_of_a_refusal_reach_the_client(behind: Behind, server: str) -> None:
    def habit(asked: Asked) -> bytes:
        return REFUSALS[server] if "bad" in asked.body["input"] else good(asked.body)

    url = behind(habit, LISTED)
    answer = embed(url, ["a", "bad", "c"])
    assert answer.status_code == 400
    assert answer.json()["error"]["message"].startswith("input 1: the upstream refuses this: ")
    assert TEXT in answer.json()["error"]["message"]
    assert embed(url, ["a", "c"]).status_code == 200


def tei(asked: Asked) -> bytes:
    body = asked.body
    if asked.path == "/v1/embeddings":
        if len(body["input"]) > 32:
            said = f"batch size {len(body['input'])} > maximum allowed batch size 32"
            return http(422, {"message": said, "code": 422, "type": "Validation"})
        rows = [r.astype("<f4").tobytes() for r in vectors(body["input"])]
        data = [
            {"object": "embedding", "embedding": base64.b64encode(r).decode(), "index": i} for i, r in enumerate(rows)
        ]
        return http(
            200, {"object": "list", "data": data, "model": "x", "usage": {"prompt_tokens": 3, "total_tokens": 3}}
        )
    if asked.path != "/rerank":
        return http(404, "", kind="text/plain")
    if "texts" not in body:
        said = "Failed to deserialize the JSON body into the target type: missing field `texts` at line 1 column 60"
        return http(422, said, kind="text/plain; charset=utf-8")
    if len(body["texts"]) > 32:
        return http(422, {"error": "batch size > maximum allowed batch size 32", "error_type": "Validation"})
    ranks = [{"index": i, "score": len(t) / 100} for i, t in enumerate(body["texts"])]
    return http(200, sorted(ranks, key=lambda r: -r["score"]))


def test_tei_which_lists_nothing_and_takes_thirty_two(behind: Behind) -> None:
    url = behind(tei, http(404, "", kind="text/plain"), batch=64)
    texts = [f"text {i}" for i in range(100)]
    answer = embed(url, texts)
    rows = np.array([d["embedding"] for d in answer.json()["data"]])
    np.testing.assert_allclose(rows, vectors(texts), atol=1e-6)
    for _ in range(2):
        body = {"query": "q", "documents": ["x" * (i + 1) for i in range(50)]}
        ranked = httpx.post(f"{url}/v1/rerank", json=body, timeout=20)
        assert [r["index"] for r in ranked.json()["results"]] == list(range(49, -1, -1)), ranked.text


def vllm(asked: Asked) -> bytes:
    body = asked.body
    if "dimensions" in body:
        said = (
            f'Model "{NAME}" does not support matryoshka representation, changing output dimensions will lead to poor'
        )
        return http(400, {"error": {"message": said, "type": "BadRequestError", "param": "dimensions", "code": 400}})
    if asked.path == "/v1/embeddings":
        return good(body)
    results = [
        {"index": i, "document": {"text": d, "multi_modal": None}, "relevance_score": len(d) / 9}
        for i, d in enumerate(body["documents"])
    ]
    return http(200, {"id": "rerank-1", "model": body["model"], "usage": {"total_tokens": 5}, "results": results[::-1]})


def test_vllm_that_refuses_dimensions(behind: Behind) -> None:
    url = behind(vllm, http(200, {"data": [{"id": NAME}, {"id": "fake-reranker"}]}))
    assert len(embed(url, ["a"], dimensions=8).json()["data"][0]["embedding"]) == 8
    assert len(embed(url, ["a"], dimensions=32).json()["data"][0]["embedding"]) == 32
    ranked = httpx.post(f"{url}/rerank", json={"query": "q", "texts": ["a", "bbb", "cc"]})
    assert [r["index"] for r in ranked.json()] == [1, 2, 0]


def sglang(asked: Asked) -> bytes:
    body = asked.body
    if asked.path == "/v1/embeddings":  # it takes no encoding_format and answers numbers
        blank = next((i for i, t in enumerate(body["input"]) if not t.strip()), None)
        if blank is None:
            return good(body)
        said = f"Input at index {blank} cannot be empty or whitespace only"
        return http(400, {"object": "error", "message": said, "type": "BadRequest", "param": None, "code": 400})
    ranks = [{"score": len(d) / 9, "document": d, "index": i, "meta_info": {}} for i, d in enumerate(body["documents"])]
    return http(200, sorted(ranks, key=lambda r: -r["score"]))


def test_sglang_which_takes_no_blank_text(behind: Behind) -> None:
    url = behind(sglang, http(200, {"data": [{"id": NAME}, {"id": "fake-reranker"}]}))
    answer = embed(url, ["a", "b", " \n", "c"])
    assert answer.status_code == 400
    assert "input 2: the upstream refuses this" in answer.json()["error"]["message"]
    ranked = httpx.post(f"{url}/v1/rerank", json={"query": "q", "documents": ["a", "bbb", "cc"]})
    assert [r["index"] for r in ranked.json()["results"]] == [1, 2, 0]


def test_infinity_which_lists_more_than_ids_and_does_not_say_which_field_is_wrong(behind: Behind) -> None:
    entry = {"id": NAME, "stats": {"queue_absolute": 0}, "object": "model", "capabilities": ["embed"]}

    def habit(asked: Asked) -> bytes:
        if asked.body["model"] == NAME:
            return good(asked.body)
        said = f"ModelNotDeployedError: model=`{asked.body['model']}` is not deployed"
        return http(400, {"error": {"message": said, "type": None, "param": None, "code": 400}})

    url = behind(habit, http(200, {"data": [entry], "object": "list"}))
    assert embed(url, ["a"]).status_code == 200
    refused = httpx.post(f"{url}/v1/rerank", json={"query": "q", "documents": ["a"]})
    assert refused.status_code == 502
    assert "lists no fake-reranker" in refused.text
