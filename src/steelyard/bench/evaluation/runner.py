"""Weighs systems on a suite, one after the other, and keeps what came out of each."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from steelyard.bench.evaluation.cache import VectorCache
from steelyard.bench.evaluation.cached import CachedEncoder, CachedReranker, CacheUse
from steelyard.bench.evaluation.cached_sparse import CachedSparse
from steelyard.bench.evaluation.environment import read_environment
from steelyard.bench.evaluation.held import HeldEncoder, HeldReranker
from steelyard.bench.evaluation.outcome import outcome
from steelyard.bench.evaluation.result import (
    CacheRecord,
    QueryRecord,
    Result,
    SuiteSummary,
    SystemRecord,
    Timing,
    save,
    shown,
)
from steelyard.engines.base import TruncationWarning
from steelyard.errors import SteelyardError
from steelyard.measures.names import DEFAULT_MEASURES, parse_measures
from steelyard.measures.ranking import Evaluator
from steelyard.retrieval.builder import SystemBuilder
from steelyard.retrieval.resolve import notes, read_systems
from steelyard.retrieval.system import System
from steelyard.suites.suite import Suite
from steelyard.types import Ranking
from steelyard.wording.words import say


class Watcher(Protocol):
    """Told how far a run is; the command line draws a bar from it."""

    def system(self, name: str, number: int, total: int) -> None:
        """A system begins."""

    def step(self, stage: str, done: int, total: int) -> None:
        """``done`` of ``total`` texts or queries of a stage."""


class SilentWatcher:
    """Draws nothing."""

    def system(self, name: str, number: int, total: int) -> None:
        """Ignores it."""

    def step(self, stage: str, done: int, total: int) -> None:
        """Ignores it."""


@dataclass(frozen=True)
class WeighConfig:
    """How to weigh.

    Attributes:
        measures: names in any spelling of :mod:`steelyard.measures.names`, held as that module prints them; the
            first is the one that is judged.
        depth: hits asked of every system.
        seed: of every random draw.
        out: where the result is kept, after every system; None keeps it in memory only.
        save_seconds: at least so long between two writes of it, for sweeps of many quick systems.
        cache: None computes everything.
        kept_hits: first hits of every query that the result shows.
        findings: what the suite's audit said, for the record.
    """

    measures: tuple[str, ...] = DEFAULT_MEASURES
    depth: int = 100
    seed: int = 20260
    out: Path | None = None
    save_seconds: float = 0.0
    cache: VectorCache | None = None
    kept_hits: int = 10
    findings: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "measures", tuple(map(str, parse_measures(self.measures))))


def weigh(
    systems: Sequence[str | System],
    suite: Suite,
    config: WeighConfig | None = None,
    previous: Result | None = None,
    watcher: Watcher | None = None,
) -> Result:
    """Weighs every system; a system that fails is recorded with its error and the rest go on.

    Args:
        systems: expressions, which may hold sweeps, or resolved systems.
        suite: what to weigh on.
        config: how; the defaults of :class:`WeighConfig` when None.
        previous: a result of the same run that was interrupted, see :func:`resumable`.
        watcher: told how far the run is.

    Raises:
        ExpressionError: an expression that does not fit, before anything is loaded.
        KeyboardInterrupt: after ``config.out`` holds every system that was finished.
    """
    asked, config = read_systems(systems), config or WeighConfig()
    watch = watcher or SilentWatcher()
    kept = {s.name: s for s in previous.weighed} if previous else {}
    frame = _frame(suite, config)
    done: list[SystemRecord] = []
    saved, at = 0, time.monotonic()
    bench = _bench(suite, config, watch)
    try:
        for number, system in enumerate(asked, 1):
            watch.system(system.name, number, len(asked))
            done.append(kept.get(system.name) or _weigh_one(system, suite, config, bench, watch))
            if config.out and number < len(asked) and time.monotonic() - at >= config.save_seconds:
                save(_filled(frame, suite, done, complete=False), config.out)
                saved, at = len(done), time.monotonic()
    finally:
        result = _filled(frame, suite, done, complete=bool(asked) and len(done) == len(asked))
        if config.out and len(done) > saved:
            save(result, config.out)
        bench.builder.close()
    return result


def resumable(previous: Result, suite: Suite, config: WeighConfig) -> bool:
    """True where the systems of ``previous`` would come out the same today."""
    same = (
        previous.suite.checksum == suite.checksum
        and previous.measures == config.measures
        and (previous.depth, previous.seed) == (config.depth, config.seed)
    )
    return same and previous.environment == read_environment()


@dataclass(frozen=True)
class _Bench:
    """What all systems of a run share."""

    builder: SystemBuilder
    use: CacheUse
    evaluator: Evaluator


def _bench(suite: Suite, config: WeighConfig, watch: Watcher) -> _Bench:
    use = CacheUse()

    def on_batch(done: int, total: int) -> None:
        watch.step("embed", done, total)

    builder = SystemBuilder(
        wrap_encoder=lambda e: HeldEncoder(CachedEncoder(e, config.cache, use, on_batch), use),
        wrap_reranker=lambda r: HeldReranker(CachedReranker(r, config.cache, use), use),
        wrap_sparse=lambda e: CachedSparse(e, config.cache, use, on_batch),
    )
    return _Bench(builder, use, Evaluator(suite.judgements, config.measures))


def _weigh_one(system: System, suite: Suite, config: WeighConfig, bench: _Bench, watch: Watcher) -> SystemRecord:
    use = bench.use
    before = (use.found, use.computed)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", TruncationWarning)
        try:
            rankings, timing = _run(system, suite, config, bench.builder, watch.step)
        except SteelyardError as wrong:
            return SystemRecord(name=system.name, error=str(wrong), notes=notes(system))
    spared = CacheRecord(found=use.found - before[0], computed=use.computed - before[1], trouble=use.trouble)
    values, winners, top = outcome(suite, rankings, bench.evaluator, config.kept_hits)
    return SystemRecord(
        name=system.name,
        fingerprints=bench.builder.fingerprints(system),
        engines=bench.builder.engines(system),
        values=values,
        winners=winners,
        top=top,
        timing=timing,
        cache=spared,
        notes=(*notes(system), *cuts([w.message for w in caught if isinstance(w.message, TruncationWarning)])),
    )


def cuts(warned: Sequence[TruncationWarning]) -> list[str]:
    """One line a model: how many texts it cut in all."""
    lines: list[str] = []
    for model in dict.fromkeys(w.model for w in warned):
        own = [w for w in warned if w.model == model]
        longest = max(w.longest for w in own)
        count = sum(w.cut for w in own)
        lines.append(say("remark.cut", model=model, count=count, limit=own[0].limit, longest=f"{longest:,}"))
    return lines


def _run(
    system: System, suite: Suite, config: WeighConfig, builder: SystemBuilder, step: Callable[[str, int, int], None]
) -> tuple[list[Ranking], Timing]:
    retriever = builder.build(system)
    start = time.perf_counter()
    retriever.index(suite.documents, step)
    indexed = time.perf_counter()
    rankings = retriever.search(suite.queries, min(config.depth, len(suite.documents)), step)
    timing = Timing(index_seconds=indexed - start, search_seconds=time.perf_counter() - indexed)
    return rankings, timing


def _frame(suite: Suite, config: WeighConfig) -> Result:
    """The result of a run before its first system."""
    queries = tuple(
        QueryRecord(
            id=q.id,
            text=q.text,
            category=q.category,
            cluster=q.cluster,
            relevant=tuple(d for d, grade in suite.judgements.get(q.id, {}).items() if grade > 0),
        )
        for q in suite.queries
    )
    return Result(
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        suite=SuiteSummary(
            name=suite.name,
            version=suite.card.version,
            licence=suite.card.licence,
            checksum=suite.checksum,
            queries=len(suite.queries),
            documents=len(suite.documents),
            findings=config.findings,
            votes=suite.votes,
            chance=suite.chance,
            clusters=suite.card.clusters,
            notice=suite.card.notice,
        ),
        measures=config.measures,
        seed=config.seed,
        depth=config.depth,
        complete=False,
        environment=read_environment(),
        queries=queries,
        documents=_shown_documents(suite, queries, ()),
    )


def _filled(frame: Result, suite: Suite, done: Sequence[SystemRecord], *, complete: bool) -> Result:
    documents = _shown_documents(suite, frame.queries, done)
    return frame.model_copy(update={"systems": tuple(done), "documents": documents, "complete": complete})


def _shown_documents(suite: Suite, queries: Sequence[QueryRecord], done: Sequence[SystemRecord]) -> dict[str, str]:
    named = {d for q in queries for d in q.relevant}
    named |= {hit.id for s in done for hits in s.top for hit in hits}
    return {d.id: shown(d.text) for d in suite.documents if d.id in named}
