"""The server under pressure: who waits, who is dropped, who fails, and that nobody else notices."""

import asyncio
import concurrent.futures as futures
import logging
import socket
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import uvicorn
from serving_kit import Serve, recipe

from fake_engines import FakeEncoder
from steelyard.engines.base import BaseEncoder
from steelyard.engines.protocol import EngineInfo
from steelyard.errors import DataError, WeightsError
from steelyard.serving.app import build_app
from steelyard.serving.failures import HttpFailure
from steelyard.serving.keys import Keys
from steelyard.serving.local import LocalEmbedder, LocalHost
from steelyard.serving.local_service import Loaded, local_service
from steelyard.serving.service import Caller, EmbedTask
from steelyard.serving.settings import Behaviour, Limits
from steelyard.serving.tokens import NoCodec
from steelyard.types import Role, Vectors
from waiting import until


class GatedEncoder(BaseEncoder):
    """Computes like FakeEncoder once its gate is open, and fails for texts that hold ``bad``."""

    def __init__(self) -> None:
        self._inner = FakeEncoder()
        self.gate = threading.Event()
        self.entered = threading.Semaphore(0)
        self.batches: list[list[str]] = []
        self.gate.set()
        self.failure: BaseException = ValueError("bad text")

    @property
    def info(self) -> EngineInfo:
        return self._inner.info

    def _encode(self, texts: Sequence[str], role: Role, instruction: str | None) -> Vectors:
        self.batches.append(list(texts))
        self.entered.release()
        assert self.gate.wait(20)
        if any("bad" in t for t in texts):
            raise self.failure
        return self._inner.encode(texts, role, instruction)

    @property
    def seen(self) -> set[str]:
        return {t for batch in self.batches for t in batch}


@pytest.fixture
def engine() -> Iterator[GatedEncoder]:
    gated = GatedEncoder()
    yield gated
    gated.gate.set()


@pytest.fixture
def pool() -> Iterator[futures.ThreadPoolExecutor]:
    with futures.ThreadPoolExecutor(32) as executor:
        yield executor


def start(serve: Serve, engine: GatedEncoder, **limits: Any) -> Any:
    models = {"fake": Loaded(recipe(), engine)}
    url = serve(local_service(models, Limits(**limits), Behaviour(batch_seconds=0.001)))
    while engine.entered.acquire(blocking=False):
        pass
    engine.batches.clear()

    def ask(texts: str | list[str], headers: dict[str, str] | None = None, timeout: float = 20) -> httpx.Response:
        body = {"model": "fake", "input": texts, "input_type": "document"}
        return httpx.post(f"{url}/v1/embeddings", json=body, headers=headers, timeout=timeout)

    ask.url = url  # type: ignore[attr-defined]
    return ask


def queue_length(ask: Any) -> float:
    text = httpx.get(f"{ask.url}/metrics").text
    return float(next(line for line in text.splitlines() if line.startswith("steelyard_queue_requests ")).split()[1])


def hold(ask: Any, engine: GatedEncoder, pool: futures.Executor) -> futures.Future[httpx.Response]:
    """Closes the gate with one request inside."""
    engine.gate.clear()
    running = pool.submit(ask, "running")
    assert engine.entered.acquire(timeout=10)
    return running


def rows(answer: httpx.Response) -> np.ndarray:
    assert answer.status_code == 200, answer.text
    return np.array([d["embedding"] for d in answer.json()["data"]])


def test_what_waits_while_a_batch_runs_goes_together_and_comes_back_right(serve: Any, engine: Any, pool: Any) -> None:
    ask = start(serve, engine)
    running = hold(ask, engine, pool)
    waiting = {f"text {i}": pool.submit(ask, f"text {i}") for i in range(20)}
    until(lambda: queue_length(ask) == 20)
    engine.gate.set()
    assert len(rows(running.result())) == 1
    for text, answer in waiting.items():
        np.testing.assert_allclose(rows(answer.result()), FakeEncoder().encode([text], Role.DOCUMENT), atol=1e-6)
    assert len(engine.batches) < 5


