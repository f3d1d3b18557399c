"""Clients that are slow, greedy or odd before a request is there, and requests that cost much to read."""

import asyncio
import gzip
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Annotated, Any

import httpx
import pytest
import uvicorn
from fastapi import APIRouter, FastAPI, Request
from pydantic import BeforeValidator
from serving_kit import Serve, fake_models, recipe

from fake_engines import FakeEncoder
from steelyard.serving.app import build_app
from steelyard.serving.connection import BoundedHttp
from steelyard.serving.http import JsonRoute
from steelyard.serving.local import LocalEmbedder, LocalHost
from steelyard.serving.local_service import local_service
from steelyard.serving.service import Caller, Embedded, EmbedTask
from steelyard.serving.settings import Behaviour, Limits
from steelyard.serving.tokens import NoCodec
from steelyard.serving.wire.embeddings import EmbeddingRequest


class Hasty(BoundedHttp):
    head_bytes = 1000
    head_seconds = 0.6


@pytest.fixture(scope="module")
def hasty() -> Iterator[tuple[str, int]]:
    """A server whose connections may be outside a request for 0.6 s."""
    sock = socket.create_server(("127.0.0.1", 0))
    app = build_app(local_service(fake_models(), Limits(body_seconds=5)))
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", http=Hasty, ws="none", timeout_keep_alive=60))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [sock]})
    thread.start()
    while not server.started:
        time.sleep(0.005)
    yield sock.getsockname()
    server.should_exit = True
    thread.join()


@contextmanager
def connected(address: tuple[str, int]) -> Iterator[socket.socket]:
    with socket.create_connection(address, timeout=5) as sock:
        yield sock


def request(body: bytes, *, length: int | None = None) -> bytes:
    head = "POST /v1/embeddings HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(body) if length is None else length}\r\n\r\n".encode() + body


BODY = json.dumps({"model": "fake", "input": "x", "encoding_format": "base64"}).encode()


def ends_within(sock: socket.socket, seconds: float, trickle: bytes = b"") -> bool:
    """Whether the server closes, though the client goes on sending."""
    ends = time.monotonic() + seconds
    sock.settimeout(0.05)
    while time.monotonic() < ends:
        try:
            if trickle:
                sock.sendall(trickle)
            if not sock.recv(65536):
                return True
        except TimeoutError:
            continue
        except ConnectionError:
            return True
    return False


@pytest.mark.parametrize(
    ("first", "trickle"),
    [
        (b"", b""),
        (b"", b"\r\n"),
        (b"GET /health HTTP/1.1\r\nX: ", b"a"),
        (request(BODY), b""),
        (request(b"{", length=10**8), b"a"),  # refused for its size, and goes on sending
    ],
    ids=["silent", "empty lines", "slow head", "idle after an answer", "sends on after a refusal"],
)
def test_a_connection_outside_a_request_is_closed(hasty: tuple[str, int], first: bytes, trickle: bytes) -> None:
    with connected(hasty) as sock:
        sock.sendall(first)
        assert ends_within(sock, 5, trickle)


def test_a_slow_body_and_pipelined_requests_are_no_such_thing(hasty: tuple[str, int]) -> None:
    with connected(hasty) as sock:
        sock.sendall(request(BODY[:10], length=len(BODY)))
        for byte in BODY[10:]:
            time.sleep(1 / len(BODY))
            sock.sendall(bytes([byte]))
        assert sock.recv(65536).startswith(b"HTTP/1.1 200")
        sock.sendall(request(BODY) * 3)
        answers = b""
        while answers.count(b"HTTP/1.1 200") < 3:
            answers += sock.recv(65536)


def test_a_head_without_end_is_refused(hasty: tuple[str, int]) -> None:
    with connected(hasty) as sock:
        sock.sendall(b"GET /health HTTP/1.1\r\nX: ")
        refused = b""
        for _ in range(100):
            try:
                sock.sendall(b"a" * 200)
                sock.settimeout(0.01)
                refused += sock.recv(4096)
            except TimeoutError:
                continue
            except ConnectionError:
                break
            break
        assert b"400 Bad Request" in refused
        assert b"1000 bytes" in refused


