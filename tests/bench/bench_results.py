"""Results made by hand, for tests of what is concluded from them."""

import random
from typing import Any

from steelyard.bench.evaluation.result import EnvironmentRecord, QueryRecord, Result, SuiteSummary, SystemRecord
from steelyard.cost.figure import figure
from steelyard.cost.record import CostRecord, QueryLatency


def result(values: Any, costs: Any = None, measure: str = "top1") -> Result:
    """A result of one measure: system -> one value a query; ``costs``: system -> record."""
    count = len(next(iter(values.values())))
    environment = EnvironmentRecord(
        steelyard="", python="", platform="", processor="", cores=1, memory_bytes=0, packages={}
    )
    systems = (SystemRecord(name=n, values={measure: tuple(v)}, costs=(costs or {}).get(n)) for n, v in values.items())
    return Result(
        created="", suite=SuiteSummary(name="x", checksum="", queries=count, documents=9), measures=(measure,), seed=1,
        depth=9, complete=True, environment=environment,
        queries=tuple(QueryRecord(id=f"q{i}", text="") for i in range(count)), systems=tuple(systems),
    )  # fmt: skip


def outcomes(share: Any, count: int = 200, seed: int = 0) -> list[Any]:
    """So many answers, right with that probability."""
    rng = random.Random(seed)
    return [float(rng.random() < share) for _ in range(count)]


def around(value: Any, noise: float = 0.01, rounds: int = 4) -> Any:
    """A figure whose rounds lie within that share of its value."""
    return figure([value * (1 + noise * (2 * i / max(rounds - 1, 1) - 1)) for i in range(rounds)])


def costs(
    p95: float = 10.0, memory: float = 1.0, load: float = 2.0, speed: float = 100.0, **changes: Any
) -> CostRecord:
    """A record: milliseconds, gigabytes, seconds, texts a second."""
    given = {
        "rounds": 4,
        "load_seconds": around(load),
        "start_seconds": around(load + 1),
        "peak_rss_bytes": around(memory * 1e9),
        "base_rss_bytes": around(5e7),
        "query": QueryLatency(p50=around(p95 / 2), p95=around(p95), p99=around(p95 * 2), queries=100, documents=50),
        "texts_per_second": around(speed),
    }
    return CostRecord(**given | changes)
