"""Load on `steelyard serve` and on a plain FastAPI + sentence-transformers server with the same checkpoint.

    python benchmarks/serving/load.py --seconds 20 --clients 1 8 64 256 --out results/serving-load.json

The checkpoint is e5-small, rebuilt from its package into the standard layout, so nothing is downloaded. Both servers
are up at once and are loaded in turns, one idle while the other works. Every answer is compared with the vectors of the
engine alone in fp32; one under a cosine of 0.99 counts as wrong.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import random
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

import httpx
import numpy as np

HERE = Path(__file__).parent
SENTENCE = (
    "用户把商品退回之后，客服说三到五个工作日之内可以收到退款，但是两周过去了仍然没有任何消息，于是再次来信询问。"
)
ENGLISH = "The support team promised a refund within five working days, but after two weeks nothing has arrived. "


@dataclass
class Round:
    """One server under one load."""

    server: str
    clients: int
    seconds: float
    requests: int = 0
    texts: int = 0
    refused: int = 0
    failed: int = 0
    wrong: int = 0
    worst_cosine: float = 1.0
    requests_a_second: float = 0.0
    p50_ms: float = 0.0
    p95_ms: float = 0.0
    rss_mb: float = 0.0
    times: list[float] = field(default_factory=list, repr=False)


def make_texts(seed: int, count: int) -> list[str]:
    """Mixed lengths: mostly short queries, some paragraphs, a few long ones; all different."""
    draw = random.Random(seed)
    texts = []
    for i in range(count):
        length = draw.choices([12, 40, 160, 480], [5, 3, 2, 0.4])[0]
        body = (SENTENCE if draw.random() < 0.7 else ENGLISH) * (length // 40 + 1)
        start = draw.randrange(30)
        texts.append(f"{i} {body[start : start + length].strip()}")
    return texts


async def client(url: str, texts: Sequence[str], wanted: np.ndarray, ends: float, seed: int, done: Round) -> None:
    draw = random.Random(seed)
    async with httpx.AsyncClient(timeout=120) as http:
        while time.perf_counter() < ends:
            size = draw.choices([1, 1, 1, 4, 16], [6, 3, 2, 2, 1])[0]
            picked = [draw.randrange(len(texts)) for _ in range(size)]
            body = {"model": "e5", "input": [texts[i] for i in picked], "encoding_format": "base64"}
            began = time.perf_counter()
            try:
                answer = await http.post(f"{url}/v1/embeddings", json=body)
            except httpx.TransportError:
                done.failed += 1
                continue
            if answer.status_code in (429, 503):
                done.refused += 1
                await asyncio.sleep(min(float(answer.headers.get("Retry-After", "0.2")), 1.0))
                continue
            if answer.status_code != 200:
                done.failed += 1
                continue
            done.times.append(time.perf_counter() - began)
            done.requests += 1
            done.texts += size
            cosine = float((rows_of(answer.json()) * wanted[picked]).sum(axis=1).min())
            done.worst_cosine = min(done.worst_cosine, cosine)
            done.wrong += cosine < 0.99


def rows_of(answer: dict) -> np.ndarray:
    values = [d["embedding"] for d in sorted(answer["data"], key=lambda d: d["index"])]
    return np.array(
        [np.frombuffer(base64.b64decode(v), "<f4") if isinstance(v, str) else v for v in values], dtype=np.float32
    )


async def load(url: str, done: Round, texts: Sequence[str], wanted: np.ndarray) -> None:
    began = time.perf_counter()
    ends = began + done.seconds
    await asyncio.gather(*(client(url, texts, wanted, ends, seed, done) for seed in range(done.clients)))
    took = time.perf_counter() - began
    done.requests_a_second = done.requests / took
    if len(done.times) > 1:
        done.p50_ms = statistics.median(done.times) * 1e3
        done.p95_ms = statistics.quantiles(done.times, n=20)[-1] * 1e3


@contextmanager
def server(command: list[str], port: int):
    """A server of its own process, ready to answer."""
    process = subprocess.Popen(command)
    try:
        ends = time.monotonic() + 180
        while time.monotonic() < ends:
            assert process.poll() is None, f"{command} ended"
            try:
                if httpx.get(f"http://127.0.0.1:{port}/v1/models", timeout=5).status_code == 200:
                    break
            except httpx.TransportError:
                time.sleep(0.2)
        yield process
    finally:
        process.terminate()
        process.wait(30)


def commands(checkpoint: Path, backend: str) -> dict[str, tuple[list[str], int]]:
    found = {}
    for name in ("steelyard", "plain"):
        with socket.create_server(("127.0.0.1", 0)) as sock:
            port = sock.getsockname()[1]
        if name == "plain":
            command = [sys.executable, str(HERE / "plain_server.py"), str(checkpoint), str(port)]
        else:
            run = [sys.executable, "-c", "import sys; from steelyard.cli import main; sys.exit(main())"]
            command = [*run, "serve", f"{checkpoint}=e5", "--backend", backend, "--port", str(port)]
        found[name] = (command, port)
    return found


def rss_mb(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS"))


def reference(checkpoint: Path, texts: Sequence[str]) -> np.ndarray:
    from steelyard.engines.load import open_encoder
    from steelyard.models.folder import read_recipe
    from steelyard.types import Role

    return open_encoder(read_recipe(checkpoint), "torch-fp32").encode(texts, Role.DOCUMENT)


def measure(options: argparse.Namespace, checkpoint: Path) -> list[Round]:
    texts = make_texts(1, options.texts)
    wanted = reference(checkpoint, texts)
    rounds: list[Round] = []
    with ExitStack() as stack:
        servers = {}
        for name, (command, port) in commands(checkpoint, options.backend).items():
            servers[name] = (stack.enter_context(server(command, port)).pid, f"http://127.0.0.1:{port}")
            asyncio.run(load(servers[name][1], Round(name, 2, 3), texts, wanted))
        for clients in options.clients:
            for name, (pid, url) in servers.items():
                done = Round(name, clients, options.seconds)
                asyncio.run(load(url, done, texts, wanted))
                done.rss_mb = rss_mb(pid)
                rounds.append(done)
                report(done)
    return rounds


def report(done: Round) -> None:
    print(
        f"{done.server:10} {done.clients:4} clients: {done.requests_a_second:7.1f} requests/s, "
        f"p50 {done.p50_ms:8.1f} ms, p95 {done.p95_ms:8.1f} ms, refused {done.refused}, failed {done.failed}, "
        f"wrong {done.wrong} (worst cosine {done.worst_cosine:.4f}), {done.rss_mb:.0f} MB",
        flush=True,
    )


def main() -> None:
    from steelyard.engines.e5_rebuild import write_e5_checkpoint

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 8, 64, 256])
    parser.add_argument("--backend", default="torch")
    parser.add_argument("--texts", type=int, default=2000)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rounds = measure(options, write_e5_checkpoint(Path(folder) / "e5-small-rebuilt"))
    if options.out:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        rows = [{k: v for k, v in asdict(r).items() if k != "times"} for r in rounds]
        options.out.write_text(json.dumps(rows, indent=2))


if __name__ == "__main__":
    main()
