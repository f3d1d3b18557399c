"""Seconds and memory of the verdict on many systems: 100 systems on 10,000 queries, 4,950 pairs; asked: 30 s and 2 GB.

python benchmarks/verdict_cost.py [--systems 100] [--queries 10000]
"""

from __future__ import annotations

import argparse
import resource
import sys
import time
from collections.abc import Sequence

import numpy as np

from steelyard.stats.comparing import Rules
from steelyard.stats.verdict import judge


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--systems", type=int, default=100)
    parser.add_argument("--queries", type=int, default=10_000)
    asked = parser.parse_args(arguments)
    rng = np.random.default_rng(1)
    shared = rng.normal(size=asked.queries)
    noise = rng.normal(0, 0.25, (asked.systems, asked.queries))
    rows = np.clip(0.5 + 0.2 * shared + noise + np.linspace(0, 0.05, asked.systems)[:, None], 0, 1)
    names = [str(i) for i in range(asked.queries)]
    values = {f"s{i}": dict(zip(names, row.tolist(), strict=True)) for i, row in enumerate(rows)}
    start = time.perf_counter()
    verdict = judge(values, "ndcg@10", Rules(margin=0.02))
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(f"{len(verdict.comparisons):,} pairs, {asked.queries:,} queries: {seconds:.1f} s, {peak:.2f} GB at the most")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
