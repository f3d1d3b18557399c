"""Whether the load figures of an endpoint are right: a real server under 1, 2, 4, ... clients, counted by both sides.

    python benchmarks/endpoint_saturation.py [MODEL] [SECONDS A LEVEL]      (e5-small, 3 s: about half a minute)

Starts ``steelyard serve MODEL`` on a free port and loads it as ``steelyard costs openai:...`` does. Beside each level
stands what the server's own /metrics counted meanwhile, and the rate by a clock around the level. Ends with 1 where a
count differs or a rate is off by more than 5 %.
"""

import re
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

from steelyard.cost.concurrency import GAIN, LEVELS, saturation, sweep
from steelyard.retrieval.build import Workshop
from steelyard.retrieval.expression import parse
from steelyard.suites.registry import open_suite
from steelyard.types import Role

OFF = 0.05
SERVE = [sys.executable, "-c", "import sys; from steelyard.cli import main; sys.exit(main())", "serve"]


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def texts_served(port):
    """Texts that the server has embedded, by its own count."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as answer:
        lines = re.findall(r"^steelyard_texts(?:_total)?(?:\{[^}]*\})? ([0-9.e+]+)$", answer.read().decode(), re.M)
    return sum(map(float, lines))


def wait_until_ready(port, process):
    for _ in range(240):
        if process.poll() is not None:
            sys.exit(f"the server ended with code {process.returncode}")
        try:
            return texts_served(port)
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.5)
    sys.exit("the server did not answer within two minutes")


def client_of(system, texts):
    def open_client():
        encoders = []
        workshop = Workshop(wrap_encoder=lambda e: encoders.append(e) or e)
        workshop.build(parse(system))
        return lambda i: encoders[0].encode([f"{texts[i % len(texts)]} {i}"], Role.DOCUMENT)

    return open_client


def measure(port, model, seconds):
    """One row a level, until more clients bring nothing."""
    open_client = client_of(f"openai:{model}@http://127.0.0.1:{port}/v1", short_texts())
    open_client()(0)
    levels, rows = [], []
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


def short_texts():
    return [d.text for d in open_suite("zh-traps").documents if len(d.text) < 60][:400]


def main(model="e5-small", seconds="3"):
    port = free_port()
    process = subprocess.Popen([*SERVE, model, "--port", str(port)], stderr=subprocess.DEVNULL)
    try:
        wait_until_ready(port, process)
        levels, rows = measure(port, model, float(seconds))
    finally:
        process.terminate()
        process.wait(60)
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
    sys.exit(main(*sys.argv[1:]))
