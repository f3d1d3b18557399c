"""What accuracy costs: the Pareto front over time, and bars for every kind of cost that a result holds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from steelyard.bench.advice.system_metadata import COSTS, facts_of
from steelyard.bench.evaluation.result import SystemRecord
from steelyard.cost.figure import Figure
from steelyard.stats.intervals import Interval
from steelyard.stats.pareto import dominates

Source = Literal["costs", "published", "run"]


@dataclass(frozen=True, slots=True)
class PacePoint:
    """One system between accuracy and time.

    Attributes:
        milliseconds: of one query; the middle of the rounds where there were rounds.
        low: the least of the rounds.
        high: the greatest.
        front: no other system is at least as good and at least as fast, and better in one of the two.
    """

    system: str
    figure: Interval
    milliseconds: float
    low: float
    high: float
    front: bool


@dataclass(frozen=True, slots=True)
class Pace:
    """Accuracy against time.

    Attributes:
        source: ``costs`` were measured one query at a time; ``published`` divides the time that somebody else measured
            for all texts by their number; ``run`` divides the search time of the run by its queries.
        points: fastest first, at least two.
        left_out: systems without a comparable time.
    """

    source: Source
    points: tuple[PacePoint, ...]
    left_out: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CostBars:
    """One kind of cost for every system that has it.

    Attributes:
        key: names it in the wording, its unit included.
        source: where the figures come from, as in :class:`Pace`.
        figures: system -> figure, in the order of the table.
    """

    key: str
    source: Source
    figures: Mapping[str, Figure]


def pace(systems: Sequence[SystemRecord], figures: Mapping[str, Interval], queries: int) -> Pace | None:
    """The Pareto front; None where fewer than two systems have a comparable time.

    Args:
        systems: the weighed ones.
        figures: system -> figure of the judged measure.
        queries: how many the run searched.
    """
    source = cost_source(systems)
    read = _LATENCY.get(source) or _search_time(queries)
    times = {s.name: f for s in systems if (f := read(s))}
    if len(times) < 2:
        return None
    goodness = {name: (figures[name].estimate, -time.value) for name, time in times.items()}
    points = [
        PacePoint(n, figures[n], t.value, t.low, t.high, not any(dominates(g, goodness[n]) for g in goodness.values()))
        for n, t in sorted(times.items(), key=lambda item: item[1].value)
    ]
    return Pace(source, tuple(points), tuple(s.name for s in systems if s.name not in times))


def cost_bars(systems: Sequence[SystemRecord], queries: int) -> tuple[CostBars, ...]:
    """Bars for each kind of cost that at least two systems have, or the one system that was measured.

    Times of the run are shown only where nothing was measured.
    """
    source = cost_source(systems)
    readers = {"search_ms": _search_time(queries), "index_s": _index_time} if source == "run" else _measured()
    found = []
    for key, read in readers.items():
        figures = {s.name: f for s in systems if (f := read(s)) is not None and f.value}
        if len(figures) > 1 or (figures and len(systems) == 1 and source == "costs"):
            found.append(CostBars(key, source, figures))
    return tuple(found)


def cost_source(systems: Sequence[SystemRecord]) -> Source:
    """Where times and costs of these systems come from: measured here, else published, else the run itself."""
    known = [s.costs for s in systems if s.costs]
    if not known:
        return "run"
    return "costs" if any(c.start_seconds for c in known) else "published"


Reader = Callable[[SystemRecord], Figure | None]


def _of(key: str) -> Reader:
    """One of :data:`COSTS`."""
    return lambda system: COSTS[key].read(facts_of(system))


def _measured() -> dict[str, Reader]:
    return {key: _of(key) for key, cost in COSTS.items() if cost.listed}


def _per_text(system: SystemRecord) -> Figure | None:
    costs = system.costs
    whole = costs.all_texts_seconds if costs else None
    return whole.times(1000 / costs.texts) if costs and whole and costs.texts else None


def _search_time(queries: int) -> Reader:
    def reader(system: SystemRecord) -> Figure | None:
        if system.timing is None or system.cache.found or not queries:
            return None
        return _once(1000 * system.timing.search_seconds / queries)

    return reader


def _index_time(system: SystemRecord) -> Figure | None:
    if system.timing is None or system.cache.found:
        return None
    return _once(system.timing.index_seconds)


def _once(value: float) -> Figure:
    return Figure(value=value, low=value, high=value, rounds=1)


_LATENCY: dict[Source, Reader] = {"costs": _of("p50_ms"), "published": _per_text}
