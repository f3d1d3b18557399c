"""Measures one system in a process of its own: ``python -m steelyard.bench.costing.worker``, a job in, events out.

The job is JSON on standard input. Events are JSON, one a line, on standard output: ``ready`` when all is imported,
``loaded`` with the first embedding, then ``round`` with every figure, or ``error``. Whatever a model prints goes to
standard error.
"""

from __future__ import annotations

import os
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import orjson
from pydantic import BaseModel, ConfigDict

from steelyard.cost import memory
from steelyard.cost.concurrency import LEVELS, Level, sweep
from steelyard.cost.gemm import sgemm_gflops
from steelyard.cost.gpu import gpu_memory
from steelyard.cost.latency import Latencies, rate, time_calls
from steelyard.engines.protocol import Encoder
from steelyard.errors import SteelyardError
from steelyard.retrieval.builder import SystemBuilder
from steelyard.retrieval.protocol import Retriever
from steelyard.retrieval.resolve import read_system
from steelyard.retrieval.system import Single, System
from steelyard.types import Document, Query, Role

Emit = Callable[[dict[str, object]], None]

_WEIGHTS = 1 << 20  # bytes from which a file beside the code counts as weights
_HITS = 10
_LENGTH_BATCH = 4


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Plan(_Frozen):
    """How much to measure in a round.

    Attributes:
        seconds: for each point that is measured; queries get twice that.
        queries: single queries at the most.
        batches: texts a call.
        lengths: characters a text.
        levels: clients at once, for endpoints.
        load_seconds: each of these levels.
    """

    seconds: float = 0.5
    queries: int = 200
    batches: tuple[int, ...] = (1, 8, 32, 128)
    lengths: tuple[int, ...] = (32, 128, 512)
    levels: tuple[int, ...] = LEVELS
    load_seconds: float = 2.0


class Job(_Frozen):
    """What a probe is asked.

    Attributes:
        kind: ``costs`` measures all, ``load`` stops after the first embedding, ``gemm`` measures the machine alone.
        system: an expression without sweeps.
        queries: the suite's.
        documents: the suite's; these are indexed.
        started: ``time.monotonic()`` of whoever started the process, which all processes of a machine share.
    """

    kind: Literal["costs", "load", "gemm"]
    system: str = ""
    queries: tuple[str, ...] = ()
    documents: tuple[str, ...] = ()
    plan: Plan = Plan()
    started: float = 0.0


class Point(_Frozen):
    """Throughput at one batch size or length; ``tokens`` is the mean of a text."""

    batch: int
    characters: int | None = None
    texts_per_second: float
    tokens: float | None = None


class Round(_Frozen):
    """Everything that one process measured; see :class:`steelyard.cost.record.CostRecord` for the fields' meaning."""

    load_seconds: float
    start_seconds: float
    base_rss_bytes: int
    gpu_bytes: int | None
    bytes_read: int | None
    weights: tuple[str, ...]
    engines: tuple[str, ...] = ()
    dimension: int = 0
    all_texts_seconds: float | None = None
    tokens_per_text: float | None = None
    query: Latencies | None = None
    batches: tuple[Point, ...] = ()
    lengths: tuple[Point, ...] = ()
    load: tuple[Level, ...] = ()
    run_seconds: float = 0.0
    peak_rss_bytes: int = 0


@dataclass(frozen=True)
class Built:
    """A system, its encoder where it is nothing but one, and which backends run its models."""

    system: Retriever
    encoder: Encoder | None
    engines: tuple[str, ...] = ()


def build(system: System) -> Built:
    """What an expression names, without any cache."""
    builder = SystemBuilder()
    retriever = builder.build(system)
    model = system.encoder if isinstance(system, Single) else None
    encoder = builder.encoder(model) if model else None
    return Built(retriever, encoder, tuple(map(str, builder.engines(system))))


def measure(job: Job, emit: Emit, open_system: Callable[[], Built]) -> Round:
    """Measures one system in this process.

    Args:
        job: of kind ``costs`` or ``load``, with a query and a document at least.
        emit: called with every event but the last.
        open_system: makes the system; called again for every further client of an endpoint.
    """
    before, read_before, base = _weight_files(), memory.bytes_read_from_disk(), memory.current_rss()
    start = time.perf_counter()
    built = open_system()
    _first(built, job)
    load_seconds = time.perf_counter() - start
    emit({"event": "loaded"})
    read = memory.bytes_read_from_disk()
    loaded = Round(
        load_seconds=load_seconds,
        start_seconds=time.monotonic() - job.started,
        base_rss_bytes=base,
        gpu_bytes=gpu_memory(),
        bytes_read=None if read is None or read_before is None else read - read_before,
        weights=tuple(sorted(map(str, _weight_files() - before))),
        engines=built.engines,
        dimension=built.encoder.info.dimension if built.encoder else 0,
    )
    figures = _figures(built, job, open_system) if job.kind == "costs" else {}
    ended = {"run_seconds": time.monotonic() - job.started, "peak_rss_bytes": memory.peak_rss()}
    return loaded.model_copy(update=figures | ended)


def _first(built: Built, job: Job) -> None:
    if built.encoder:
        built.encoder.encode([job.queries[0]], Role.QUERY)
        return
    built.system.index([Document("d0", job.documents[0])])
    built.system.search([Query("q0", job.queries[0])], 1)


