"""A long mixed load with misbehaving clients: every answer checked, growth of memory measured.

    python benchmarks/serving/soak.py --minutes 30 --warm-up 8 --out results/serving-soak.json

One server serves the built-in e5-small, the same model as a checkpoint (torch) and as a reranker. Clients ask
for queries, bulk, both encodings and rerankings at a modest pace. Others hang up in the middle, send half a body and
reset the connection, are processes killed with SIGKILL, send malformed bodies, and texts over the limits. Memory is
sampled every few seconds; the slope is taken after the warm-up, with an interval from a bootstrap of blocks of samples.
Takes --minutes and some more for the right answers before. With --kinds clients do some things alone, which shows which
of them a growth comes from. Ends with 1 if an answer was wrong or lost.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import socket
import struct
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from common import RUN_CLI, free_port, make_texts, memory_mb, rows_of, server

_LENGTHS = {10: 60, 40: 30, 120: 10}
_KINDS = {"embed": 70, "rerank": 4, "look": 4, "hang_up": 6, "reset": 6, "killed": 1, "bad": 9}
"""What clients do, and how often in a hundred."""
_KILLED = (
    "import socket,sys,time;s=socket.create_connection(('127.0.0.1',int(sys.argv[1])));"
    "s.sendall(sys.stdin.buffer.read());time.sleep(60)"
)
Samples = list[tuple[float, float, float]]
"""(seconds since the start, resident MB, resident MB without mapped files)"""


@dataclass
class Count:
    """What came back."""

    right: int = 0
    wrong: int = 0
    lost: int = 0
    busy: int = 0
    hung_up: int = 0
    reset: int = 0
    killed: int = 0
    refused_rightly: int = 0
    refused_wrongly: int = 0
    faults: list[str] = field(default_factory=list)


class Soak:
    """The clients of one run.

    Args:
        port: where the server listens.
        checkpoint: the folder that it serves as ``torch``.
        seed: of texts and choices.
    """

    def __init__(self, port: int, checkpoint: Path, seed: int) -> None:
        from steelyard.engines.load import open_encoder
        from steelyard.models.folder import read_recipe
        from steelyard.models.registry import load_recipe
        from steelyard.types import Role

        self.port, self.url, self.draw, self.count = port, f"http://127.0.0.1:{port}", random.Random(seed), Count()
        self.texts = make_texts(seed, 200, _LENGTHS)
        encoders = {
            "e5-small": open_encoder(load_recipe("e5-small")),
            "torch": open_encoder(read_recipe(checkpoint), "torch"),
        }
        self.wanted = {
            (name, role.value): encoder.encode(self.texts, role) for name, encoder in encoders.items() for role in Role
        }
        self.judged = self._judged()

    def _judged(self) -> list[tuple[dict[str, Any], np.ndarray]]:
        """Rerank requests with the scores that are right."""
        from steelyard.engines.protocol import Reranker
        from steelyard.serving.models import Wanted, open_models

        reranker = open_models([Wanted.read("maxsim:e5-small")], None, "refuse")["maxsim-e5-small"].engine
        if not isinstance(reranker, Reranker):
            raise TypeError(f"maxsim:e5-small was opened as {type(reranker).__name__}, which scores nothing")
        found = []
        for start in range(0, 60, 6):
            query, *documents = self.texts[start : start + 6]
            body = {"model": "maxsim-e5-small", "query": query, "documents": documents}
            found.append((body, reranker.score(query, documents)))
        return found

    async def embed(self, http: httpx.AsyncClient) -> None:
        """A query or some documents of either model, in either encoding."""
        model, role = self.draw.choice(list(self.wanted))
        count = 1 if role == "query" else self.draw.randint(1, 8)
        picked = [self.draw.randrange(len(self.texts)) for _ in range(count)]
        body = {
            "model": model,
            "input": [self.texts[i] for i in picked],
            "input_type": role,
            "encoding_format": self.draw.choice(["float", "base64"]),
        }
        answer = await self._ask(http, "/v1/embeddings", body)
        if answer is not None:
            same = np.allclose(rows_of(answer), self.wanted[model, role][picked], atol=1e-4)
            self._note(same, f"{model} {role} {picked}")

    async def rerank(self, http: httpx.AsyncClient) -> None:
        """A query with five documents."""
        body, wanted = self.draw.choice(self.judged)
        answer = await self._ask(http, "/v1/rerank", body)
        if answer is not None:
            scores = {r["index"]: r["relevance_score"] for r in answer["results"]}
            self._note(np.allclose([scores[i] for i in range(len(wanted))], wanted, atol=1e-4), "rerank")

    async def look(self, http: httpx.AsyncClient) -> None:
        """What supervisors read."""
        path = self.draw.choice(["/metrics", "/v1/models", "/ready", "/openapi.json", "/nowhere"])
        answer = await http.get(f"{self.url}{path}")
        self._note(answer.status_code == (404 if path == "/nowhere" else 200), path)

    async def hang_up(self, http: httpx.AsyncClient) -> None:
        """A client that loses patience."""
        body = {"model": self.draw.choice(["e5-small", "torch"]), "input": self.texts[:24]}
        try:
            await http.post(f"{self.url}/v1/embeddings", json=body, timeout=self.draw.uniform(0.01, 0.3))
        except httpx.TimeoutException:
            self.count.hung_up += 1

    async def reset(self, http: httpx.AsyncClient) -> None:
        """Half a body, then a reset."""
        with socket.create_connection(("127.0.0.1", self.port)) as sock:
            raw = self._raw()
            sock.sendall(raw[: self.draw.randrange(20, len(raw))])
            await asyncio.sleep(self.draw.uniform(0.0, 0.2))
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.count.reset += 1

    async def killed(self, http: httpx.AsyncClient) -> None:
        """A client process that is killed while it waits."""
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(sys.executable, "-S", "-c", _KILLED, str(self.port), stdin=pipe)
        if process.stdin is not None:
            process.stdin.write(self._raw())
            process.stdin.close()
        await asyncio.sleep(self.draw.uniform(0.05, 0.4))
        process.kill()
        await process.wait()
        self.count.killed += 1

    async def bad(self, http: httpx.AsyncClient) -> None:
        """What must be refused, or made harmless."""
        content, status = self.draw.choice(
            [
                (b'{"model": "e5-small", "input": ', 400),
                (b"\xff\xfe\x00", 400),
                (b'{"model": "e5-small", "input": [1, "a"]}', 400),
                (json.dumps({"model": "e5-small", "input": "x" * 40_000}).encode(), 400),
                (json.dumps({"model": "torch", "input": "refund " * 2_000}).encode(), 400),
                (json.dumps({"model": f"none-{self.draw.random()}", "input": "x"}).encode(), 404),
                (b'{"model": "e5-small", "input": "a\\u0000\\ud800b"}', 200),
                (b'{"input": "' + b"x" * (17 << 20) + b'"}', 413),
            ]
        )
        try:
            answer = await http.post(
                f"{self.url}/v1/embeddings", content=content, headers={"Content-Type": "application/json"}
            )
        except httpx.TransportError as wrong:
            self._refused(status == 413, f"{type(wrong).__name__} for {status}")  # closed while the body was being sent
            return
        self._refused(answer.status_code in (status, 429, 503), f"{answer.status_code} for {status}: {content[:60]!r}")

    async def client(self, ends: float, pause: float, kinds: Sequence[str]) -> None:
        """One client that does one thing after another, ``pause`` seconds apart on average."""
        weights = [_KINDS[kind] for kind in kinds]
        async with httpx.AsyncClient(timeout=120) as http:
            while time.monotonic() < ends:
                await asyncio.sleep(self.draw.expovariate(1 / pause))
                await getattr(self, self.draw.choices(kinds, weights)[0])(http)

    async def _ask(self, http: httpx.AsyncClient, path: str, body: dict[str, Any]) -> Any:
        try:
            answer = await http.post(f"{self.url}{path}", json=body)
        except httpx.TransportError as wrong:
            self._lose(f"{path}: {type(wrong).__name__}")
            return None
        if answer.status_code in (429, 503):
            self.count.busy += 1
            return None
        if answer.status_code != 200:
            self._lose(f"{path}: {answer.status_code}")
            return None
        return answer.json()

    def _raw(self) -> bytes:
        body = json.dumps({"model": "e5-small", "input": self.texts[:16]}).encode()
        head = (
            f"POST /v1/embeddings HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
        )
        return head.encode() + b"\r\n\r\n" + body

    def _note(self, right: bool, what: str) -> None:
        self.count.right += right
        self.count.wrong += not right
        if not right:
            self.count.faults.append(f"wrong: {what}")

    def _lose(self, what: str) -> None:
        self.count.lost += 1
        self.count.faults.append(f"lost: {what}")

    def _refused(self, right: bool, what: str) -> None:
        self.count.refused_rightly += right
        self.count.refused_wrongly += not right
        if not right:
            self.count.faults.append(f"refused wrongly: {what}")


async def watch(pid: int, ends: float, every: float, samples: Samples) -> None:
    """Samples the memory of a process until ``ends``; tells stderr once a minute."""
    began = told = time.monotonic()
    while time.monotonic() < ends:
        now = memory_mb(pid)
        samples.append((time.monotonic() - began, now["VmRSS"], now["RssAnon"]))
        if time.monotonic() - told >= 60:
            told = time.monotonic()
            print(f"{(told - began) / 60:5.1f} min: {now['VmRSS']:.1f} MB", file=sys.stderr, flush=True)
        await asyncio.sleep(every)


async def run(soak: Soak, pid: int, options: argparse.Namespace) -> Samples:
    """Everything at once until the time is over."""
    samples: Samples = []
    ends = time.monotonic() + options.minutes * 60
    pause = options.clients / options.rate
    clients = (soak.client(ends, pause, options.kinds) for _ in range(options.clients))
    await asyncio.gather(watch(pid, ends, options.every, samples), *clients)
    return samples


@dataclass(frozen=True)
class Growth:
    """MB an hour with a 95 % interval, from ``samples`` over ``minutes``."""

    mb_an_hour: float
    low: float
    high: float
    samples: int
    minutes: float

    def __str__(self) -> str:
        return f"{self.mb_an_hour:+.2f} MB/hour [{self.low:+.2f}, {self.high:+.2f}]"


def growth(times: Sequence[float], sizes: Sequence[float], block_seconds: float = 120.0) -> Growth:
    """Least squares over (seconds, MB); the interval from 2,000 bootstraps of blocks of neighbouring residuals.

    Neighbouring samples are alike, so single residuals drawn at random would give an interval that is too narrow.
    """
    hours, mb = np.asarray(times) / 3600, np.asarray(sizes)
    slope, at_zero = np.polyfit(hours, mb, 1)
    line = at_zero + slope * hours
    residuals, count = mb - line, len(mb)
    every = (times[-1] - times[0]) / max(count - 1, 1)
    block = min(max(round(block_seconds / every), 1), count)
    draw = np.random.default_rng(0)
    slopes = []
    for _ in range(2_000):
        starts = draw.integers(0, count - block + 1, size=-(-count // block))
        drawn = np.concatenate([residuals[s : s + block] for s in starts])[:count]
        slopes.append(np.polyfit(hours, line + drawn, 1)[0])
    low, high = np.percentile(slopes, [2.5, 97.5])
    return Growth(float(slope), float(low), float(high), count, (times[-1] - times[0]) / 60)


def report(count: Count, samples: Samples, warm_up: float) -> Growth:
    """Prints the tables; gives the growth of resident memory after ``warm_up`` minutes."""
    late = [s for s in samples if s[0] >= warm_up * 60]
    found = growth([s[0] for s in late], [s[1] for s in late])
    anon = growth([s[0] for s in late], [s[2] for s in late])
    quarters = [samples[min(round(i * (len(samples) - 1) / 4), len(samples) - 1)][1] for i in range(5)]
    kinds = [k for k in asdict(count) if k != "faults"]
    print(f"| {' | '.join(k.replace('_', ' ') for k in kinds)} |\n|{'---|' * len(kinds)}")
    print(f"| {' | '.join(f'{getattr(count, k):,}' for k in kinds)} |\n")
    print("| memory | at 0, 1/4, 1/2, 3/4, end (MB) | growth after warm-up |\n|---|---|---|")
    print(f"| resident | {', '.join(f'{q:.1f}' for q in quarters)} | {found} |")
    print(f"| without mapped files | {samples[0][2]:.1f} to {samples[-1][2]:.1f} | {anon} |")
    for fault in count.faults[:20]:
        print(fault, file=sys.stderr)
    return found


def main() -> int:
    """Serves, soaks, reports."""
    from steelyard.engines.builtin.e5_rebuild import write_e5_checkpoint

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--warm-up", type=float, default=8, help="minutes whose samples do not count for the slope")
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--rate", type=float, default=16, help="requests a second of all clients together")
    parser.add_argument("--kinds", nargs="+", choices=list(_KINDS), default=list(_KINDS), help="what clients do")
    parser.add_argument("--every", type=float, default=3, help="seconds between samples of memory")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        checkpoint = write_e5_checkpoint(Path(folder) / "torch")
        models = ["e5-small", str(checkpoint), "maxsim:e5-small"]
        soak = Soak(port, checkpoint, 7)
        with server([*RUN_CLI, "serve", *models, "--port", str(port)], port) as process:
            samples = asyncio.run(run(soak, process.pid, options))
    found = report(soak.count, samples, options.warm_up)
    if options.out:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        done = {"count": asdict(soak.count), "growth": asdict(found), "samples": samples}
        options.out.write_text(json.dumps(done, indent=1))
    return 1 if soak.count.wrong or soak.count.lost or soak.count.refused_wrongly else 0


if __name__ == "__main__":
    sys.exit(main())
