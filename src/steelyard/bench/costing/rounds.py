"""From the rounds that processes measured to the record of a system's costs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from steelyard.bench.costing.worker import Point, Round
from steelyard.cost.concurrency import Level, saturation
from steelyard.cost.figure import ROUNDS, Figure, figure, optional_figure
from steelyard.cost.gemm import peak_share
from steelyard.cost.outside import Watched
from steelyard.cost.price import Price, bill
from steelyard.cost.record import Check, CostRecord, Load, QueryLatency, Speed
from steelyard.cost.storage import Storage, grid
from steelyard.models.recipe import Recipe
from steelyard.retrieval.system import Model, Single, System
from steelyard.wording.words import say

_DISAGREES = 0.05


@dataclass(frozen=True)
class Taken:
    """One round.

    Attributes:
        round_: what the process says of itself.
        loaded_after: seconds from its start to its first embedding, as seen from outside.
        done_after: seconds from its start to its last word, likewise.
        seen: the rest of what was seen.
        cold: a load with the weights out of the page cache; None where that could not be had.
    """

    round_: Round
    loaded_after: float
    done_after: float
    seen: Watched
    cold: Round | None = None


@dataclass(frozen=True)
class Setting:
    """What all systems were measured with.

    Attributes:
        gflops: of the machine.
        texts: queries and documents of a round.
        documents: of them, indexed.
        cold: whether cold loads were asked for.
        price: as the user gave it.
        notes: about the machine.
    """

    gflops: Figure
    texts: int
    documents: int
    cold: bool = False
    price: Price | None = None
    notes: tuple[str, ...] = ()


def record(system: System, taken: Sequence[Taken], setting: Setting) -> CostRecord:
    """The costs of one system from at least one round."""
    rounds = [t.round_ for t in taken]
    cold = [t.cold for t in taken if t.cold]
    rates = optional_figure(setting.texts / r.all_texts_seconds for r in rounds if r.all_texts_seconds)
    tokens = optional_figure(r.tokens_per_text for r in rounds)
    recipe = system.part.here if isinstance(system, Single) and isinstance(system.part, Model) else None
    dimension = _dimension(system, rounds[0].dimension)
    return CostRecord(
        rounds=len(rounds),
        first="embedding" if rounds[0].dimension else "answer",
        load_seconds=figure(r.load_seconds for r in rounds),
        start_seconds=figure(r.start_seconds for r in rounds),
        cold_load_seconds=optional_figure(r.load_seconds for r in cold),
        cold_bytes_read=optional_figure(r.bytes_read for r in cold),
        peak_rss_bytes=figure(r.peak_rss_bytes for r in rounds),
        base_rss_bytes=figure(r.base_rss_bytes for r in rounds),
        gpu_bytes=optional_figure(r.gpu_bytes for r in rounds),
        dimension=dimension,
        query=_query(rounds, setting.documents),
        texts=setting.texts,
        all_texts_seconds=optional_figure(r.all_texts_seconds for r in rounds),
        texts_per_second=rates,
        tokens_per_text=tokens.value if tokens else None,
        batches=_speeds([r.batches for r in rounds], recipe, setting.gflops),
        lengths=_speeds([r.lengths for r in rounds], recipe, setting.gflops),
        gemm_gflops=setting.gflops,
        cpu_seconds=figure(t.seen.cpu_seconds for t in taken),
        storage=_storage(recipe, dimension),
        load=_loads([level for r in rounds for level in r.load]),
        saturation=_saturation(rounds),
        price=setting.price,
        bill=bill(setting.price, rates, tokens.value if tokens else None) if setting.price else None,
        check=check(taken),
        engines=tuple(dict.fromkeys(e for r in rounds for e in r.engines)),
        notes=_notes(system, taken, setting),
    )


def check(taken: Sequence[Taken]) -> Check:
    """The worst disagreement of inside and outside over the rounds."""

    def worst(pairs: list[tuple[float, float]]) -> float:
        return max(abs(inside - outside) / outside for inside, outside in pairs)

    return Check(
        load_seconds=worst([(t.round_.start_seconds, t.loaded_after) for t in taken]),
        run_seconds=worst([(t.round_.run_seconds, t.done_after) for t in taken]),
        peak_rss=worst([(t.round_.peak_rss_bytes, t.seen.peak_rss_bytes) for t in taken]),
    )


def _query(rounds: Sequence[Round], documents: int) -> QueryLatency | None:
    found = [r.query for r in rounds if r.query]
    if not found:
        return None
    p50, p95, p99 = (figure(getattr(q, p) for q in found) for p in ("p50", "p95", "p99"))
    return QueryLatency(p50=p50, p95=p95, p99=p99, queries=min(q.count for q in found), documents=documents)


def _speeds(rounds: Sequence[Sequence[Point]], recipe: Recipe | None, gflops: Figure) -> tuple[Speed, ...]:
    """One speed for each batch size or length; every round has the same ones in the same order."""
    lookup = recipe.lookup_parameters if recipe else None
    weights = recipe.parameters - lookup if recipe and lookup is not None else None
    found = []
    for points in zip(*rounds, strict=True):
        first = points[0]
        speed = figure(p.texts_per_second for p in points)
        tokens = speed.times(first.tokens) if first.tokens else None
        found.append(
            Speed(
                batch=first.batch,
                characters=first.characters,
                texts_per_second=speed,
                tokens_per_second=tokens,
                peak_share=tokens.times(peak_share(1.0, weights, gflops.value)) if tokens and weights else None,
            )
        )
    return tuple(found)


def _loads(levels: Sequence[Level]) -> tuple[Load, ...]:
    by_clients: dict[int, list[Level]] = {}
    for level in levels:
        by_clients.setdefault(level.clients, []).append(level)
    return tuple(
        Load(
            clients=clients,
            texts_per_second=figure(level.calls_per_second for level in same),
            p50_ms=optional_figure(level.latency.p50 if level.latency else None for level in same),
            p95_ms=optional_figure(level.latency.p95 if level.latency else None for level in same),
            failed=sum(level.failed for level in same),
            trouble=next((level.trouble for level in same if level.trouble), ""),
        )
        for clients, same in sorted(by_clients.items())
    )


def _saturation(rounds: Sequence[Round]) -> int | None:
    """The median of the rounds that reached it, where most did."""
    found = sorted(s for r in rounds if (s := saturation(r.load)) is not None)
    return found[len(found) // 2] if 2 * len(found) > len(rounds) else None


def _dimension(system: System, native: int) -> int:
    cut = system.vectors.dimension if isinstance(system, Single) else None
    return cut or native


def _storage(recipe: Recipe | None, dimension: int) -> tuple[Storage, ...]:
    """At the system's dimension, and at every half of it that the model was trained for."""
    if not dimension:
        return ()
    smallest = recipe.min_dimension if recipe and recipe.matryoshka else dimension
    halves = [dimension >> i for i in range(1, 16) if dimension >> i >= max(1, smallest)]
    return grid([dimension, *halves])


def _notes(system: System, taken: Sequence[Taken], setting: Setting) -> tuple[str, ...]:
    notes = list(setting.notes)
    seen = check(taken)
    if seen.worst > _DISAGREES:
        notes.append(
            say("remark.disagree", share=f"{100 * seen.worst:.1f}", load=f"{seen.load_seconds:.3f}",
                run=f"{seen.run_seconds:.3f}", memory=f"{seen.peak_rss:.3f}")
        )  # fmt: skip
    if isinstance(system, Single) and isinstance(system.part, Model) and system.part.endpoint:
        notes.append(say("remark.endpoint"))
    elif setting.cold and not any(t.cold for t in taken):
        notes.append(say("remark.no_cold"))
    elif setting.cold and not all(t.cold for t in taken):
        notes.append(say("remark.some_cold", some=sum(t.cold is not None for t in taken), all=len(taken)))
    if len(taken) < ROUNDS:
        notes.append(say("remark.few_rounds", rounds=len(taken), enough=ROUNDS))
    return tuple(notes)