def _figures(built: Built, job: Job, open_system: Callable[[], Built]) -> dict[str, object]:
    plan = job.plan
    queries = [Query(f"q{i}", text) for i, text in enumerate(job.queries)]
    documents = [Document(f"d{i}", text) for i, text in enumerate(job.documents)]
    start = time.perf_counter()
    built.system.index(documents)
    built.system.search(queries, _HITS)
    figures: dict[str, object] = {"all_texts_seconds": time.perf_counter() - start}
    figures["query"] = time_calls(
        lambda i: built.system.search([queries[i % len(queries)]], _HITS), plan.queries, 2 * plan.seconds
    )
    if built.encoder:
        pool = list(dict.fromkeys(job.documents))
        alike = alike_in_length(pool, max(plan.batches, default=1))
        batches = [b for b in plan.batches if b <= len(alike)]
        figures["tokens_per_text"] = _tokens(built.encoder, [*job.queries, *job.documents])
        figures["batches"] = tuple(_speed(built.encoder, alike, b, plan.seconds) for b in batches)
        figures["lengths"] = tuple(_length(built.encoder, pool, n, plan.seconds) for n in plan.lengths)
        if job.system.startswith("openai:"):
            figures["load"] = tuple(_load(open_system, pool, plan))
    return figures


def _length(encoder: Encoder, pool: Sequence[str], characters: int, seconds: float) -> Point:
    texts = texts_of_length(pool, characters, 4 * _LENGTH_BATCH)
    point = _speed(encoder, texts, min(_LENGTH_BATCH, len(texts)), seconds)
    return point.model_copy(update={"characters": characters})


def alike_in_length(pool: Sequence[str], count: int) -> list[str]:
    """The texts nearest to the median length, so that batch sizes are compared on the same work a text."""
    middle = sorted(map(len, pool))[len(pool) // 2]
    return sorted(pool, key=lambda text: abs(len(text) - middle))[:count]


def texts_of_length(pool: Sequence[str], characters: int, count: int) -> list[str]:
    """Up to ``count`` distinct texts of exactly so many characters, cut from the pool's texts set end to end."""
    whole = " ".join(pool)
    while len(whole) < characters + count:
        whole += " " + whole
    step = max(1, (len(whole) - characters) // count)
    return list(dict.fromkeys(whole[i * step : i * step + characters] for i in range(count)))


def _speed(encoder: Encoder, pool: Sequence[str], batch: int, seconds: float) -> Point:
    slices = [pool[i : i + batch] for i in range(0, len(pool) - batch + 1, batch)]

    def call(i: int) -> int:
        return len(encoder.encode(slices[i % len(slices)], Role.DOCUMENT))

    texts_per_second, _ = rate(call, seconds, most=1)
    if batch / texts_per_second < seconds:  # the first call of a new shape may compile or allocate: counted if long
        texts_per_second, _ = rate(call, seconds)
    tokens = _tokens(encoder, [text for part in slices for text in part])
    return Point(batch=batch, texts_per_second=texts_per_second, tokens=tokens)


def _tokens(encoder: Encoder, texts: Sequence[str]) -> float | None:
    """Mean of the tokens that the model reads: what it cuts off is no work."""
    counts = encoder.count_tokens(texts, Role.DOCUMENT)
    limit = encoder.info.max_tokens
    return sum(min(n, limit or n) for n in counts) / len(counts) if counts else None


def _load(open_system: Callable[[], Built], pool: Sequence[str], plan: Plan) -> list[Level]:
    def client() -> Callable[[int], object]:
        encoder = open_system().encoder
        if encoder is None:
            raise TypeError("only an encoder can be put under load")
        return lambda i: encoder.encode([f"{pool[i % len(pool)]} {i}"], Role.DOCUMENT)  # no cache knows it

    return sweep(client, plan.load_seconds, plan.levels)


def _weight_files() -> frozenset[Path]:
    """Large data files that are mapped, lie beside a mapped one, or lie in the folder of an imported package."""
    mapped = {p for p in memory.mapped_files() if _is_data(p)}
    packages = {Path(f).parent for m in list(sys.modules.values()) if (f := getattr(m, "__file__", None))}
    installed = {p for p in packages if "site-packages" in p.parts and p.name != "site-packages"}
    folders = {p.parent for p in mapped} | installed | {f for p in installed for f in _children(p) if f.is_dir()}
    return frozenset(mapped | {p for folder in folders for p in _children(folder) if _is_data(p)})


def _children(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError:
        return []


def _is_data(path: Path) -> bool:
    code = path.suffix in (".py", ".pyc", ".a", ".lib") or ".so" in path.suffixes
    try:
        return not code and path.is_file() and path.stat().st_size >= _WEIGHTS
    except OSError:
        return False


def main() -> int:
    """Reads a job, measures, writes events; returns 0 where an event says how it ended."""
    job = Job.model_validate_json(sys.stdin.buffer.read())
    with os.fdopen(os.dup(sys.stdout.fileno()), "wb", buffering=0) as out:
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())

        def emit(event: dict[str, object]) -> None:
            out.write(orjson.dumps(event) + b"\n")

        emit({"event": "ready"})
        warnings.simplefilter("ignore")
        try:
            if job.kind == "gemm":
                emit({"event": "gemm", "gflops": sgemm_gflops()})
                return 0
            done = measure(job, emit, lambda: build(read_system(job.system)))
            emit({"event": "round", "round": done.model_dump(mode="json")})
        except SteelyardError as wrong:
            emit({"event": "error", "message": str(wrong)})
    return 0


if __name__ == "__main__":
    sys.exit(main())
