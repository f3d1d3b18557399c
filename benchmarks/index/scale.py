"""An index of many vectors beside faiss, usearch and the machine's own limits, in one run.

    python benchmarks/index/scale.py --documents 1000000 --dimension 256 --queries 50

Vectors are clustered (a mixture of 1,000 directions with noise), so that approximate search has something to find.
Every way answers the same single queries, one after the other; recall@10 is that against exact float64 search.
"""

from __future__ import annotations

import argparse
import gc
import json
import platform
import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import psutil
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from steelyard.engines.backend_choice import BackendChoice
from steelyard.engines.base import BaseEncoder
from steelyard.engines.protocol import EngineInfo
from steelyard.index.entry import Entry
from steelyard.index.index import Index
from steelyard.models.recipe import Recipe
from steelyard.retrieval.builder import SystemBuilder
from steelyard.retrieval.engine_pool import EnginePool
from steelyard.types import Role, Vectors

Floats = NDArray[np.float32]
K = 10
CENTRES = 1_000


class Numbered(BaseEncoder):
    """The vector of text ``17`` is row 17."""

    def __init__(self, rows: Floats) -> None:
        self._rows = rows

    @property
    def info(self) -> EngineInfo:
        return EngineInfo("numbered", "benchmark", self._rows.shape[1], None, "numbered")

    def _encode(self, texts: Sequence[str], role: Role, instruction: str | None) -> Vectors:
        found: Vectors = self._rows[[int(t) for t in texts]]
        return found


class Pool(EnginePool):
    def __init__(self, encoder: Numbered) -> None:
        super().__init__()
        self._encoder = encoder

    def encoder(self, recipe: Recipe, backend: str, asked: str | None = None) -> tuple[Numbered, BackendChoice]:
        return self._encoder, BackendChoice(recipe.name, "benchmark", "a table of vectors")


def clustered(count: int, dimension: int, seed: int) -> Floats:
    """float32[count, dimension], unit rows."""
    random = np.random.default_rng(seed)
    centres = np.random.default_rng(0).standard_normal((CENTRES, dimension), dtype=np.float32)
    rows = random.standard_normal((count, dimension), dtype=np.float32)
    for start in range(0, count, 65_536):
        block = rows[start : start + 65_536]
        block += 1.2 * centres[random.integers(CENTRES, size=len(block))]
        block /= np.linalg.norm(block, axis=1, keepdims=True)
    return rows


def timed(search: Callable[[int], Sequence[int]], queries: int) -> tuple[list[float], list[Sequence[int]]]:
    """Milliseconds of every query after a first round, and what was found."""
    found = [search(i) for i in range(queries)]
    times = []
    for i in range(queries):
        start = time.perf_counter()
        search(i)
        times.append(1e3 * (time.perf_counter() - start))
    return times, found


def resident() -> float:
    """MB of this process, of its own and mapped."""
    return float(psutil.Process().memory_info().rss) / 1e6


def with_index(folder: Path, system: str, encoder: Numbered, count: int) -> Callable[[int], Sequence[int]]:
    index = Index.open(folder, force=True, builder=SystemBuilder(_engines=Pool(encoder)))
    from steelyard.index.system import stored_system
    from steelyard.retrieval.resolve import read_system

    index._system = stored_system(index._builder.build(read_system(system)), index._texts)
    return lambda i: [int(h.id) for h in index.search(str(count + i), K)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--documents", type=int, default=200_000)
    parser.add_argument("--dimension", type=int, default=256)
    parser.add_argument("--queries", type=int, default=50)
    parser.add_argument("--folder", type=Path, default=Path("results/scale-index"))
    parser.add_argument("--out", type=Path, default=Path("results/scale.json"))
    asked = parser.parse_args()
    out = Console()
    rows = np.concatenate([
        clustered(asked.documents, asked.dimension, 1), clustered(asked.queries, asked.dimension, 2)
    ])  # fmt: skip
    documents, queries = rows[: asked.documents], rows[asked.documents :]
    encoder = Numbered(rows)
    shutil.rmtree(asked.folder, ignore_errors=True)
    start = time.perf_counter()
    with Index.create(asked.folder, "e5-small", builder=SystemBuilder(_engines=Pool(encoder))) as index:
        index.add((Entry(str(i), str(i), {"tenth": i % 10}) for i in range(asked.documents)), batch=65_536)
        index.compact()
        size = index.info().bytes
    built = time.perf_counter() - start
    truth = [set(np.argsort(-(documents @ q), kind="stable")[:K].tolist()) for q in queries]
    found: list[dict[str, Any]] = []

    def measure(name: str, search: Callable[[int], Sequence[int]], note: str = "") -> None:
        gc.collect()
        before = resident()
        times, hits = timed(search, asked.queries)
        recall = float(np.mean([len(set(h) & t) / K for h, t in zip(hits, truth, strict=True)])) if not note else None
        p50, p95, p99 = median(times), *np.percentile(times, [95, 99])
        found.append({"way": name, "p50": p50, "p95": p95, "p99": p99, "recall": recall, "mb": resident() - before})

    measure("one product of float32 (limit)", lambda i: [int(np.argmax(documents @ queries[i]))], "limit")
    for system in ("e5-small", "e5-small[precision=int8,rescore=40]", "e5-small[precision=binary,rescore=400]"):
        measure(f"steelyard {system}", with_index(asked.folder, system, encoder, asked.documents))
    filtered = Index.open(asked.folder, builder=SystemBuilder(_engines=Pool(encoder)))
    measure(
        "steelyard e5-small, filter of 10 %",
        lambda i: [int(h.id) for h in filtered.search(str(asked.documents + i), K, "tenth=3")],
        "another set",
    )
    for name, search in peers(documents, queries):
        measure(name, search)
    table = Table("way", "p50 ms", "p95", "p99", "recall@10", "MB more")
    for row in found:
        recall = "" if row["recall"] is None else f"{row['recall']:.3f}"
        table.add_row(row["way"], *(f"{row[p]:.1f}" for p in ("p50", "p95", "p99")), recall, f"{row['mb']:.0f}")
    out.print(f"{asked.documents:,} x {asked.dimension}, single queries, {platform.processor() or platform.machine()}")
    out.print(f"build {built:.0f} s, {size / 1e6:,.0f} MB on disk")
    out.print(table)
    asked.out.parent.mkdir(exist_ok=True)
    asked.out.write_text(json.dumps({"built": built, "bytes": size, "ways": found}, indent=1))


def peers(documents: Floats, queries: Floats) -> list[tuple[str, Callable[[int], Sequence[int]]]]:
    ways: list[tuple[str, Callable[[int], Sequence[int]]]] = []
    try:
        import faiss

        flat = faiss.IndexFlatIP(documents.shape[1])
        flat.add(documents)
        ways.append(("faiss flat", lambda i: flat.search(queries[i : i + 1], K)[1][0].tolist()))
    except ImportError:
        pass
    try:
        import usearch.index

        ways.append(
            (
                "usearch exact",
                lambda i: usearch.index.search(documents, queries[i], K, metric="ip", exact=True).keys.tolist(),
            )
        )
    except ImportError:
        pass
    return ways


if __name__ == "__main__":
    main()
