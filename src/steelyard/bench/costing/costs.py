"""Costs of systems: every round in a process of its own, the systems in turns, each watched from outside."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import orjson
from pydantic import TypeAdapter

from steelyard.bench.costing.rounds import Setting, Taken, record
from steelyard.bench.costing.worker import Job, Plan, Round
from steelyard.bench.evaluation.result import Result
from steelyard.bench.evaluation.runner import SilentWatcher, Watcher
from steelyard.cost.figure import ROUNDS, figure
from steelyard.cost.outside import Watched, watch
from steelyard.cost.pagecache import evict
from steelyard.cost.price import Price
from steelyard.cost.record import CostRecord
from steelyard.errors import EngineError, UsageError
from steelyard.retrieval.expression import Leaf, Node
from steelyard.retrieval.resolve import read_systems
from steelyard.retrieval.system import Single, System
from steelyard.suites.suite import Suite
from steelyard.wording.duration import duration
from steelyard.wording.words import say

Event = dict[str, Any]
Run = Callable[[Job], tuple[Event, Watched]]
"""Runs a job in a fresh process: its last event, with the seconds of it and of ``loaded``, and what was seen."""

_BUSY = 0.5  # load a core from which a machine counts as busy
_ROUND: TypeAdapter[Round] = TypeAdapter(Round)


@dataclass(frozen=True)
class CostConfig:
    """How to measure costs.

    Attributes:
        rounds: processes for each system; fewer than four tell no two systems apart.
        plan: what each of them measures.
        texts: of the suite, at the most; queries and documents in their proportion.
        cold: also load with the weights out of the page cache, in a process of its own each round.
        share: measure one of the systems that differ in the dimension alone, and give the others its figures but the
            storage: a model's work is the same whatever is kept of its vectors.
        price: what is paid, where the user says.
        timeout: seconds for one process.
    """

    rounds: int = ROUNDS
    plan: Plan = field(default_factory=Plan)
    texts: int = 256
    cold: bool = True
    share: bool = True
    price: Price | None = None
    timeout: float = 3600.0


def expected(systems: Sequence[System], config: CostConfig) -> str:
    """What measuring takes at the least, for the reader before it begins."""
    plan, count = config.plan, len(set(stand_ins(systems).values())) if config.share else len(systems)
    each = plan.seconds * (2 + len(plan.batches) + len(plan.lengths))
    least = duration(count * config.rounds * each)
    return say("progress.costs_begin", systems=count, rounds=config.rounds, time=least, texts=config.texts)


@dataclass(frozen=True)
class Costed:
    """One system: its record, or why there is none."""

    name: str
    record: CostRecord | None = None
    error: str = ""


def measure_costs(
    systems: Sequence[str | System],
    suite: Suite,
    config: CostConfig,
    watcher: Watcher | None = None,
    run: Run | None = None,
) -> tuple[Costed, ...]:
    """Measures every system; one that fails is reported with its error and the rest go on.

    Args:
        systems: expressions, which may hold sweeps, or resolved systems.
        suite: whose texts are used.
        config: how.
        watcher: told how far it is.
        run: runs one job; a fresh process when None.
    """
    asked = read_systems(systems)
    watching = watcher or SilentWatcher()
    run = run or (lambda job: run_probe(job, config.timeout))
    busy = load_average()
    queries, documents = sample(suite, config.texts)
    stands_for = stand_ins(asked) if config.share else {s.name: s.name for s in asked}
    taken: dict[str, list[Taken]] = {name: [] for name in stands_for.values()}
    wrong: dict[str, str] = {}
    gflops: list[float] = []
    for number in range(config.rounds):
        gflops.append(float(run(Job(kind="gemm"))[0]["gflops"]))
        for place, name in enumerate(taken, 1):
            told = say("progress.costs", system=name, round=number + 1, rounds=config.rounds)
            watching.system(told, number * len(taken) + place, config.rounds * len(taken))
            watching.step(f"costs, round {number + 1}", number, config.rounds)
            if name not in wrong:
                job = Job(kind="costs", system=name, queries=queries, documents=documents, plan=config.plan)
                try:
                    taken[name].append(_round(run, job, cold=config.cold))
                except EngineError as error:
                    wrong[name] = str(error)
    setting = Setting(
        gflops=figure(gflops),
        texts=len(queries) + len(documents),
        documents=len(documents),
        cold=config.cold,
        price=config.price,
        notes=(busy,) if busy else (),
    )
    found = []
    for system in asked:
        measured = stands_for[system.name]
        if measured in wrong:
            found.append(Costed(system.name, error=wrong[measured]))
            continue
        shared = () if measured == system.name else (say("remark.shared", system=measured),)
        own = replace(setting, notes=(*setting.notes, *shared))
        found.append(Costed(system.name, record(system, taken[measured], own)))
    return tuple(found)


def stand_ins(systems: Sequence[System]) -> dict[str, str]:
    """system -> the one that is measured for it: of those that differ in ``dim`` alone, the one of most dimensions."""
    groups: dict[str, list[System]] = {}
    for system in systems:
        groups.setdefault(_without_dimension(system.node), []).append(system)
    return {s.name: max(group, key=_cut).name for group in groups.values() for s in group}


def _without_dimension(node: Node) -> str:
    if not isinstance(node, Leaf):
        return str(node)
    return str(replace(node, options=tuple((k, v) for k, v in node.options if k != "dim")))


def _cut(system: System) -> float:
    cut = system.vectors.dimension if isinstance(system, Single) else None
    return cut or float("inf")


def with_costs(result: Result, costed: Sequence[Costed]) -> Result:
    """The result with the costs of its systems; a system that could not be measured gets a note instead."""
    found = {c.name: c for c in costed}
    systems = []
    for system in result.systems:
        cost = found.get(system.name)
        if cost and cost.record:
            system = system.model_copy(update={"costs": cost.record})
        elif cost:
            system = system.model_copy(update={"notes": (*system.notes, f"costs: {cost.error}")})
        systems.append(system)
    return result.model_copy(update={"systems": tuple(systems)})


def sample(suite: Suite, most: int) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Texts spread evenly over a suite: queries and documents in their proportion, one of each at least.

    Raises:
        UsageError: the suite lacks one of the two.
    """
    if not suite.queries or not suite.documents:
        raise UsageError(
            f"{suite.name} has {len(suite.queries)} queries and {len(suite.documents)} documents: costs need both"
        )
    share = min(1.0, most / (len(suite.queries) + len(suite.documents)))
    return _spread([q.text for q in suite.queries], share), _spread([d.text for d in suite.documents], share)


