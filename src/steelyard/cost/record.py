"""What was measured of one system: part of the result document, so additions only, each with a default."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

from steelyard.cost.figure import Figure
from steelyard.cost.price import Bill, Price
from steelyard.cost.storage import Storage


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Speed(_Frozen):
    """Throughput at one batch size or one length of text.

    Attributes:
        batch: texts a call.
        characters: of each text; the suite's own mixture where None.
        texts_per_second: measured.
        tokens_per_second: None where the engine does not count tokens.
        peak_share: of the machine's own float32 matrix products; None where the model's arithmetic is not known.
    """

    batch: int
    characters: int | None = None
    texts_per_second: Figure
    tokens_per_second: Figure | None = None
    peak_share: Figure | None = None


class QueryLatency(_Frozen):
    """One query at a time, in milliseconds, search over ``documents`` included.

    Attributes:
        queries: timed a round.
    """

    p50: Figure
    p95: Figure
    p99: Figure
    queries: int
    documents: int


class Load(_Frozen):
    """An endpoint under so many clients at once, each sending single texts.

    Attributes:
        failed: requests that failed, over all rounds; ``trouble`` is the first one's text.
    """

    clients: int
    texts_per_second: Figure
    p50_ms: Figure | None = None
    p95_ms: Figure | None = None
    failed: int = 0
    trouble: str = ""


class Check(_Frozen):
    """The worst disagreement, over the rounds, with what was seen from outside: a share of the outside figure.

    Attributes:
        load_seconds: process start to first embedding, by a second clock.
        run_seconds: process start to last figure, likewise.
        peak_rss: by the kernel's count at the process's end.
    """

    load_seconds: float
    run_seconds: float
    peak_rss: float

    @property
    def worst(self) -> float:
        """The greatest of the three."""
        return max(self.load_seconds, self.run_seconds, self.peak_rss)


class CostRecord(_Frozen):
    """What one system costs, every round in a process of its own.

    Attributes:
        rounds: processes that were measured.
        first: what the load time ends with: an ``embedding``, or an ``answer`` (one document indexed, one query
            searched) for systems that are more than one encoder.
        load_seconds: weights and first embedding, in a fresh process, files in the page cache.
        start_seconds: the same with the interpreter's start and all imports; None in tables that others published.
        cold_load_seconds: ``load_seconds`` with the files out of the page cache; None where that could not be had.
        cold_bytes_read: what the cold loads fetched from storage.
        peak_rss_bytes: the most resident memory, of the whole process; None likewise.
        base_rss_bytes: what the process had before it loaded the system; None likewise.
        gpu_bytes: of this process after loading; None where there is no card.
        dimension: of a vector; 0 for systems without one.
        query: one query at a time.
        texts: texts in the suite, queries and documents.
        all_texts_seconds: all of them in one go, the model loaded.
        texts_per_second: the same as a rate.
        tokens_per_text: mean; None where the engine does not count.
        batches: throughput over batch sizes.
        lengths: throughput over lengths of text.
        gemm_gflops: of the machine, float32, in processes between the rounds.
        cpu_seconds: of a whole round, all threads.
        storage: computed, for a million documents.
        load: an endpoint under concurrency; empty for engines of this process.
        saturation: clients that bring nearly all that there is; None where it was not reached.
        price: as given.
        bill: what a million texts and tokens come to.
        check: agreement with the outside measurement.
        engines: which backend ran each model, and why, a line each.
        notes: what a reader must know.
    """

    rounds: int
    first: Literal["embedding", "answer"] = "embedding"
    load_seconds: Figure
    start_seconds: Figure | None = None
    cold_load_seconds: Figure | None = None
    cold_bytes_read: Figure | None = None
    peak_rss_bytes: Figure | None = None
    base_rss_bytes: Figure | None = None
    gpu_bytes: Figure | None = None
    dimension: int = 0
    query: QueryLatency | None = None
    texts: int = 0
    all_texts_seconds: Figure | None = None
    texts_per_second: Figure | None = None
    tokens_per_text: float | None = None
    batches: tuple[Speed, ...] = ()
    lengths: tuple[Speed, ...] = ()
    gemm_gflops: Figure | None = None
    cpu_seconds: Figure | None = None
    storage: tuple[Storage, ...] = ()
    load: tuple[Load, ...] = ()
    saturation: int | None = None
    price: Price | None = None
    bill: Bill | None = None
    check: Check | None = None
    engines: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
