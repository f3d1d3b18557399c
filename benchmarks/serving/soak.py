"""A long mixed load with misbehaving clients: every answer checked, growth of memory reported.

    python benchmarks/serving/soak.py --minutes 30 --out results/serving-soak.json

Serves the built-in e5-small and asks it for queries and bulk in both encodings, while other clients hang up in the
middle, send malformed bodies, and send texts over the limit. Ends with 1 if an answer was wrong or lost.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import socket
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import httpx
import numpy as np
from load import make_texts, rows_of, rss_mb, server


@dataclass
class Count:
    """What came back."""

    right: int = 0
    wrong: int = 0
    lost: int = 0
    busy: int = 0
    hung_up: int = 0
    refused_rightly: int = 0
    refused_wrongly: int = 0


class Soak:
    def __init__(self, url: str, seed: int) -> None:
        from steelyard.engines.load import open_encoder
        from steelyard.models.registry import load_recipe
        from steelyard.types import Role

        self.url, self.draw, self.count = f"{url}/v1/embeddings", random.Random(seed), Count()
        self.texts = [t[:200] for t in make_texts(seed, 300)]
        encoder = open_encoder(load_recipe("e5-small"))
        self.wanted = {role.value: encoder.encode(self.texts, role) for role in Role}

    async def good(self, http: httpx.AsyncClient) -> None:
        role = self.draw.choice(["query", "document"])
        picked = [
            self.draw.randrange(len(self.texts)) for _ in range(1 if role == "query" else self.draw.randint(1, 12))
        ]
        form = self.draw.choice(["float", "base64"])
        body = {
            "model": "e5-small",
            "input": [self.texts[i] for i in picked],
            "input_type": role,
            "encoding_format": form,
        }
        try:
            answer = await http.post(self.url, json=body)
        except httpx.TransportError:
            self.count.lost += 1
            return
        if answer.status_code in (429, 503):
            self.count.busy += 1
            await asyncio.sleep(0.5)
        elif answer.status_code != 200:
            self.count.lost += 1
        else:
            same = np.allclose(rows_of(answer.json()), self.wanted[role][picked], atol=1e-5)
            self.count.right += same
            self.count.wrong += not same

    async def hang_up(self, http: httpx.AsyncClient) -> None:
        body = {"model": "e5-small", "input": self.texts[:40]}
        try:
            await http.post(self.url, json=body, timeout=self.draw.uniform(0.01, 0.2))
        except httpx.TimeoutException:
            self.count.hung_up += 1

    async def bad(self, http: httpx.AsyncClient) -> None:
        content, status = self.draw.choice(
            [
                (b'{"model": "e5-small", "input": ', 400),
                (b"\xff\xfe\x00", 400),
                (b'{"model": "e5-small", "input": [1, "a"]}', 400),
                (json.dumps({"model": "e5-small", "input": "x" * 40_000}).encode(), 400),
                (json.dumps({"model": "none", "input": "x"}).encode(), 404),
                (b'{"model": "e5-small", "input": "a\\u0000\\ud800b"}', 200),
                (b'{"input": "' + b"x" * (17 << 20) + b'"}', 413),
            ]
        )
        try:
            answer = await http.post(self.url, content=content, headers={"Content-Type": "application/json"})
        except httpx.TransportError:
            self.count.refused_rightly += status == 413  # closed while the body was still being sent
            self.count.refused_wrongly += status != 413
            return
        fits = answer.status_code in (status, 429, 503)
        self.count.refused_rightly += fits
        self.count.refused_wrongly += not fits

    async def client(self, ends: float) -> None:
        async with httpx.AsyncClient(timeout=120) as http:
            while time.monotonic() < ends:
                kind = self.draw.choices([self.good, self.hang_up, self.bad], [8, 1, 1])[0]
                await kind(http)


async def watch(pid: int, ends: float, sizes: list[tuple[float, float]]) -> None:
    began = time.monotonic()
    while time.monotonic() < ends:
        sizes.append((time.monotonic() - began, rss_mb(pid)))
        await asyncio.sleep(1)


async def run(url: str, pid: int, minutes: float, clients: int) -> tuple[Count, list[tuple[float, float]]]:
    soak, sizes = Soak(url, 7), list[tuple[float, float]]()
    ends = time.monotonic() + minutes * 60
    await asyncio.gather(watch(pid, ends, sizes), *(soak.client(ends) for _ in range(clients)))
    return soak.count, sizes


def slope(sizes: list[tuple[float, float]]) -> float:
    """MB an hour over the second half, when everything has been used once."""
    late = np.array(sizes[len(sizes) // 2 :])
    return float(np.polyfit(late[:, 0] / 3600, late[:, 1], 1)[0]) if len(late) > 2 else 0.0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--clients", type=int, default=12)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port = sock.getsockname()[1]
    run_cli = "import sys; from steelyard.cli import main; sys.exit(main())"
    with server([sys.executable, "-c", run_cli, "serve", "--port", str(port)], port) as process:
        count, sizes = asyncio.run(run(f"http://127.0.0.1:{port}", process.pid, options.minutes, options.clients))
    growth = slope(sizes)
    first, last = sizes[0][1], sizes[-1][1]
    print(f"{count}\nmemory: {first:.0f} MB at first, {last:.0f} MB at last, {growth:+.1f} MB an hour late on")
    if options.out:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(json.dumps({"count": asdict(count), "mb_an_hour": growth, "rss_mb": sizes}, indent=1))
    return 1 if count.wrong or count.lost or count.refused_wrongly else 0


if __name__ == "__main__":
    sys.exit(main())
