"""Reranking in every spelling gives the same order."""

from typing import Any

import httpx
import pytest

QUERY, DOCUMENTS = "北京大学", ["上海交通", "北京大学在海淀", "北京", "北京大学"]
ORDER = [3, 1, 2, 0]
SCORES = [1.0, 4 / 7, 0.5, 0.0]
FLAT = {"model": "fake-reranker", "query": QUERY, "documents": DOCUMENTS}


def post(http: httpx.Client, path: str, body: dict[str, Any]) -> Any:
    answer = http.post(path, json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.mark.parametrize("path", ["/v1/rerank", "/v2/rerank", "/rerank", "/compatible-api/v1/reranks"])
def test_flat_spellings(http: httpx.Client, path: str) -> None:
    answer = post(http, path, FLAT)
    assert [r["index"] for r in answer["results"]] == ORDER
    assert [r["relevance_score"] for r in answer["results"]] == pytest.approx(SCORES)
    assert "document" not in answer["results"][0]
    assert answer["model"] == "fake-reranker"
    assert answer["usage"]["total_tokens"] > 0
    assert answer["meta"]["api_version"]["version"] == "2"
    best = post(http, path, FLAT | {"top_n": 2, "return_documents": True, "model": None})
    assert [r["document"] for r in best["results"]] == [{"text": DOCUMENTS[3]}, {"text": DOCUMENTS[1]}]


def test_documents_as_objects(http: httpx.Client) -> None:
    answer = post(http, "/v1/rerank", FLAT | {"documents": [{"text": d, "id": i} for i, d in enumerate(DOCUMENTS)]})
    assert [r["index"] for r in answer["results"]] == ORDER


def test_tei(http: httpx.Client) -> None:
    answer = post(http, "/rerank", {"query": QUERY, "texts": DOCUMENTS, "raw_scores": False, "return_text": True})
    assert [(a["index"], a["text"]) for a in answer] == [(i, DOCUMENTS[i]) for i in ORDER]
    assert [a["score"] for a in answer] == pytest.approx(SCORES)
    assert set(post(http, "/rerank", {"query": QUERY, "texts": DOCUMENTS})[0]) == {"index", "score"}


def test_dashscope(http: httpx.Client) -> None:
    body = {"model": "fake-reranker", "input": {"query": QUERY, "documents": DOCUMENTS}, "parameters": {"top_n": 3}}
    answer = post(http, "/api/v1/services/rerank/text-rerank/text-rerank", body)
    assert [r["index"] for r in answer["output"]["results"]] == ORDER[:3]
    assert answer["usage"]["total_tokens"] > 0


def test_equal_scores_keep_the_order_of_the_request(http: httpx.Client) -> None:
    answer = post(http, "/v1/rerank", FLAT | {"documents": ["北京", "京北", "北京"]})
    assert [r["index"] for r in answer["results"]] == [0, 1, 2]


@pytest.mark.parametrize(
    ("path", "body", "status", "words"),
    [
        ("/v1/rerank", FLAT | {"model": "fake"}, 404, "no reranking model is called 'fake'; this server has fake-rer"),
        ("/v1/rerank", FLAT | {"documents": []}, 400, "not empty"),
        ("/v1/rerank", FLAT | {"documents": ["a", {"title": "b"}]}, 400, "document 1 has no text"),
        ("/v1/rerank", FLAT | {"query": ""}, 400, "query: "),
        ("/v1/rerank", FLAT | {"top_n": 0}, 400, "top_n: "),
        ("/v1/rerank", FLAT | {"instruction": "find"}, 400, "takes no instruction"),
        ("/v1/rerank", FLAT | {"documents": ["x" * 40_000]}, 400, "documents 0 has 40,000 characters"),
        ("/rerank", {"query": "x"}, 400, "^documents: Field required"),
        ("/rerank", {"query": "x", "texts": ["a", 1]}, 400, "^texts: must be a list of strings"),
    ],
)
def test_what_is_refused(http: httpx.Client, path: str, body: dict[str, Any], status: int, words: str) -> None:
    answer = http.post(path, json=body)
    assert answer.status_code == status
    with pytest.raises(AssertionError, match=words):
        raise AssertionError(answer.json()["error"]["message"])


def test_flags_in_quotes_as_some_clients_send_them(http: httpx.Client) -> None:
    body = {"query": "a", "documents": ["a", "b"], "return_documents": "true", "return_len": "true"}
    answer = http.post("/v1/rerank", json=body)
    assert sorted(r["document"]["text"] for r in answer.json()["results"]) == ["a", "b"]
    answer = http.post("/v1/rerank", json=body | {"return_documents": "False"})
    assert all("document" not in r for r in answer.json()["results"])
    assert http.post("/v1/rerank", json=body | {"return_documents": "maybe"}).status_code == 400


def test_tokens_stand_where_each_client_looks(http: httpx.Client) -> None:
    answer = http.post("/v1/rerank", json={"query": "a", "documents": ["a", "b"]}).json()
    assert answer["meta"]["tokens"] == {"input_tokens": answer["usage"]["total_tokens"], "output_tokens": 0}
