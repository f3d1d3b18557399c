"""From nothing to the first vector, in a process of its own each time: seconds, the processor's share, peak memory.

    python benchmarks/engine/cold.py qwen3-0.6b --rounds 5 --folder /tmp/steelyard-engine

About a minute a round. ``torch`` is the backend that runs unasked. Progress goes to stderr, a Markdown table to stdout.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
from pathlib import Path

import shapes

OURS = """
from steelyard.models.folder import read_recipe
from steelyard.engines.load import open_encoder
from steelyard.types import Role
from pathlib import Path
open_encoder(read_recipe(Path({folder!r})), {backend!r}).encode(["秤"], Role.DOCUMENT)
"""
THEIRS = """
import torch
from sentence_transformers import SentenceTransformer
SentenceTransformer({folder!r}, device="cpu", model_kwargs={{"dtype": torch.{dtype}}}).encode(["秤"])
"""
END = """
import resource
used = resource.getrusage(resource.RUSAGE_SELF)
print(used.ru_utime + used.ru_stime, used.ru_maxrss / 1e6)
"""


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("models", nargs="+")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--backends", nargs="*", default=["torch", "torch-fp32", "torch-bf16", "torch-int16"])
    parser.add_argument("--dtypes", nargs="*", default=["float32"])
    parser.add_argument("--folder", type=Path, default=Path("/tmp/steelyard-engine"))
    asked = parser.parse_args()
    for name in asked.models:
        folder = str(asked.folder / name)
        shapes.write(name, Path(folder))
        ways = {b: OURS.format(folder=folder, backend=b) for b in asked.backends}
        ways |= {f"sentence-transformers {d}": THEIRS.format(folder=folder, dtype=d) for d in asked.dtypes}
        found: dict[str, list[tuple[float, ...]]] = {w: [] for w in ways}
        for _ in range(asked.rounds):
            for way, code in ways.items():
                found[way].append(_run(code + END))
                print(f"{name}, {way}: {found[way][-1]}", file=sys.stderr, flush=True)
        _table(name, found)


def _table(name: str, found: dict[str, list[tuple[float, ...]]]) -> None:
    theirs = next(seen for way, seen in found.items() if way.startswith("sentence"))
    print(f"\n| {name} | seconds | of sentence-transformers | of the processor | its share | peak GB |")
    print("|---|---|---|---|---|---|")
    for way, seen in found.items():
        seconds, busy, memory = (statistics.median(x) for x in zip(*seen, strict=True))
        wall, used = (statistics.median(a[i] / b[i] for a, b in zip(seen, theirs, strict=True)) for i in range(2))
        print(f"| {way} | {seconds:.2f} | {wall:.2f} | {busy:.2f} | {used:.2f} | {memory:.2f} |")


def _run(code: str) -> tuple[float, ...]:
    import time

    start = time.perf_counter()
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=True)
    return (time.perf_counter() - start, *map(float, done.stdout.splitlines()[-1].split()))


if __name__ == "__main__":
    main()
