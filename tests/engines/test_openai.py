"""Against a real server on a socket, well-behaved and not."""

import base64
import json
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from steelyard.engines.protocol import Encoder, Reranker
from steelyard.engines.remote.endpoint import retry_after
from steelyard.engines.remote.openai import OpenAIConfig, OpenAIEncoder, OpenAIReranker
from steelyard.engines.remote.retry import RetryPolicy
from steelyard.errors import EndpointError, UsageError
from steelyard.models.registry import load_recipe
from steelyard.types import Role

QUICK = RetryPolicy(attempts=4, patience=5, wait_initial=0.001, wait_max=0.01, wait_jitter=0)
KEY = "sk-very-secret-0123456789"


@pytest.fixture(scope="module")
def threaded_server() -> Iterator[Any]:
    with HTTPServer(threaded=True) as server:
        yield server


@pytest.fixture
def httpserver(threaded_server: Any) -> Any:
    threaded_server.clear()
    return threaded_server


def vector(text: str) -> list[float]:
    return [float(len(text)), float(sum(map(ord, text)) % 97), 1.0]


def answer(texts: Sequence[str], encode: Any = list, order: Any = lambda items: items) -> Response:
    items = [{"object": "embedding", "index": i, "embedding": encode(vector(t))} for i, t in enumerate(texts)]
    return reply({"object": "list", "data": order(items), "model": "m"})


def reply(body: Any, status: int = 200, headers: Any = None) -> Response:
    return Response(json.dumps(body), status, headers, content_type="application/json")


def in_base64(row: Any) -> Any:
    return base64.b64encode(np.array(row, dtype="<f4").tobytes()).decode()


class Server:
    """Answers each request by a function of (number of the request, its texts); keeps what was asked."""

    def __init__(self, httpserver: HTTPServer, respond: Callable[..., Response], path: str = "/v1/embeddings") -> None:
        self.bodies: list[Any] = []
        self.headers: list[dict[str, str]] = []
        self.times: list[float] = []
        self.busy = self.most_busy = 0
        self._lock = threading.Lock()

        def handle(request: Request) -> Response:
            with self._lock:
                number = len(self.bodies)
                self.bodies.append(request.get_json())
                self.headers.append(dict(request.headers))
                self.times.append(time.monotonic())
                self.busy += 1
                self.most_busy = max(self.most_busy, self.busy)
            try:
                return respond(number, self.bodies[number], request)
            finally:
                with self._lock:
                    self.busy -= 1

        httpserver.expect_request(path, method="POST").respond_with_handler(handle)

    def asked(self) -> list[Any]:
        return [b["input"] for b in self.bodies]


def encoder(httpserver: HTTPServer, environment: Any = None, **settings: Any) -> OpenAIEncoder:
    config = OpenAIConfig("m", httpserver.url_for("/v1"), retry=settings.pop("retry", QUICK), **settings)
    return OpenAIEncoder(config, environment or {})


TEXTS = ["甲", "乙乙", "丙丙丙", "丁", "", "甲"]


@pytest.mark.parametrize("encode", [list, in_base64], ids=["floats", "base64"])
@pytest.mark.parametrize("order", [lambda i: i, lambda i: i[::-1]], ids=["in order", "out of order"])
def test_vectors_come_back_in_order(httpserver: HTTPServer, encode: Any, order: Any) -> None:
    server = Server(httpserver, lambda _, body, __: answer(body["input"], encode, order))
    opened = encoder(httpserver, batch=2, concurrency=3)
    assert isinstance(opened, Encoder)
    assert opened.info.dimension == 0
    rows = opened.encode(TEXTS, Role.DOCUMENT)
    np.testing.assert_array_equal(rows, np.array([vector(t) for t in TEXTS], dtype=np.float32))
    assert opened.info.dimension == 3
    assert sorted(map(len, server.asked())) == [1, 2, 2]
    assert server.bodies[0]["encoding_format"] == "base64"
    assert "dimensions" not in server.bodies[0]
    assert opened.encode([], Role.QUERY).shape == (0, 3)
    opened.close()
    opened.close()


