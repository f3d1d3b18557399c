"""From nothing to the first vector, in a process of its own each time: seconds, the processor's share, peak memory.

python benchmarks/engine/cold.py qwen3-0.6b --rounds 3 --folder /tmp/steelyard-engine
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
    parser.add_argument("--backends", nargs="*", default=["torch-fp32", "torch-bf16", "torch-int8"])
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
        print(name)
        for way, seen in found.items():
            seconds, busy, memory = (statistics.median(x) for x in zip(*seen, strict=True))
            print(f"  {way:32} {seconds:6.2f} s to the first vector ({busy:.2f} s of processor), peak {memory:5.2f} GB")


def _run(code: str) -> tuple[float, ...]:
    import time

    start = time.perf_counter()
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=True)
    return (time.perf_counter() - start, *map(float, done.stdout.splitlines()[-1].split()))


if __name__ == "__main__":
    main()