def _spread(texts: Sequence[str], share: float) -> tuple[str, ...]:
    count = max(1, round(len(texts) * share))
    return tuple(texts[i * len(texts) // count] for i in range(count))


def run_probe(job: Job, timeout: float) -> tuple[Event, Watched]:
    """Runs one job in a fresh process.

    Raises:
        EngineError: the process reported an error, or ended without a word.
    """
    job = job.model_copy(update={"started": time.monotonic()})
    command = [sys.executable, "-m", "steelyard.bench.costing.worker"]
    seen = watch(command, orjson.dumps(job.model_dump(mode="json")), timeout)
    events = [orjson.loads(line) for _, line in seen.lines]
    last = events[-1] if events else {}
    if last.get("event") == "error":
        raise EngineError(str(last["message"]))
    if last.get("event") not in ("round", "gemm"):
        raise EngineError(f"{job.system}: its process ended with code {seen.exit_code}. {seen.complaint}".strip())
    moments = [moment for (moment, _), e in zip(seen.lines, events, strict=True) if e["event"] == "loaded"]
    return last | {"loaded_after": moments[0] if moments else 0.0, "done_after": seen.lines[-1][0]}, seen


def _round(run: Run, job: Job, *, cold: bool) -> Taken:
    warm = _take(run, job)
    if not cold or not evict(Path(p) for p in warm.round_.weights):
        return warm
    found = _take(run, job.model_copy(update={"kind": "load"})).round_
    return replace(warm, cold=found) if found.bytes_read else warm  # nothing fetched, nothing cold


def _take(run: Run, job: Job) -> Taken:
    event, seen = run(job)
    said = _ROUND.validate_python(event["round"], strict=False)
    return Taken(said, float(event["loaded_after"]), float(event["done_after"]), seen)


def load_average() -> str:
    """A warning where the machine is busy; empty where it is not, or does not tell."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        load = os.getloadavg()[0]
    except OSError:
        return ""
    if load < _BUSY * cores:
        return ""
    return say("remark.busy", load=f"{load:.1f}", cores=cores)