def test_templates_of_a_recipe_are_put_on_and_its_dimension_expected(httpserver: HTTPServer) -> None:
    server = Server(httpserver, lambda _, body, __: answer(body["input"]))
    recipe = load_recipe("e5-small").model_copy(update={"dimension": 3})
    opened = encoder(httpserver, recipe=recipe)
    rows = opened.encode(["甲"], Role.QUERY)
    opened.encode(["甲"], Role.DOCUMENT)
    assert server.asked() == [["query: 甲"], ["passage: 甲"]]
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, rtol=1e-6)
    with pytest.raises(EndpointError, match="3 dimensions where 384 were expected"):
        encoder(httpserver, recipe=load_recipe("e5-small")).encode(["甲"], Role.QUERY)


def test_templates_without_a_recipe(httpserver: HTTPServer) -> None:
    server = Server(httpserver, lambda _, body, __: answer(body["input"]))
    opened = encoder(httpserver, query_template="Instruct: {instruction}\nQuery:{text}")
    opened.encode(["甲"], Role.QUERY, "find")
    opened.encode(["甲"], Role.DOCUMENT)
    assert server.asked() == [["Instruct: find\nQuery:甲"], ["甲"]]
    with pytest.raises(UsageError, match="do not fit each other"):
        opened.encode(["甲"], Role.QUERY)
    with pytest.raises(UsageError, match="do not fit each other"):
        encoder(httpserver).encode(["甲"], Role.QUERY, "find")


def test_the_dimension_is_asked_for_and_checked(httpserver: HTTPServer) -> None:
    server = Server(httpserver, lambda _, body, __: answer(body["input"], lambda v: v[: body["dimensions"] + 1]))
    with pytest.raises(EndpointError, match=r"vectors of 3 dimensions where 2 were asked for.*ignores"):
        encoder(httpserver, dimension=2).encode(["甲"], Role.QUERY)
    assert server.bodies[0]["dimensions"] == 2


def test_vectors_of_several_sizes(httpserver: HTTPServer) -> None:
    Server(httpserver, lambda _, body, __: answer(body["input"], lambda v: v[: 2 + int(v[0] > 1)]))
    with pytest.raises(EndpointError, match="of 2, 3 dimensions"):
        encoder(httpserver).encode(["甲", "乙乙"], Role.QUERY)


def test_a_rate_limit_is_honoured_by_every_thread(httpserver: HTTPServer) -> None:
    def respond(number: Any, body: Any, _: Any) -> Any:
        if number == 0:
            return reply({"error": "slow down"}, 429, {"Retry-After": "1"})
        time.sleep(0.3 if number == 1 else 0)
        return answer(body["input"])

    server = Server(httpserver, respond)
    opened = encoder(httpserver, batch=1, concurrency=2)
    texts = ["甲", "乙乙", "丙", "丁丁"]
    rows = opened.encode(texts, Role.QUERY)
    np.testing.assert_array_equal(rows, np.array([vector(t) for t in texts], dtype=np.float32))
    assert len(server.times) == 5
    assert min(server.times[2:]) - server.times[0] >= 0.99


def test_a_wait_longer_than_patience_is_told_at_once(httpserver: HTTPServer) -> None:
    server = Server(httpserver, lambda *_: reply({}, 503, {"Retry-After": "3600"}))
    with pytest.raises(EndpointError, match="asks to wait 3600 s") as caught:
        encoder(httpserver).encode(["甲"], Role.QUERY)
    assert caught.value.status == 503
    assert len(server.bodies) == 1


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_what_may_pass_is_tried_again(httpserver: HTTPServer, status: int) -> None:
    server = Server(httpserver, lambda n, body, _: answer(body["input"]) if n == 2 else reply({}, status))
    assert len(encoder(httpserver).encode(["甲"], Role.QUERY)) == 1
    assert len(server.bodies) == 3


def test_what_does_not_pass_is_told_with_url_status_and_tries(httpserver: HTTPServer) -> None:
    Server(httpserver, lambda *_: reply({"error": {"message": "out of memory"}}, 500))
    with pytest.raises(EndpointError, match=r"tried 4 times") as caught:
        encoder(httpserver).encode(["甲"], Role.QUERY)
    assert caught.value.status == 500
    assert httpserver.url_for("/v1/embeddings") in str(caught.value)
    assert "out of memory" in str(caught.value)


