"""What exact search needs beside the vectors: peak memory and time of one search, in a process of its own.

    python benchmarks/exact_memory.py

Ends with 1 where the peak exceeds the vectors' own size by more than 1 GB.
"""

from __future__ import annotations

import argparse
import resource
import sys
import time

import numpy as np

from steelyard.retrieval.exact import ExactIndex
from steelyard.types import Vectors

ALLOWED = 1_000_000_000
_ROWS = 10_000


def make(rows: int, dimensions: int, seed: int) -> Vectors:
    """Unit rows, drawn piece by piece so that making them needs no more than they do."""
    rng = np.random.default_rng(seed)
    vectors = np.empty((rows, dimensions), dtype=np.float32)
    for start in range(0, rows, _ROWS):
        part = vectors[start : start + _ROWS]
        rng.standard_normal(out=part, dtype=np.float32)
        part /= np.linalg.norm(part, axis=1, keepdims=True)
    return vectors


def main() -> int:
    """Makes vectors, searches once, prints time and memory."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("documents", type=int, nargs="?", default=1_000_000)
    parser.add_argument("queries", type=int, nargs="?", default=1_000)
    parser.add_argument("dimensions", type=int, nargs="?", default=1_024)
    parser.add_argument("k", type=int, nargs="?", default=100)
    options = parser.parse_args()
    documents, queries, dimensions, k = options.documents, options.queries, options.dimensions, options.k
    vectors = make(documents, dimensions, 0)
    questions = make(queries, dimensions, 1)
    ids = [f"doc-{i:08d}" for i in range(documents)]
    started = time.perf_counter()
    rankings = ExactIndex(ids, vectors).search([f"q{i}" for i in range(queries)], questions, k)
    seconds = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    beside = peak - vectors.nbytes
    print(f"{documents} x {dimensions}, {queries} queries, top {k}: {seconds:.1f} s, {len(rankings)} rankings")
    print(f"vectors {vectors.nbytes / 1e9:.3f} GB, peak {peak / 1e9:.3f} GB, beside them {beside / 1e9:.3f} GB")
    return int(beside > ALLOWED)


if __name__ == "__main__":
    sys.exit(main())
