"""Clients that are slow, greedy or odd before a request is there, and requests that cost much to read."""

import asyncio
import gzip
import json
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import httpx
import pytest
import uvicorn
from fastapi import APIRouter, FastAPI, Request
from pydantic import BeforeValidator
from serving_kit import Serve, fake_models, recipe

from fake_engines import FakeEncoder
from steelyard.serving.app import build_app
from steelyard.serving.connection import BoundedHttp, RareLog
from steelyard.serving.http import JsonRoute
from steelyard.serving.keys import Keys
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
    head = "POST /v1/embeddings HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
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
        assert b"431 Request Header Fields Too Large" in refused
        assert b"1,000 bytes" in refused


def test_a_head_is_bounded_when_it_comes_in_one_piece_too(hasty: tuple[str, int]) -> None:
    with connected(hasty) as sock:
        sock.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 900 + b"\r\n\r\n")
        assert sock.recv(65536).startswith(b"HTTP/1.1 200")
        sock.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 1000 + b"\r\n\r\n")
        assert sock.recv(65536).startswith(b"HTTP/1.1 431")


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /a b HTTP/1.1\r\n\r\n",
        b"CONNECT x:443 HTTP/1.1\r\nUpgrade: h2c\r\nConnection: upgrade\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ],
    ids=["TLS", "HTTP/2", "a version", "a space", "CONNECT", "two lengths", "length and chunks"],
)
def test_what_is_no_http_is_answered_as_every_failure_is(hasty: tuple[str, int], sent: bytes) -> None:
    with connected(hasty) as sock:
        sock.sendall(sent)
        head, _, body = b"".join(iter(lambda: sock.recv(65536), b"")).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400")
    assert b"x-request-id: " in head
    assert json.loads(body)["error"]["code"] == "http_invalid"


def test_what_is_no_http_is_counted_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    log = RareLog(60)
    for second in (0, 1, 59.9, 60, 61, 200):
        log.count(second)
    assert [r.args for r in caplog.records] == [(1,), (3,), (2,)]


H2C = {"Connection": "Upgrade, HTTP2-Settings", "Upgrade": "h2c", "HTTP2-Settings": "AAEAAEAAAAIAAAABAAMAAABkAAQBAAAA"}


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("step", [1, 7, 10_000])
def test_javas_offer_of_http_2_is_not_taken(hasty: tuple[str, int], step: int, chunked: bool) -> None:
    offer = "".join(f"{name}: {value}\r\n" for name, value in H2C.items())
    size = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {len(BODY)}"
    body = b"%x\r\n%b\r\n0\r\n\r\n" % (len(BODY), BODY) if chunked else BODY
    head = f"POST /v1/embeddings HTTP/1.1\r\nHost: localhost\r\n{offer}{size}\r\nContent-Type: application/json\r\n\r\n"
    sent = (head.encode() + body) * 2
    with connected(hasty) as sock:
        answers = b""
        for i in range(0, len(sent), step):
            sock.sendall(sent[i : i + step])
        while answers.count(b"HTTP/1.1 200") < 2:
            answers += (got := sock.recv(65536))
            assert got, answers


@pytest.mark.skipif(shutil.which("java") is None, reason="no java")
def test_javas_own_client(url: str, tmp_path: Path) -> None:
    """A file of Java's is compiled and run in one step; its client offers HTTP/2 with the first request."""
    program = tmp_path / "Ask.java"
    program.write_text(ASK)
    done = subprocess.run(["java", str(program), f"{url}/v1/embeddings", BODY.decode()], capture_output=True, text=True)
    assert done.stdout.split() == ["200", "200", "HTTP_1_1"], done.stderr


ASK = """
import java.net.URI;
import java.net.http.*;
import static java.net.http.HttpRequest.BodyPublishers.ofString;

class Ask {
    public static void main(String[] given) throws Exception {
        var client = HttpClient.newHttpClient();
        var request = HttpRequest.newBuilder(URI.create(given[0])).header("Content-Type", "application/json");
        for (int i = 0; i < 2; i++) {
            var answer = client.send(request.POST(ofString(given[1])).build(), HttpResponse.BodyHandlers.ofString());
            System.out.println(answer.statusCode());
            if (i == 1) System.out.println(answer.version());
        }
    }
}
"""


def test_an_offered_upgrade_is_answered_as_it_is(hasty: tuple[str, int], caplog: pytest.LogCaptureFixture) -> None:
    offer = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Key": "x", "Sec-WebSocket-Version": "13"}
    assert httpx.get(f"http://{hasty[0]}:{hasty[1]}/health", headers=offer).status_code == 200
    assert not [r for r in caplog.records if r.name.startswith("uvicorn")]


@pytest.mark.parametrize(
    ("host", "allowed", "status"),
    [
        ("localhost", (), 200),
        ("LOCALHOST:30000", (), 200),
        ("api.localhost:1", (), 200),
        ("127.0.0.1:30000", (), 200),
        ("192.168.1.5", (), 200),
        ("[::1]:30000", (), 200),
        ("", (), 200),
        ("attacker.example", (), 421),
        ("attacker.example:30000", ("steelyard",), 421),
        ("127.0.0.1.attacker.example", (), 421),
        ("localhost.attacker.example", (), 421),
        ("Steelyard:30000", ("steelyard",), 200),
        ("steelyard.", ("steelyard",), 200),
        ("anything.example", ("*",), 200),
    ],
)
def test_a_name_that_was_pointed_here_is_refused(host: str, allowed: tuple[str, ...], status: int) -> None:
    app = build_app(local_service(fake_models(), behaviour=Behaviour(hosts=frozenset(allowed))))
    assert asked_as(host, app, "/v1/models").status_code == status
    assert asked_as(host, app, "/health").status_code == 200


def test_with_keys_the_name_does_not_matter() -> None:
    app = build_app(local_service(fake_models(), keys=Keys({"a": "0123456789abcdef"})))
    assert asked_as("api.example", app, "/v1/models", authorization="Bearer 0123456789abcdef").status_code == 200


def asked_as(host: str, app: FastAPI, path: str, **headers: str) -> httpx.Response:
    async def ask() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://x") as client:
            return await client.get(path, headers={"Host": host, **headers})

    return asyncio.run(ask())


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