@pytest.mark.parametrize(("status", "mend"), [(401, "STEELYARD_API_KEY"), (403, "STEELYARD_API_KEY"), (404, "/v1")])
def test_what_cannot_pass_is_asked_once(httpserver: HTTPServer, status: int, mend: str) -> None:
    server = Server(httpserver, lambda *_: reply({"error": "no"}, status))
    with pytest.raises(EndpointError, match=mend) as caught:
        encoder(httpserver).encode(["甲"], Role.QUERY)
    assert caught.value.status == status
    assert len(server.bodies) == 1


def test_a_dropped_connection_is_tried_again(httpserver: HTTPServer) -> None:
    def respond(number: Any, body: Any, request: Any) -> Any:
        if number == 0:
            request.environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
        return answer(body["input"])

    server = Server(httpserver, respond)
    assert len(encoder(httpserver).encode(["甲"], Role.QUERY)) == 1
    assert len(server.bodies) == 2


def test_no_server_at_all() -> None:
    config = OpenAIConfig("m", "http://127.0.0.1:9/v1", retry=QUICK)
    with pytest.raises(EndpointError, match=r"127\.0\.0\.1:9/v1/embeddings: no answer: ConnectError") as caught:
        OpenAIEncoder(config, {}).encode(["甲"], Role.QUERY)
    assert caught.value.status is None


def test_a_server_that_hangs(httpserver: HTTPServer) -> None:
    Server(httpserver, lambda _, body, __: time.sleep(0.5) or answer(body["input"]))  # type: ignore[func-returns-value]
    with pytest.raises(EndpointError, match="ReadTimeout"):
        encoder(httpserver, timeout=0.05, retry=RetryPolicy(attempts=1)).encode(["甲"], Role.QUERY)


def test_a_bad_text_stands_alone_and_the_rest_is_kept(httpserver: HTTPServer) -> None:
    def respond(_: Any, body: Any, __: Any) -> Any:
        bad = any(t == "坏" for t in body["input"])
        return reply({"error": "cannot read this"}, 400) if bad else answer(body["input"])

    server = Server(httpserver, respond)
    opened = encoder(httpserver, batch=8, concurrency=1)
    texts = ["a", "b", "c", "d", "e", "坏", "f", "g"]
    with pytest.raises(EndpointError, match="one text of 1 characters: '坏'") as caught:
        opened.encode(texts, Role.QUERY)
    assert caught.value.status == 400
    assert "cannot read this" in str(caught.value)
    assert [len(a) for a in server.asked()] == [8, 4, 4, 2, 1, 1]
    server.bodies.clear()
    assert len(opened.encode([t for t in texts if t != "坏"], Role.QUERY)) == 7
    assert server.asked() == [["f", "g"]]


def test_only_what_failed_is_asked_again(httpserver: HTTPServer) -> None:
    healthy = threading.Event()

    def respond(_: Any, body: Any, __: Any) -> Any:
        return answer(body["input"]) if healthy.is_set() or "乙" not in body["input"] else reply({}, 500)

    server = Server(httpserver, respond)
    opened = encoder(httpserver, batch=1, concurrency=1)
    with pytest.raises(EndpointError):
        opened.encode(["甲", "乙", "丙"], Role.QUERY)
    healthy.set()
    server.bodies.clear()
    rows = opened.encode(["甲", "乙", "丙"], Role.QUERY)
    np.testing.assert_array_equal(rows, np.array([vector(t) for t in ("甲", "乙", "丙")], dtype=np.float32))
    assert server.asked() in ([["乙"]], [["乙"], ["丙"]])
    server.bodies.clear()
    opened.encode(["甲"], Role.QUERY)
    assert server.asked() == [["甲"]]


