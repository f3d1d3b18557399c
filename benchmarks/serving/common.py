"""What the serving benchmarks share: servers in processes of their own, their memory, mixed texts, reading answers."""

from __future__ import annotations

import asyncio
import base64
import os
import random
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import orjson

RUN_CLI = [sys.executable, "-c", "import sys; from steelyard.cli import main; sys.exit(main())"]
LENGTHS = {10: 50, 40: 30, 120: 15, 400: 5}
"""Tokens of a text, roughly, and how many texts in a hundred have them."""
_CHINESE = "用户把商品退回之后客服说三到五个工作日之内可以收到退款但是两周过去了仍然没有任何消息于是再次来信询问进度"
_ENGLISH = "the support team promised a refund within five working days but after two weeks nothing has arrived"


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port: int = sock.getsockname()[1]
    return port


@contextmanager
def server(
    command: Sequence[str], port: int, patience: float = 180, env: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """A server of its own process, ready to answer ``GET /v1/models``; stopped at the end.

    Raises:
        RuntimeError: it ended, or did not answer within ``patience`` seconds.
    """
    process = subprocess.Popen(list(command), env={**os.environ, **(env or {})}, stdout=sys.stderr)
    try:
        _wait_ready(process, command, port, time.monotonic() + patience)
        yield process
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_ready(process: subprocess.Popen[bytes], command: Sequence[str], port: int, ends: float) -> None:
    while time.monotonic() < ends:
        if process.poll() is not None:
            raise RuntimeError(f"{' '.join(command)} ended with {process.returncode} before it answered")
        try:
            if httpx.get(f"http://127.0.0.1:{port}/v1/models", timeout=5).status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.2)
    raise RuntimeError(f"{' '.join(command)} did not answer in time")


def memory_mb(pid: int) -> dict[str, float]:
    """Resident memory of a process in MB: ``VmRSS`` in all, ``RssAnon`` without mapped files."""
    lines = (line.split() for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return {words[0].rstrip(":"): int(words[1]) / 1024 for words in lines if words[0] in ("VmRSS:", "RssAnon:")}


def make_texts(seed: int, count: int, lengths: Mapping[int, int] | None = None) -> list[str]:
    """Texts of mixed lengths, two thirds Chinese, one third English, all different.

    Args:
        seed: the same one gives the same texts.
        count: how many.
        lengths: tokens (roughly) -> weight; :data:`LENGTHS` when None.
    """
    draw = random.Random(seed)
    mix = lengths or LENGTHS
    words, texts = _ENGLISH.split(), list[str]()
    for number in range(count):
        tokens = draw.choices(list(mix), list(mix.values()))[0]
        if draw.random() < 2 / 3:
            body = "".join(draw.choice(_CHINESE) for _ in range(max(int(tokens * 1.0) - 4, 2)))
        else:
            body = " ".join(draw.choice(words) for _ in range(max(int(tokens * 0.8) - 4, 2)))
        texts.append(f"{number} {body}")
    return texts


def rows_of(answer: Mapping[str, Any]) -> np.ndarray:
    """float32[n, d] of an answer in OpenAI's shape, floats or base64."""
    values = [item["embedding"] for item in sorted(answer["data"], key=lambda item: item["index"])]
    rows = [np.frombuffer(base64.b64decode(v), "<f4") if isinstance(v, str) else v for v in values]
    return np.array(rows, dtype=np.float32)


class Connection:
    """One keep-alive connection that costs next to nothing, so that the load does not take the server's processor."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def post(self, path: str, body: Mapping[str, Any]) -> tuple[int, bytes]:
        """(status, body of the answer), whose length the server must say."""
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self._port)
        reader, writer = self._streams
        content = orjson.dumps(body)
        head = f"POST {path} HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: {len(content)}"
        writer.write(head.encode() + b"\r\n\r\n" + content)
        said = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
        length = int(said.split("content-length:", 1)[1].split("\r\n", 1)[0])
        return int(said.split(" ", 2)[1]), await reader.readexactly(length)

    async def close(self) -> None:
        """Ends it."""
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None
