"""Upstreams that behave badly, over plain sockets."""

import contextlib
import json
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, BinaryIO

import numpy as np

from fake_engines import FakeEncoder
from steelyard.types import Role

NAME = "Qwen/Fake-Embedding"


def vectors(texts: list[str]) -> np.ndarray:
    return FakeEncoder().encode(texts, Role.DOCUMENT)


def http(status: int, body: bytes | str | Any, headers: str = "", kind: str = "application/json") -> bytes:
    """A whole answer; what is neither bytes nor text is written as JSON."""
    content = body.encode() if isinstance(body, str) else body if isinstance(body, bytes) else json.dumps(body).encode()
    head = f"HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\nContent-Length: {len(content)}\r\n{headers}\r\n"
    return head.encode() + content


def good(body: dict[str, Any]) -> bytes:
    rows = [{"index": i, "embedding": row.tolist()} for i, row in enumerate(vectors(body["input"]))]
    return http(200, {"data": rows, "usage": {"total_tokens": len(rows)}})


@dataclass
class Asked:
    """One request, and the connection that it came by."""

    method: str
    path: str
    headers: dict[str, str]
    body: dict[str, Any]
    connection: socket.socket

    def gone(self, seconds: float) -> bool:
        """Whether the client hangs up within ``seconds``."""
        self.connection.settimeout(seconds)
        try:
            return self.connection.recv(1) == b""
        except TimeoutError:
            return False


Habit = Callable[[Asked], bytes | None]


@dataclass
class Bad:
    """Answers posts by ``habit`` and lists its models; ``None`` closes the connection without a word."""

    habit: Habit = lambda asked: good(asked.body)
    models: bytes | None = field(default_factory=lambda: http(200, {"data": [{"id": NAME}, {"id": "fake-reranker"}]}))
    asked: list[Asked] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def posts(self) -> list[Asked]:
        return [a for a in self.asked if a.method == "POST"]

    def close(self) -> None:
        self._socket.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, connection.makefile("rb") as stream, contextlib.suppress(OSError):
            while (asked := _read(stream, connection)) is not None:
                self.asked.append(asked)
                answer = self.models if asked.method == "GET" else self.habit(asked)
                if answer is None:
                    return
                connection.sendall(answer)


def _read(stream: BinaryIO, connection: socket.socket) -> Asked | None:
    """The next request; None when there is no whole one."""
    line = stream.readline()
    if not line or not line.isascii():
        return None
    method, path, _ = line.decode().split()
    lines = iter(lambda: stream.readline().decode().strip(), "")
    headers = {name.lower(): value for name, _, value in (one.partition(": ") for one in lines)}
    length = int(headers.get("content-length", 0))
    content = stream.read(length)
    if len(content) < length:
        return None
    return Asked(method, path, headers, json.loads(content) if content else {}, connection)
