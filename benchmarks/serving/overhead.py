"""What the server adds to the engine for one client: round trip minus the bare engine's time for the same text.

    python benchmarks/serving/overhead.py      about 2 minutes

The engine runs in this process, the server in another, asked over one connection. They answer the same text by turns,
in an order that changes, so that both meet the same machine; the difference is taken pair by pair. The server's own
metrics say how long its engine worked, so that what HTTP, checks and the queue cost is told from an engine that is
faster in one process than in another. Short queries of the built-in e5-small, and of the same model as a checkpoint
(torch).
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # or the threads of one engine spin while the other one runs

import httpx
import numpy as np
import orjson
from common import RUN_CLI, Connection, free_port, make_texts, rows_of, server

_LENGTHS = {10: 60, 40: 40}


def engine_seconds(port: int) -> float:
    """How long the server's engines have worked in all."""
    lines = httpx.get(f"http://127.0.0.1:{port}/metrics").text.splitlines()
    return sum(float(line.split()[1]) for line in lines if line.startswith("steelyard_batch_seconds_sum"))


async def pairs(port: int, name: str, bare: Callable[[str], np.ndarray], texts: list[str]) -> np.ndarray:
    """float64[n, 3]: seconds of the engine alone, of the round trip, and of the engine in it, for each text."""
    connection, draw, found = Connection(port), random.Random(0), []

    async def ask(text: str) -> np.ndarray:
        body = {"model": name, "input": text, "input_type": "query", "encoding_format": "base64"}
        status, content = await connection.post("/v1/embeddings", body)
        if status != 200:
            raise RuntimeError(f"the server answered {status}: {content[:200]!r}")
        row: np.ndarray = rows_of(orjson.loads(content))[0]
        return row

    for text in texts:
        took: dict[str, tuple[float, np.ndarray]] = {}
        before = engine_seconds(port)
        for who in draw.sample(["bare", "server"], 2):
            began = time.perf_counter()
            row = bare(text) if who == "bare" else await ask(text)
            took[who] = time.perf_counter() - began, row
        if not np.allclose(took["bare"][1], took["server"][1], atol=1e-4):
            raise RuntimeError(f"{name}: the server's vector of {text!r} is not the engine's")
        found.append([took["bare"][0], took["server"][0], engine_seconds(port) - before])
    await connection.close()
    return np.array(found)


def interval(values: np.ndarray) -> tuple[float, float]:
    """95 % of the median, from 2,000 bootstraps."""
    draw = np.random.default_rng(0)
    medians = [np.median(draw.choice(values, len(values))) for _ in range(2_000)]
    low, high = np.percentile(medians, [2.5, 97.5])
    return float(low), float(high)


def row(backend: str, found: np.ndarray) -> str:
    """A line of the table, in milliseconds."""
    bare, trip, inside = found.T * 1e3
    cells = [f"{np.median(bare):.2f}", f"{np.median(trip):.2f}", *map(_spread, (trip - bare, trip - inside))]
    return f"| {backend} | {len(found)} | {' | '.join(cells)} |"


def _spread(added: np.ndarray) -> str:
    low, high = interval(added)
    return f"{np.median(added):.2f} [{low:.2f}, {high:.2f}] | {np.percentile(added, 95):.2f}"


def main() -> None:
    """Measures both backends."""
    from steelyard.engines.builtin.e5_rebuild import write_e5_checkpoint
    from steelyard.engines.load import open_encoder
    from steelyard.models.folder import read_recipe
    from steelyard.models.registry import load_recipe
    from steelyard.types import Role

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--texts", type=int, default=400)
    options = parser.parse_args()
    texts = make_texts(3, options.texts + 40, _LENGTHS)
    lines = [
        "| engine | texts | engine alone, ms | round trip, ms | added, ms (95 %) | p95 | outside the engine, ms | p95 |"
    ]
    lines.append("|---|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        checkpoint = write_e5_checkpoint(Path(folder) / "torch")
        ways: dict[str, Any] = {
            "e5-small": open_encoder(load_recipe("e5-small")),
            "torch": open_encoder(read_recipe(checkpoint), "torch"),
        }
        port = free_port()
        command = [*RUN_CLI, "serve", "e5-small", str(checkpoint), "--port", str(port)]
        with server(command, port, env={"OMP_WAIT_POLICY": "passive"}):
            for name, encoder in ways.items():
                print(f"measuring {name}", file=sys.stderr, flush=True)
                bare = lambda text, encoder=encoder: encoder.encode([text], Role.QUERY)[0]  # noqa: E731
                found = asyncio.run(pairs(port, name, bare, texts))[40:]  # the first ones warm up
                lines.append(row(encoder.info.backend, found))
    print("\n".join(lines))


if __name__ == "__main__":
    main()
