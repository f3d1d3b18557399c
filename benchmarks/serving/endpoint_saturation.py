"""Whether the load figures of an endpoint are right: a real server under 1, 2, 4, ... clients, counted by both sides.

    python benchmarks/serving/endpoint_saturation.py [MODEL] [SECONDS A LEVEL]      (e5-small, 3 s: about half a minute)

Starts ``steelyard serve MODEL`` on a free port and loads it as ``steelyard costs openai:...`` does. Beside each level
stands what the server's own /metrics counted meanwhile, and the rate by a clock around the level. Ends with 1 where a
count differs or a rate is off by more than 5 %.
"""

from __future__ import annotations

import argparse
import re
import sys
import time
from collections.abc import Callable

import httpx
from common import RUN_CLI, free_port, server

from steelyard.cost.concurrency import GAIN, LEVELS, Level, saturation, sweep
from steelyard.retrieval.builder import SystemBuilder
from steelyard.retrieval.resolve import read_system
from steelyard.suites.registry import open_suite
from steelyard.types import Role

OFF = 0.05
Row = tuple[Level, int, float, float]
"""A level, answers counted by the clients and texts by the server, and the rate by a clock outside."""


def texts_served(port: int) -> float:
    """Texts that the server has embedded, by its own count."""
    page = httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=30).raise_for_status().text
    return sum(map(float, re.findall(r"^steelyard_texts(?:_total)?(?:\{[^}]*\})? ([0-9.e+]+)$", page, re.M)))


def client_of(system: str, texts: list[str]) -> Callable[[], Callable[[int], object]]:
    def open_client() -> Callable[[int], object]:
        (model,) = read_system(system).models
        encoder = SystemBuilder().encoder(model)
        return lambda i: encoder.encode([f"{texts[i % len(texts)]} {i}"], Role.DOCUMENT)

    return open_client


def measure(port: int, model: str, seconds: float) -> tuple[list[Level], list[Row]]:
    """One row a level, until more clients bring nothing."""
    open_client = client_of(f"openai:{model}@http://127.0.0.1:{port}/v1", short_texts())
    open_client()(0)
    levels, rows = list[Level](), list[Row]()
    for count in LEVELS:
        print(f"{count} clients", file=sys.stderr)
        before, start = texts_served(port), time.perf_counter()
        (level,) = sweep(open_client, seconds, (count,))
        outside = time.perf_counter() - start
        answered = level.latency.count if level.latency else 0
        rows.append((level, answered, texts_served(port) - before, answered / outside))
        best = max((one.calls_per_second for one in levels), default=0.0)
        levels.append(level)
        if level.failed or level.calls_per_second < GAIN * best:
            break
    return levels, rows


def short_texts() -> list[str]:
    return [d.text for d in open_suite("zh-traps").documents if len(d.text) < 60][:400]


def main() -> int:
    """Every level, and whether both sides counted alike."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", nargs="?", default="e5-small")
    parser.add_argument("seconds", type=float, nargs="?", default=3.0)
    options = parser.parse_args()
    model, port = options.model, free_port()
    with server([*RUN_CLI, "serve", model, "--port", str(port)], port):
        levels, rows = measure(port, model, options.seconds)
    print("| clients | texts/s | by a clock outside | p50 ms | p95 ms | answered | counted by the server |")
    print("|---|---|---|---|---|---|---|")
    for level, answered, counted, rate in rows:
        p50, p95 = (level.latency.p50, level.latency.p95) if level.latency else (float("nan"), float("nan"))
        print(
            f"| {level.clients} | {level.calls_per_second:.1f} | {rate:.1f} | {p50:.1f} | {p95:.1f} "
            f"| {answered} | {counted:.0f} |"
        )
    print(f"\nSaturated by {saturation(levels)} clients.")
    wrong = [a != c or abs(lv.calls_per_second - r) > OFF * r for lv, a, c, r in rows]
    return int(any(wrong))


if __name__ == "__main__":
    sys.exit(main())
