"""Load on `steelyard serve`, infinity_emb and a plain FastAPI + sentence-transformers server, by turns.

    python benchmarks/serving/load.py --setup      once: a venv for infinity_emb beside this file, about 10 minutes
    python benchmarks/serving/load.py --out results/serving-load.json      at most 15 minutes

The checkpoint is e5-small, rebuilt from its package into the standard layout, so no weights are downloaded. All
servers run it in float32 on all cores, and ours once more in int16, whose vectors are the same. They are up at once,
and only one is loaded at a time: for each number of clients each server gets the same requests, in an order that
changes from repeat to repeat. A request holds one text (80 %), four (15 %) or sixteen (5 %); of the texts, half have
about 10 tokens, 30 % about 40, 15 % about 120 and 5 % about 400; two thirds are Chinese. Short ones go as queries, long
ones as documents, finished with the model's template. Every answer is compared with the vectors of the engine alone;
one under a cosine of 0.999 counts as wrong. The table gives medians over repeats, and ratios within a repeat. Repeats
go on until --minutes are used.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import orjson
from common import RUN_CLI, Connection, free_port, make_texts, memory_mb, rows_of, server

HERE = Path(__file__).parent
PEERS = HERE / ".venv"
NEEDED = ("torch==2.13.0", "infinity_emb[server,torch]==0.0.78", "click==8.1.8", "typer==0.15.4")
"""infinity_emb pins numpy 1.26, so it has a venv of its own; it fails with newer releases of click and typer."""
REQUESTS = {1: 60, 8: 160, 64: 320, 256: 768}
_ROUTE = "/v1/embeddings"
_INFINITY = ["--served-model-name", "e5", "--engine", "torch", "--device", "cpu", "--dtype", "float32"]
_INFINITY += ["--url-prefix", "/v1", "--log-level", "error", "--no-model-warmup"]  # all are warmed here, and alike


@dataclass(frozen=True)
class Round:
    """One server under one load, in milliseconds and requests a second."""

    server: str
    clients: int
    repeat: int
    requests_a_second: float
    texts_a_second: float
    p50_ms: float
    p95_ms: float
    refused: int
    wrong: int
    worst_cosine: float
    rss_mb: float


@dataclass(frozen=True)
class Work:
    """Texts as they are sent, and float32[n, d] that is right."""

    texts: Sequence[str]
    wanted: np.ndarray

    def requests(self, seed: int, count: int) -> list[list[int]]:
        """Which texts each request holds."""
        draw = random.Random(seed)
        sizes = draw.choices([1, 4, 16], [80, 15, 5], k=count)
        return [[draw.randrange(len(self.texts)) for _ in range(size)] for size in sizes]


@dataclass(frozen=True)
class Answer:
    """What came for a request."""

    picked: list[int]
    status: int
    seconds: float
    content: bytes


def set_up() -> None:
    """Makes the venv of infinity_emb; $TORCH_INDEX names where the CPU build of torch comes from."""
    venv.create(PEERS, with_pip=True)
    pip = [str(PEERS / "bin" / "python"), "-m", "pip", "install", "-q"]
    index = os.environ.get("TORCH_INDEX")
    subprocess.run([*pip, *(["--index-url", index] if index else []), NEEDED[0]], check=True)
    subprocess.run([*pip, *NEEDED], check=True)


def commands(checkpoint: Path, names: Sequence[str]) -> dict[str, tuple[list[str], int]]:
    """Server name -> (command, port)."""
    found = {}
    for name in names:
        port = free_port()
        infinity = [str(PEERS / "bin" / "python"), "-c", "from infinity_emb.cli import cli; cli()", "v2"]
        ours = [*RUN_CLI, "serve", f"{checkpoint}=e5", "--port", str(port), "--backend"]
        options = {
            "steelyard": [*ours, "torch-fp32"],
            "steelyard-int16": [*ours, "torch-int16"],
            "plain": [sys.executable, str(HERE / "plain_server.py"), str(checkpoint), str(port)],
            "infinity": [*infinity, "--model-id", str(checkpoint), "--port", str(port), *_INFINITY],
        }
        found[name] = (options[name], port)
    return found


def prepare(checkpoint: Path, count: int) -> Work:
    """Texts of mixed lengths with their vectors from the engine alone."""
    from steelyard.engines.load import open_encoder
    from steelyard.engines.render import render
    from steelyard.models.folder import read_recipe
    from steelyard.types import Role

    recipe = read_recipe(checkpoint)
    encoder = open_encoder(recipe, "torch-fp32")
    texts: list[str] = []
    vectors: list[np.ndarray] = []
    bare = make_texts(1, count)
    for role in (Role.QUERY, Role.DOCUMENT):
        own = [t for t in bare if (len(t.encode()) < 150) == (role is Role.QUERY)]
        texts += render(recipe, own, role, None)
        vectors.append(encoder.encode(own, role))
    encoder.close()
    return Work(texts, np.concatenate(vectors))


async def load(port: int, work: Work, clients: int, requests: Sequence[list[int]]) -> tuple[float, list[Answer]]:
    """Seconds for all requests, and their answers."""
    waiting, answers = list(reversed(requests)), list[Answer]()

    async def client() -> None:
        connection = Connection(port)
        while waiting:
            picked = waiting.pop()
            body = {"model": "e5", "input": [work.texts[i] for i in picked], "encoding_format": "base64"}
            began = time.perf_counter()
            status, content = await connection.post(_ROUTE, body)
            answers.append(Answer(picked, status, time.perf_counter() - began, content))
        await connection.close()

    began = time.perf_counter()
    await asyncio.gather(*(client() for _ in range(clients)))
    return time.perf_counter() - began, answers


def judge(name: str, clients: int, repeat: int, took: float, answers: Sequence[Answer], work: Work) -> Round:
    """The figures of a round, every answer compared; refused ones are no answers."""
    good = [a for a in answers if a.status == 200]
    if len(good) < 2:
        raise RuntimeError(f"{name} gave {len(good)} answers to {len(answers)} requests: {answers[0].content[:300]!r}")
    cosines = [_worst(a, work) for a in good]
    times = [a.seconds * 1e3 for a in good]
    return Round(
        server=name,
        clients=clients,
        repeat=repeat,
        requests_a_second=len(good) / took,
        texts_a_second=sum(len(a.picked) for a in good) / took,
        p50_ms=statistics.median(times),
        p95_ms=statistics.quantiles(times, n=20)[-1],
        refused=len(answers) - len(good),
        wrong=sum(c < 0.999 for c in cosines),
        worst_cosine=min(cosines),
        rss_mb=0.0,
    )


def _worst(answer: Answer, work: Work) -> float:
    rows = rows_of(orjson.loads(answer.content))
    wanted = work.wanted[answer.picked]
    if rows.shape != wanted.shape:
        return 0.0
    return float(((rows * wanted).sum(axis=1) / np.linalg.norm(rows, axis=1)).min())


def measure(options: argparse.Namespace, checkpoint: Path) -> list[Round]:
    """Every round, until the time is used; the first repeat is always whole."""
    ends, rounds = time.monotonic() + options.minutes * 60, list[Round]()
    work = prepare(checkpoint, options.texts)
    with ExitStack() as stack:
        ports, pids = {}, {}
        for name, (command, port) in commands(checkpoint, options.servers).items():
            print(f"starting {name}", file=sys.stderr, flush=True)
            pids[name], ports[name] = stack.enter_context(server(command, port, 400)).pid, port
            asyncio.run(load(port, work, 4, work.requests(0, 24)))
        repeat, longest = 0, 0.0
        while repeat == 0 or (repeat < options.repeats and time.monotonic() + longest < ends):
            began = time.monotonic()
            order = options.servers[repeat % len(ports) :] + options.servers[: repeat % len(ports)]
            for clients in options.clients:
                count = max(int(REQUESTS.get(clients, 3 * clients) * options.share), 2 * clients, 20)
                requests = work.requests(1000 * repeat + clients, count)
                for name in order:
                    took, answers = asyncio.run(load(ports[name], work, clients, requests))
                    done = judge(name, clients, repeat, took, answers, work)
                    rounds.append(Round(**{**asdict(done), "rss_mb": memory_mb(pids[name])["VmRSS"]}))
                    print(rounds[-1], file=sys.stderr, flush=True)
            longest, repeat = max(longest, time.monotonic() - began), repeat + 1
    return rounds


def table(rounds: Sequence[Round]) -> str:
    """Medians of repeats; ratios are of this server to the other in the same repeat."""
    lines = [
        "| clients | server | requests/s | texts/s | p50 ms | p95 ms | our requests/s | our p95 | wrong |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    cells: dict[tuple[int, str], list[Round]] = {}
    for done in rounds:
        cells.setdefault((done.clients, done.server), []).append(done)
    for (clients, name), of in cells.items():
        figures = [
            f"{statistics.median(getattr(r, field) for r in of):,.1f}"
            for field in ("requests_a_second", "texts_a_second", "p50_ms", "p95_ms")
        ]
        ours = cells.get((clients, "steelyard"))
        ratios = ["", ""] if name == "steelyard" or not ours else [_ratio(ours, of, f) for f in _COMPARED]
        wrong = f"{sum(r.wrong for r in of)} of {sum(1 for _ in of)} rounds" if any(r.wrong for r in of) else "0"
        lines.append(f"| {clients} | {name} | {' | '.join([*figures, *ratios])} | {wrong} |")
    return "\n".join(lines)


_COMPARED = ("requests_a_second", "p95_ms")


def _ratio(ours: Sequence[Round], theirs: Sequence[Round], field: str) -> str:
    ratios = [getattr(a, field) / getattr(b, field) for a, b in zip(ours, theirs, strict=True)]
    spread = f" ({min(ratios):.2f} to {max(ratios):.2f})" if len(ratios) > 1 else ""
    return f"{statistics.median(ratios):.2f}x{spread}"


def versions(names: Sequence[str]) -> Mapping[str, str]:
    """What was compared."""
    from importlib.metadata import version

    found = {"plain": f"sentence-transformers {version('sentence-transformers')}, torch {version('torch')}"}
    if "infinity" in names:
        code = (
            "from importlib.metadata import version as v;"
            "print(', '.join(f'{p} {v(p)}' for p in ('infinity_emb','sentence-transformers','torch','transformers')))"
        )
        run = [str(PEERS / "bin" / "python"), "-c", code]
        found["infinity"] = subprocess.run(run, check=True, capture_output=True, text=True).stdout.strip()
    return {name: found[name] for name in names if name in found}


def main() -> None:
    """Measures, or sets up."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--setup", action="store_true", help="make the venv of infinity_emb, and end")
    parser.add_argument("--minutes", type=float, default=11, help="after which no further repeat is begun")
    parser.add_argument("--repeats", type=int, default=3, help="at most so many")
    parser.add_argument("--clients", type=int, nargs="+", default=list(REQUESTS))
    parser.add_argument("--servers", nargs="+", default=["steelyard", "steelyard-int16", "infinity", "plain"])
    parser.add_argument("--share", type=float, default=1.0, help="of the usual number of requests")
    parser.add_argument("--texts", type=int, default=1500)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    if options.setup:
        set_up()
        return
    if "infinity" in options.servers and not PEERS.is_dir():
        parser.error(f"there is no {PEERS}; run with --setup first, or leave infinity out: --servers steelyard plain")
    from steelyard.engines.builtin.e5_rebuild import write_e5_checkpoint

    with tempfile.TemporaryDirectory() as folder:
        rounds = measure(options, write_e5_checkpoint(Path(folder) / "e5-small-rebuilt"))
    print(table(rounds))
    print(f"\n{'; '.join(f'{k}: {v}' for k, v in versions(options.servers).items())}")
    if options.out:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(json.dumps([asdict(r) for r in rounds], indent=1))


if __name__ == "__main__":
    main()
