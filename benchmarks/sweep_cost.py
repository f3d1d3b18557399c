"""What a sweep of eight dimensions and three precisions costs beside one full pass; the target is at most 1.15 times.

Both are made from nothing, each with a cache file of its own:

    python benchmarks/sweep_cost.py [SYSTEM] [SUITE]
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from steelyard.bench.evaluation.cache import VectorCache
from steelyard.bench.evaluation.runner import WeighConfig, weigh
from steelyard.bench.evaluation.sweep import Axes, variants
from steelyard.cost.storage import PRECISIONS
from steelyard.retrieval.resolve import read_system
from steelyard.retrieval.system import Single, System
from steelyard.suites.registry import open_suite
from steelyard.suites.suite import Suite

TARGET = 1.15


def timed(systems: Sequence[System], suite: Suite) -> tuple[tuple[float, float], int]:
    """Seconds of the wall and of the processor, and how many texts were embedded."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        config = WeighConfig(cache=VectorCache(place / "v.sqlite"), out=place / "r.json", save_seconds=2.0)
        wall, processor = time.perf_counter(), time.process_time()
        result = weigh(systems, suite, config)
        spent = time.perf_counter() - wall, time.process_time() - processor
    computed = sum(s.cache.computed for s in result.systems)
    return spent, computed


def main() -> int:
    """One pass and the sweep, each from nothing."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("system", nargs="?", default="e5-small")
    parser.add_argument("suite", nargs="?", default="zh-traps")
    options = parser.parse_args()
    system, suite = options.system, open_suite(options.suite)
    base = read_system(system)
    model = base.encoder if isinstance(base, Single) else None
    if model is None or model.here is None:
        sys.exit(f"{system}: not an embedding model; only those have dimensions to sweep")
    native = model.here.dimension
    dimensions = tuple(native * i // 8 for i in range(1, 9))
    swept = variants(base, Axes(dimensions=dimensions, precisions=PRECISIONS))
    warm_up = timed([base], open_suite("zh-traps-mini"))
    print(f"{system} on {suite.name}: {len(suite.queries)} queries, {len(suite.documents)} documents")
    print(
        f"warmed up in {warm_up[0][0]:.1f} s; {len(swept)} variants: dimensions {dimensions}, {', '.join(PRECISIONS)}"
    )
    one, texts = timed([base], suite)
    all_, swept_texts = timed(swept, suite)
    print(f"one pass   {one[0]:8.2f} s of clock {one[1]:8.2f} s of processor, {texts} texts embedded")
    print(f"the sweep  {all_[0]:8.2f} s of clock {all_[1]:8.2f} s of processor, {swept_texts} texts embedded")
    ratio, processor = all_[0] / one[0], all_[1] / one[1]
    print(f"ratio      {ratio:8.3f} of clock   {processor:8.3f} of processor; target {TARGET}")
    return 0 if ratio <= TARGET else 1


if __name__ == "__main__":
    sys.exit(main())
