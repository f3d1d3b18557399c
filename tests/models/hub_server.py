"""A hub of its own: the two listings and the files behind them, with the faults that networks have."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

COMMIT = "c0ffee" + "0" * 34


@dataclass
class HubState:
    """What is served and what was asked.

    Attributes:
        files: path -> content.
        break_after: path -> how often to close the connection half way.
        lies: path -> content that is sent instead.
        ranges: whether Range is honoured.
        delay: seconds between blocks of 64 KiB.
        asked: (path, Range header) of every file request.
        sent: bytes of files that went out.
    """

    files: dict[str, bytes]
    break_after: dict[str, int] = field(default_factory=dict)
    lies: dict[str, bytes] = field(default_factory=dict)
    ranges: bool = True
    delay: float = 0.0
    asked: list[tuple[str, str]] = field(default_factory=list)
    sent: int = 0
    url: str = ""


@contextmanager
def serving(state: HubState) -> Iterator[HubState]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer(self, state)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    state.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()


def answer(handler: BaseHTTPRequestHandler, state: HubState) -> None:
    url = urlsplit(handler.path)
    if url.path == f"/api/models/org/name/revision/{COMMIT}":
        assert parse_qs(url.query) == {"blobs": ["true"]}
        send_json(handler, {"sha": COMMIT, "siblings": [hugging_face(p, c) for p, c in state.files.items()]})
    elif url.path == "/api/v1/models/org/name/repo/files":
        send_json(handler, {"Code": 200, "Data": {"Files": [model_scope(p, c) for p, c in state.files.items()]}})
    else:
        path = "/".join(url.path.partition("/resolve/")[2].split("/")[1:])
        if path not in state.files:
            handler.send_error(404)
            return
        send_file(handler, state, path)


def hugging_face(path: str, content: bytes) -> dict[str, object]:
    blob = hashlib.sha1(f"blob {len(content)}\0".encode() + content, usedforsecurity=False).hexdigest()
    entry: dict[str, object] = {"rfilename": path, "size": len(content), "blobId": blob}
    if path.endswith(".safetensors"):
        entry |= {"lfs": {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}, "blobId": "pointer"}
    return entry


def model_scope(path: str, content: bytes) -> dict[str, object]:
    return {
        "Path": path,
        "Name": path,
        "Type": "blob",
        "Size": len(content),
        "Sha256": hashlib.sha256(content).hexdigest(),
        "Revision": COMMIT,
        "CommittedDate": 1,
    }


def send_json(handler: BaseHTTPRequestHandler, value: object) -> None:
    body = json.dumps(value).encode()
    handler.send_response(200)
    handler.send_header("content-length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


def send_file(handler: BaseHTTPRequestHandler, state: HubState, path: str) -> None:
    content = state.lies.get(path, state.files[path])
    asked = handler.headers.get("range", "")
    state.asked.append((path, asked))
    start = int(asked.removeprefix("bytes=").rstrip("-")) if asked and state.ranges else 0
    handler.send_response(206 if start else 200)
    handler.send_header("content-length", str(len(content) - start))
    handler.end_headers()
    body = content[start:]
    broken = state.break_after.get(path, 0)
    if broken:
        state.break_after[path] = broken - 1
        body = body[: len(body) // 2]
    for at in range(0, len(body), 1 << 16):
        try:
            handler.wfile.write(body[at : at + (1 << 16)])
        except OSError:
            return
        state.sent += len(body[at : at + (1 << 16)])
        time.sleep(state.delay)
    handler.close_connection = True