def test_a_client_that_goes_away_costs_nothing(serve: Any, engine: Any, pool: Any) -> None:
    ask = start(serve, engine)
    running = hold(ask, engine, pool)
    with pytest.raises(httpx.ReadTimeout):
        ask("abandoned", timeout=0.3)
    until(lambda: queue_length(ask) == 0)
    engine.gate.set()
    running.result()
    assert rows(ask("after")).shape == (1, 32)
    assert "abandoned" not in engine.seen
    assert "steelyard_requests_abandoned_total 1.0" in httpx.get(f"{ask.url}/metrics").text


def test_a_client_that_goes_away_before_its_body_is_there_is_no_failure(
    serve: Any, engine: Any, caplog: pytest.LogCaptureFixture
) -> None:
    ask = start(serve, engine)
    with socket.create_connection((httpx.URL(ask.url).host, httpx.URL(ask.url).port)) as sock:
        sock.sendall(b"POST /v1/embeddings HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99\r\n\r\n{")
    until(lambda: "steelyard_requests_abandoned_total 1.0" in httpx.get(f"{ask.url}/metrics").text)
    counted = 'steelyard_requests_total{route="/v1/embeddings",status="499"} 1.0'
    until(lambda: counted in httpx.get(f"{ask.url}/metrics").text)
    assert not [r for r in caplog.records if r.levelno >= logging.ERROR]


def test_a_client_that_goes_away_in_the_middle_stops_the_rest(serve: Any, engine: Any, pool: Any) -> None:
    ask = start(serve, engine)
    engine.gate.clear()
    texts = [f"{i} {'x' * 300}" for i in range(200)]
    with pytest.raises(httpx.ReadTimeout):
        ask(texts, timeout=0.3)
    until(lambda: queue_length(ask) == 0)
    engine.gate.set()
    ask("after")
    assert len(engine.seen) < 20


def test_one_bad_text_fails_alone(serve: Any, engine: Any, pool: Any) -> None:
    ask = start(serve, engine)
    running = hold(ask, engine, pool)
    asked = {t: pool.submit(ask, t) for t in ["good 1", "a bad one", "good 2", "good 3"]}
    mixed = pool.submit(ask, ["fine", "also bad"])
    until(lambda: queue_length(ask) == 5)
    engine.gate.set()
    assert {t: f.result().status_code for t, f in asked.items()} == {
        "good 1": 200, "a bad one": 500, "good 2": 200, "good 3": 200,
    }  # fmt: skip
    assert mixed.result().json()["error"]["message"] == "input 1: the engine failed (ValueError)"
    assert running.result().status_code == 200


def test_a_panic_in_rust_is_answered_and_the_thread_goes_on(serve: Any, engine: Any, pool: Any) -> None:
    class PanicException(BaseException):  # what pyo3 raises is no Exception
        pass

    engine.failure = PanicException("index out of bounds")
    ask = start(serve, engine)
    answer = ask("bad", timeout=5)
    assert (answer.status_code, answer.json()["error"]["code"]) == (500, "engine_failed")
    assert rows(ask("fine", timeout=5)).shape == (1, 32)


def test_an_engine_without_weights_says_so_once(serve: Any, engine: Any, pool: Any) -> None:
    ask = start(serve, engine)
    engine.failure = WeightsError("model.safetensors is cut off; fetch it again")
    answer = ask([f"bad {i}" for i in range(8)])
    assert (answer.status_code, len(engine.batches)) == (500, 1)
    assert "fetch it again" in answer.json()["error"]["message"]


def test_a_full_queue_answers_429_with_retry_after(serve: Any, engine: Any, pool: Any) -> None:
    ask = start(serve, engine, queue_requests=4)  # of which one client may hold two
    running = hold(ask, engine, pool)
    waiting = [pool.submit(ask, f"{i}") for i in range(2)]
    until(lambda: queue_length(ask) == 2)
    refused = ask("one too many")
    assert (refused.status_code, refused.json()["error"]["type"]) == (429, "rate_limit_error")
    assert 1 <= int(refused.headers["retry-after"]) <= 60
    engine.gate.set()
    assert [f.result().status_code for f in (running, *waiting)] == [200, 200, 200]
    assert "one too many" not in engine.seen