def test_requests_under_way_are_bounded(httpserver: HTTPServer) -> None:
    server = Server(httpserver, lambda _, body, __: time.sleep(0.05) or answer(body["input"]))  # type: ignore[func-returns-value]
    encoder(httpserver, batch=1, concurrency=3).encode([f"t{i}" for i in range(9)], Role.QUERY)
    assert server.most_busy == 3
    assert len(server.bodies) == 9


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        ({"data": [{"index": 0, "embedding": [1.0]}]}, "1 answers to 2 texts"),
        ({"data": [{"index": i, "embedding": [1.0]} for i in (0, 0)]}, r"numbered its answers \[0, 0\]"),
        ({"data": [{"index": i, "embedding": [1.0]} for i in (1, 2)]}, r"numbered its answers \[1, 2\]"),
        ({"data": [{"embedding": [1.0]}] * 2}, r"\[None, None\]"),
        ({"data": [{"index": i, "embedding": [1.0, float("nan")]} for i in (0, 1)]}, "not finite for the text '甲'"),
        ({"data": [{"index": i, "embedding": [None, 1.0]} for i in (0, 1)]}, "not finite for the text '甲'"),
        ({"data": [{"index": i, "embedding": in_base64([np.inf])} for i in (0, 1)]}, "bfloat16"),
        ({"data": [{"index": i, "embedding": "a!"} for i in (0, 1)]}, "instead of a vector for the text '甲'"),
        ({"data": [{"index": i, "embedding": []} for i in (0, 1)]}, "instead of a vector"),
        ({"data": [{"index": i} for i in (0, 1)]}, "instead of a vector"),
        ({"data": "x"}, "shape that is not known"),
        ({"error": "busy"}, "busy"),
        ([1], "shape that is not known"),
    ],
)
def test_a_wrong_answer_is_noticed(httpserver: HTTPServer, body: Any, fault: str) -> None:
    Server(httpserver, lambda *_: reply(body))
    with pytest.raises(EndpointError, match=fault) as caught:
        encoder(httpserver, concurrency=1).encode(["甲", "乙"], Role.QUERY)
    assert httpserver.url_for("/v1/embeddings") in str(caught.value)


def test_what_is_not_json(httpserver: HTTPServer) -> None:
    Server(httpserver, lambda *_: Response("<html>welcome</html>"))
    with pytest.raises(EndpointError, match="not JSON: <html>"):
        encoder(httpserver).encode(["甲"], Role.QUERY)


def test_a_server_without_base64(httpserver: HTTPServer) -> None:
    def respond(_: Any, body: Any, __: Any) -> Any:
        wrong = "encoding_format" in body
        return reply({"error": "unknown field encoding_format"}, 400) if wrong else answer(body["input"])

    server = Server(httpserver, respond)
    opened = encoder(httpserver, batch=1, concurrency=2)
    assert len(opened.encode(["甲", "乙", "丙"], Role.QUERY)) == 3
    server.bodies.clear()
    opened.encode(["丁"], Role.QUERY)
    assert len(server.bodies) == 1


def test_the_key_is_sent_and_never_shown(httpserver: HTTPServer, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    server = Server(httpserver, lambda *_: reply({"error": f"bad key {KEY}"}, 401))
    opened = encoder(httpserver, {"OPENAI_API_KEY": "other", "STEELYARD_API_KEY": KEY})
    with pytest.raises(EndpointError) as caught:
        opened.encode(["甲"], Role.QUERY)
    assert server.headers[0]["Authorization"] == f"Bearer {KEY}"
    given = OpenAIConfig("m", httpserver.url_for("/v1"), api_key=KEY)
    shown = [str(caught.value), caplog.text, opened.info.fingerprint, repr(given), repr(opened)]
    assert not [s for s in shown if KEY in s]
    assert "***" in str(caught.value)
    assert opened.info.fingerprint == OpenAIEncoder(given, {}).info.fingerprint


def test_a_password_in_the_url_is_used_and_never_shown(
    httpserver: HTTPServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    server = Server(httpserver, lambda *_: reply({}, 404))
    url = httpserver.url_for("/v1").replace("http://", f"http://me:{KEY}@")
    opened = OpenAIEncoder(OpenAIConfig("m", url), {})
    with pytest.raises(EndpointError) as caught:
        opened.encode(["甲"], Role.QUERY)
    assert server.headers[0]["Authorization"].startswith("Basic ")
    assert not [s for s in (str(caught.value), caplog.text, opened.info.fingerprint) if KEY in s]


def test_fingerprints_follow_what_is_asked_for() -> None:
    base = OpenAIConfig("m", "http://a/v1")
    others = [
        OpenAIConfig("n", "http://a/v1"),
        OpenAIConfig("m", "http://b/v1"),
        OpenAIConfig("m", "http://a/v1", dimension=8),
        OpenAIConfig("m", "http://a/v1", query_template="q: {text}"),
        OpenAIConfig("m", "http://a/v1", recipe=load_recipe("e5-small")),
    ]
    same = OpenAIConfig("m", "http://a/v1/", batch=1, concurrency=1, timeout=1)
    prints = [OpenAIEncoder(c, {}).info.fingerprint for c in (base, *others)]
    assert len(set(prints)) == len(prints)
    assert OpenAIEncoder(same, {}).info.fingerprint == prints[0]


@pytest.mark.parametrize("url", ["localhost:30000/v1", "ftp://a/v1", "http://", "http://a/v1?key=1", "http://[::1"])
def test_what_is_not_a_url(url: str) -> None:
    with pytest.raises(UsageError, match="URL"):
        OpenAIEncoder(OpenAIConfig("m", url), {})


@pytest.mark.parametrize("wrong", [{"batch": 0}, {"concurrency": 0}, {"timeout": 0}])
def test_settings_out_of_range(wrong: dict[Any, Any]) -> None:
    with pytest.raises(UsageError, match="at least 1"):
        OpenAIConfig("m", "http://a", **wrong)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("7", 7), ("0.5", 0.5), ("-3", 0), ("", None), ("soon", None), ("nan", None)],
)
def test_retry_after_in_seconds(value: str, seconds: float | None) -> None:
    assert retry_after(value) == seconds