def test_an_offered_upgrade_is_answered_as_it_is(hasty: tuple[str, int], caplog: pytest.LogCaptureFixture) -> None:
    offer = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Key": "x", "Sec-WebSocket-Version": "13"}
    assert httpx.get(f"http://{hasty[0]}:{hasty[1]}/health", headers=offer).status_code == 200
    assert not [r for r in caplog.records if r.name.startswith("uvicorn")]


def test_head_is_get_without_its_body(http: httpx.Client) -> None:
    for path in ("/health", "/ready", "/v1/models", "/metrics"):
        answer = http.head(path)
        assert (answer.status_code, answer.content) == (200, b"")
    assert http.head("/v1/embeddings").status_code == 405


def test_a_compressed_body_is_refused_by_its_name(http: httpx.Client) -> None:
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    answer = http.post("/v1/embeddings", content=gzip.compress(BODY), headers=headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (415, "content_encoding")
    assert "'gzip'" in answer.json()["error"]["message"]
    assert http.post("/v1/embeddings", content=BODY, headers=headers | {"Content-Encoding": "identity"}).is_success


def test_a_large_body_is_read_where_it_keeps_nobody_else_waiting() -> None:
    readers: list[bool] = []

    def noted(value: Any) -> Any:
        readers.append(threading.current_thread() is threading.main_thread())
        return value

    api = APIRouter(route_class=JsonRoute)

    @api.post("/")
    async def length(body: Annotated[list[Any], BeforeValidator(noted)], request: Request) -> int:
        return len(body)

    async def ask(content: bytes) -> int:
        app = FastAPI()
        app.include_router(api)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://x") as client:
            answer = await client.post("/", content=content, headers={"Content-Type": "application/json"})
        return int(answer.text)

    assert asyncio.run(ask(b"[1]")) == 1
    assert asyncio.run(ask(b"[" + b",".join([b"[]"] * 100_000) + b"]")) == 100_000
    assert readers == [True, False]


def test_token_arrays_are_not_copied_before_they_are_counted() -> None:
    arrays = [[1]] * 3
    assert EmbeddingRequest.model_validate({"model": "x", "input": arrays}).input[0] is arrays[0]


def test_all_bodies_together_are_bounded_and_one_alone_is_not(serve: Serve) -> None:
    url = serve(local_service(fake_models(), Limits(all_bodies=50)))
    host, port = url.removeprefix("http://").split(":")
    assert httpx.post(f"{url}/v1/embeddings", content=BODY, headers={"Content-Type": "application/json"}).is_success
    with connected((host, int(port))) as sock:
        sock.sendall(request(BODY[:-1], length=len(BODY)))
        time.sleep(0.2)
        answer = httpx.post(f"{url}/v1/embeddings", content=BODY, headers={"Content-Type": "application/json"})
        assert (answer.status_code, answer.json()["error"]["code"]) == (429, "queue_full")
        assert answer.headers["retry-after"] == "1"
        sock.sendall(BODY[-1:])
        assert sock.recv(65536).startswith(b"HTTP/1.1 200")
    assert httpx.post(f"{url}/v1/embeddings", content=BODY, headers={"Content-Type": "application/json"}).is_success


def test_every_answer_has_an_id_and_keeps_the_callers(http: httpx.Client) -> None:
    first, second = (http.get(path).headers["x-request-id"] for path in ("/health", "/nothing"))
    assert first != second
    assert http.get("/health", headers={"X-Request-Id": "trace-7"}).headers["x-request-id"] == "trace-7"
    assert http.get("/health", headers={"X-Request-Id": "a b" * 100}).headers["x-request-id"] != "a b" * 100


def test_what_nobody_foresaw_is_logged_by_its_place_and_id(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    class Broken(LocalEmbedder):
        async def embed(self, task: EmbedTask, caller: Caller) -> Embedded:
            raise KeyError(task.texts[0])

    service = local_service(fake_models())
    host = LocalHost({}, {}, Limits(), Behaviour())
    broken = Broken("fake", recipe(), FakeEncoder(), host, NoCodec("no"))
    url = serve(replace(service, embedders={"fake": broken}))
    answer = httpx.post(f"{url}/v1/embeddings", json={"model": "fake", "input": "secret-text"})
    assert answer.status_code == 500
    line = next(r.getMessage() for r in caplog.records if r.name == "steelyard.serving")
    assert answer.headers["x-request-id"] in line
    assert "KeyError at " in line
    assert "test_serving_hostile.py:" in line
    assert "secret-text" not in line