def test_a_deadline_frees_the_client_and_the_queue(serve: Any, engine: Any, pool: Any) -> None:
    ask = start(serve, engine)
    running = hold(ask, engine, pool)
    late = ask("late", headers={"X-Request-Timeout": "0.2"})
    assert (late.status_code, late.json()["error"]["code"]) == (503, "deadline")
    assert queue_length(ask) == 0
    engine.gate.set()
    assert running.result().status_code == 200
    ask("after")
    assert "late" not in engine.seen


def test_a_server_whose_engine_hangs_is_not_ready(serve: Any, engine: Any, pool: Any) -> None:
    ask = start(serve, engine, deadline=0.3)
    running = hold(ask, engine, pool)
    assert httpx.get(f"{ask.url}/ready").status_code == 200
    assert running.result().status_code == 503
    until(lambda: httpx.get(f"{ask.url}/ready").status_code == 503)
    assert "longer than --deadline" in httpx.get(f"{ask.url}/ready").json()["error"]["message"]
    engine.gate.set()
    until(lambda: httpx.get(f"{ask.url}/ready").status_code == 200)


def test_a_query_overtakes_a_long_bulk_request(serve: Any, engine: Any, pool: Any) -> None:
    ask = start(serve, engine)
    engine.gate.clear()
    bulk = pool.submit(ask, [f"bulk {i} {'x' * 300}" for i in range(60)])
    assert engine.entered.acquire(timeout=10)
    query = pool.submit(
        httpx.post, f"{ask.url}/v1/embeddings", json={"model": "fake", "input": "who?", "input_type": "query"}
    )
    until(lambda: queue_length(ask) == 2)
    engine.gate.set()
    assert rows(query.result()).shape == (1, 32)
    assert engine.batches[1] == ["who?"]
    assert rows(bulk.result()).shape == (60, 32)


def test_a_body_that_never_ends_is_given_up(serve: Any, engine: Any) -> None:
    ask = start(serve, engine, body_seconds=0.3)
    host, port = ask.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=5) as sock:
        head = "POST /v1/embeddings HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n"
        head += "Content-Type: application/json\r\n\r\n"
        sock.sendall(head.encode() + b'{"model"')
        answer = sock.recv(4096)
        assert answer.startswith(b"HTTP/1.1 408")
        assert b"connection: close" in answer.lower()