def test_retry_after_as_a_date() -> None:
    assert retry_after("Wed, 21 Oct 2015 07:28:00 GMT") == 0
    assert retry_after("Fri, 31 Dec 2100 23:59:59 GMT") > 1e9


DOCUMENTS = ["one", "fifteen", "", "three"]


def rerank_answer(shape: Any, documents: Any) -> Any:
    items = [{"index": i, "score": len(d) / 10} for i, d in enumerate(documents)]
    items.sort(key=lambda item: -item["score"])
    if shape == "results":
        renamed = [{"index": i["index"], "relevance_score": i["score"], "document": {"text": ""}} for i in items]
        return reply({"id": "r", "results": renamed})
    return reply(items)


@pytest.mark.parametrize("shape", ["results", "list"])
def test_scores_come_back_in_order(httpserver: HTTPServer, shape: str) -> None:
    server = Server(httpserver, lambda _, body, __: rerank_answer(shape, body["documents"]), "/v1/rerank")
    reranker = OpenAIReranker(OpenAIConfig("m", httpserver.url_for("/v1"), batch=3, concurrency=1), {})
    assert isinstance(reranker, Reranker)
    scores = reranker.score("query", [*DOCUMENTS, "one"])
    np.testing.assert_allclose(scores, [0.3, 0.7, 0, 0.5, 0.3], rtol=1e-6)
    assert [len(b["documents"]) for b in server.bodies] == [3, 1]
    assert {b["query"] for b in server.bodies} == {"query"}
    assert reranker.score("query", []).shape == (0,)
    reranker.close()


def test_a_server_that_calls_documents_texts(httpserver: HTTPServer) -> None:
    def respond(_: Any, body: Any, __: Any) -> Any:
        known = "texts" in body
        return rerank_answer("list", body["texts"]) if known else reply({"error": "missing field `texts`"}, 422)

    server = Server(httpserver, respond, "/rerank")
    reranker = OpenAIReranker(OpenAIConfig("m", httpserver.url_for("/rerank"), concurrency=1), {})
    np.testing.assert_allclose(reranker.score("query", DOCUMENTS), [0.3, 0.7, 0, 0.5], rtol=1e-6)
    reranker.score("query", DOCUMENTS)
    assert len(server.bodies) == 3


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        ([{"index": 0, "score": 1.0}], "1 answers to 2 texts"),
        ([{"index": 0, "score": 1.0}, {"index": 1, "score": float("nan")}], "nan as the score for the text 'b'"),
        ([{"index": 0, "score": 1.0}, {"index": 1}], "None as the score"),
        ({"scores": [1, 2]}, "shape that is not known"),
        ([{"score": 1.0}, {"score": 0.5}], "numbered"),
    ],
)
def test_wrong_scores_are_noticed(httpserver: HTTPServer, body: Any, fault: str) -> None:
    Server(httpserver, lambda *_: reply(body), "/v1/rerank")
    with pytest.raises(EndpointError, match=fault):
        OpenAIReranker(OpenAIConfig("m", httpserver.url_for("/v1"), concurrency=1), {}).score("q", ["a", "b"])