def test_keys_are_asked_for_everywhere_but_at_the_health_endpoints(serve: Any, engine: Any, tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text("# who\nalice sk-aaaaaaaaaaaaaaaa\n\nsk-bbbbbbbbbbbbbbbb\n")
    url = serve(local_service({"fake": Loaded(recipe(), engine)}, keys=Keys.read(file)))
    ask = {"model": "fake", "input": "x"}
    for headers in ({}, {"Authorization": "Bearer sk-aaaaaaaaaaaaaaa"}, {"Authorization": "Basic sk-aaaaaaaaaaaaaaaa"}):
        answer = httpx.post(f"{url}/v1/embeddings", json=ask, headers=headers)
        assert (answer.status_code, answer.json()["error"]["type"]) == (401, "authentication_error")
        assert answer.headers["www-authenticate"] == "Bearer"
    for key in ("sk-aaaaaaaaaaaaaaaa", "sk-bbbbbbbbbbbbbbbb"):
        headers = {"Authorization": f"Bearer {key}"}
        assert httpx.post(f"{url}/v1/embeddings", json=ask, headers=headers).status_code == 200
    right = ("Authorization", "Bearer sk-aaaaaaaaaaaaaaaa")
    for headers in ([right, ("Authorization", "Bearer wrong")], [("Authorization", "Bearer wrong"), right]):  # type: ignore[assignment]
        assert httpx.post(f"{url}/v1/embeddings", json=ask, headers=headers).status_code == 401
    assert httpx.get(f"{url}/v1/models", headers={b"Authorization": b"Bearer \xff\xc3\xa9"}).status_code == 401
    codes = {path: httpx.get(url + path).status_code for path in ("/health", "/ready", "/metrics", "/docs", "/x")}
    assert codes == {"/health": 200, "/ready": 200, "/metrics": 401, "/docs": 401, "/x": 401}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "holds no key"),
        ("# only\n", "holds no key"),
        ("short", ":1: write NAME KEY"),
        ("a b sk-aaaaaaaaaaaaaaaa", ":1: write NAME KEY"),
        ("a 钥匙钥匙钥匙钥匙钥匙钥匙钥匙钥匙", ":1: a key goes into an HTTP header"),
        ("a sk-aaaaaaaaaaaaaaaa\nb sk-aaaaaaaaaaaaaaaa", ":2: this name or key is there already"),
    ],
)
def test_a_file_of_keys_that_cannot_be_used(tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "keys"
    file.write_text(text)
    with pytest.raises(DataError, match=words):
        Keys.read(file)
    with pytest.raises(DataError, match="cannot be read"):
        Keys.read(tmp_path / "none")


def test_a_file_of_keys_from_windows(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_bytes(b"\xef\xbb\xbfsk-aaaaaaaaaaaaaaaa\r\nbob sk-bbbbbbbbbbbbbbbb\r\n")
    assert Keys.read(file).name_of("sk-aaaaaaaaaaaaaaaa") == "key 1"
    assert Keys.read(file).name_of("sk-bbbbbbbbbbbbbbbb") == "bob"


def test_no_text_and_no_key_reaches_the_log(
    serve: Any, engine: Any, pool: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    engine.failure = ValueError("bad secret-text")
    ask = start(serve, engine)
    ask(["bad secret-text"], headers={"Authorization": "Bearer secret-key"})
    ask(["fine secret-text"])
    httpx.post(f"{ask.url}/v1/embeddings", content=b'{"input": "secret-text')
    own = [r for r in caplog.records if not r.name.startswith(("httpx", "httpcore"))]
    assert "secret" not in "\n".join(f"{r.getMessage()} {r.exc_text}" for r in own)
    assert any("an engine failed: ValueError" in r.getMessage() for r in own)


def test_what_the_drain_does_not_finish_is_told_to_try_again(engine: Any, pool: Any) -> None:
    sock = socket.create_server(("127.0.0.1", 0))
    app = build_app(local_service({"fake": Loaded(recipe(), engine)}))
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [sock]})
    thread.start()
    until(lambda: server.started)
    while engine.entered.acquire(blocking=False):
        pass
    engine.gate.clear()
    url = f"http://127.0.0.1:{sock.getsockname()[1]}/v1/embeddings"
    asked = pool.submit(httpx.post, url, json={"model": "fake", "input": "x"}, timeout=20)
    assert engine.entered.acquire(timeout=10)
    server.should_exit = True
    answer = asked.result()
    engine.gate.set()
    thread.join()
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "stopping")
    assert answer.headers["retry-after"] == "1"


def test_the_api_document_says_where_a_key_is_needed(serve: Any, engine: Any) -> None:
    models = {"fake": Loaded(recipe(), engine)}
    closed = build_app(local_service(models, keys=Keys({"a": "sk-aaaaaaaaaaaaaaaa"}))).openapi()["paths"]
    assert [p for p in closed if not next(iter(closed[p].values())).get("security")] == ["/health", "/ready"]
    opened = build_app(local_service(models)).openapi()["paths"]
    assert not [p for p in opened if next(iter(opened[p].values())).get("security")]


def test_closing_finishes_what_was_accepted(engine: GatedEncoder) -> None:
    host = LocalHost({"fake": engine}, {}, Limits(), Behaviour())
    model = LocalEmbedder("fake", recipe(), engine, host, NoCodec("no"))
    caller = Caller("c", 20)

    async def ask() -> int:
        engine.gate.clear()
        work = asyncio.gather(*(model.embed(EmbedTask([f"t{i}"], Role.DOCUMENT), caller) for i in range(30)))
        await asyncio.sleep(0.05)
        closing = asyncio.create_task(host.stop())
        await asyncio.sleep(0.05)
        with pytest.raises(HttpFailure, match="stopping"):
            await model.embed(EmbedTask(["late"], Role.DOCUMENT), caller)
        engine.gate.set()
        done = await work
        await closing
        return len(done)

    assert asyncio.run(ask()) == 30
    assert "late" not in engine.seen
