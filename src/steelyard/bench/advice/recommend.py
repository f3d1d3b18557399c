"""Advice from a stored result: which system to take in a scenario, why, and what that gives up.

1. Systems that break a limit are left out, with the figure that breaks it; so are those whose figure is not known.
2. The best of the rest by quality is compared with each of the others, query by query (paired test, Holm).
3. Among the best and those that cannot be told from it, the cheapest by the scenario's first cost is taken; where costs
   cannot be told apart either (see :mod:`steelyard.cost.figure`), the next cost decides, and at last the higher mean.

"Cannot be told apart" is no proof of being equal: how much worse the choice may still be is part of the advice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from steelyard.bench.advice.evidence import probability
from steelyard.bench.advice.scenario import Limits, Scenario
from steelyard.bench.advice.system_metadata import COSTS, SystemMetadata, facts_of
from steelyard.bench.evaluation.against import PairedDifference, compare_with, mean
from steelyard.bench.evaluation.judgement import asked_measure
from steelyard.bench.evaluation.outcome import PROBE
from steelyard.bench.evaluation.result import Result
from steelyard.cost.figure import Figure, differ
from steelyard.errors import ResultError
from steelyard.models.recipe import Published
from steelyard.stats.intervals import Interval


@dataclass(frozen=True)
class Candidate:
    """One system.

    Attributes:
        figure: of the judged measure.
        costs: name -> figure, for the scenario's costs that are known.
        front: no admitted system is at least as good in everything that is known of both, and better in something.
        against_best: less the best admitted system; None for that one and for those left out.
        left_out: why; empty for admitted ones.
    """

    name: str
    figure: Interval
    costs: Mapping[str, Figure]
    front: bool = False
    against_best: PairedDifference | None = None
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True)
class Advice:
    """What to take in one scenario.

    Attributes:
        scenario: which.
        measure: judged by.
        choice: the system; empty where none keeps the limits.
        reason: one sentence.
        gives_up: what better ones have, each in a sentence.
        cautions: what the figures cannot carry.
        candidates: all systems, best first.
        published: (model, score) that somebody else measured, for the models of these systems.
    """

    scenario: Scenario
    measure: str
    choice: str
    reason: str
    gives_up: tuple[str, ...]
    cautions: tuple[str, ...]
    candidates: tuple[Candidate, ...]
    published: tuple[tuple[str, Published], ...]

    def to_dict(self) -> dict[str, object]:
        """Plain values for JSON."""
        return {
            "scenario": self.scenario.model_dump(),
            "measure": self.measure,
            "choice": self.choice,
            "reason": self.reason,
            "gives_up": self.gives_up,
            "cautions": self.cautions,
            "candidates": [
                asdict(c) | {"costs": {name: f.model_dump() for name, f in c.costs.items()}} for c in self.candidates
            ],
            "published": [{"model": model} | score.model_dump() for model, score in self.published],
        }


def advise(result: Result, scenario: Scenario, given: Limits | None = None, measure: str = "") -> Advice:
    """Chooses among the systems of a result.

    Args:
        result: with costs where latency or memory matter.
        scenario: what counts.
        given: the user's limits, before the scenario's.
        measure: what to judge by, before the scenario's.

    Raises:
        ResultError: the result does not have the measure, or no system.
    """
    judged = _measure(result, measure or scenario.measure)
    limits = scenario.limits_with(given or Limits())
    facts = [facts_of(s) for s in result.weighed]
    candidates = [_candidate(f, result, judged, scenario, limits) for f in facts]
    candidates.sort(key=lambda c: -c.figure.estimate)
    admitted = [c for c in candidates if not c.left_out]
    compared = _compared(admitted, result, judged, scenario)
    rest = [c for c in candidates if c.left_out]
    choice, narrowed = _choose(compared, scenario)
    return Advice(
        scenario=scenario,
        measure=judged,
        choice=choice.name if choice else "",
        reason=_reason(choice, compared, narrowed, judged) if choice else _nobody(rest),
        gives_up=_gives_up(choice, compared, scenario, judged) if choice else (),
        cautions=_cautions(choice, compared, (scenario, limits, judged), result),
        candidates=(*compared, *rest),
        published=tuple(dict.fromkeys(p for f in facts for p in f.published)),
    )


def _measure(result: Result, asked: str) -> str:
    if not result.weighed:
        raise ResultError("no system of this result was weighed, so there is nothing to advise on")
    if asked == PROBE and any(PROBE not in s.values for s in result.weighed):
        made = "Make one with: steelyard features SYSTEM... --labelled FILE"
        raise ResultError(f"this result was not measured by {asked}; it has {', '.join(result.measures)}. {made}")
    return asked_measure(result, asked)


def _candidate(facts: SystemMetadata, result: Result, measure: str, scenario: Scenario, limits: Limits) -> Candidate:
    costs = {name: f for name in scenario.costs if (f := COSTS[name].read(facts)) is not None}
    return Candidate(facts.name, mean(result, facts.name, measure), costs, left_out=breaks(facts, scenario, limits))


def breaks(facts: SystemMetadata, scenario: Scenario, limits: Limits) -> tuple[str, ...]:
    """Every limit that a system breaks or that cannot be checked, with the figure."""
    found = []
    for name in ("p95_ms", "memory_gb", "storage_gb"):
        most, figure = getattr(limits, name), COSTS[name].read(facts)
        if most is not None and (figure is None or figure.value > most):
            known = "not measured" if figure is None else f"{figure.value:.3g}"
            found.append(f"{COSTS[name].title}: {known}, the limit is {most:g}")
    if limits.dimension is not None and (facts.dimension is None or facts.dimension > limits.dimension):
        found.append(f"dimensions: {facts.dimension or 'not known'}, the limit is {limits.dimension}")
    if limits.licences:
        allowed = {name.casefold() for name in limits.licences}
        wrong = [name for name in facts.licences if name.casefold() not in allowed]
        wrong += [f"not known of {part}" for part in facts.unknown]
        if wrong:
            found.append(f"licence: {', '.join(wrong)}")
    missing = facts.lacks(limits.languages)
    if missing or (limits.languages and facts.unknown):
        found.append(
            f"languages: lacks {', '.join(missing)}" if missing else f"languages of {facts.unknown[0]}: not known"
        )
    if scenario.instruction and not facts.takes_instruction:
        found.append("takes no instruction")
    return tuple(found)


def _compared(admitted: Sequence[Candidate], result: Result, measure: str, scenario: Scenario) -> tuple[Candidate, ...]:
    if not admitted:
        return ()
    best = admitted[0].name
    differences = {a.name: a for a in compare_with(result, best, [c.name for c in admitted], measure)}
    return tuple(
        Candidate(
            c.name,
            c.figure,
            c.costs,
            front=not any(_dominates(o, c, scenario) for o in admitted),
            against_best=differences.get(c.name),
        )
        for c in admitted
    )


def _dominates(one: Candidate, other: Candidate, scenario: Scenario) -> bool:
    shared = [n for n in scenario.costs if n in one.costs and n in other.costs]
    pairs = [(one.figure.estimate, other.figure.estimate)]
    pairs += [(_goodness(n, one), _goodness(n, other)) for n in shared]
    whole = len(shared) == len(other.costs)  # what is known of it alone may be what speaks for it
    return whole and all(a >= b for a, b in pairs) and any(a > b for a, b in pairs)


def _goodness(name: str, candidate: Candidate) -> float:
    value = candidate.costs[name].value
    return value if COSTS[name].more else -value


def tied(candidates: Sequence[Candidate]) -> list[Candidate]:
    """The best and those that cannot be told from it."""
    return [c for c in candidates if c.against_best is None or not c.against_best.distinguishable]


def _choose(candidates: Sequence[Candidate], scenario: Scenario) -> tuple[Candidate | None, tuple[str, ...]]:
    """The choice, and the names of the costs that narrowed it down."""
    left = tied(candidates)
    narrowed: list[str] = []
    for name in scenario.costs:
        known = [c for c in left if name in c.costs]
        if len(left) < 2 or not known:
            continue
        cheapest = max(known, key=lambda c: _goodness(name, c))
        fewer = [c for c in known if c is cheapest or not differ(c.costs[name], cheapest.costs[name])]
        narrowed += [name] if len(fewer) < len(left) else []
        left = fewer
    return max(left, key=lambda c: c.figure.estimate, default=None), tuple(narrowed)


def _nobody(left_out: Sequence[Candidate]) -> str:
    best = left_out[0]
    return f"No system keeps the limits; of the best, {best.name}: {'; '.join(best.left_out)}."


def _reason(choice: Candidate, compared: Sequence[Candidate], narrowed: Sequence[str], measure: str) -> str:
    same = [c.name for c in tied(compared) if c is not choice]
    if len(compared) == 1:
        return f"{choice.name} is the only system that keeps the limits."
    if not same:
        return f"{choice.name} is ahead of every other system that keeps the limits by {measure}."
    group = f"{choice.name} cannot be told from {_some(same)} by {measure}"
    if not narrowed:
        return f"{group}, nor by the costs that are known, and has the highest mean of them."
    figures = ", ".join(f"{choice.costs[n].value:.3g} {COSTS[n].title}" for n in narrowed)
    return f"{group}: not distinguishable, so take the cheaper ({figures})."


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _gives_up(choice: Candidate, compared: Sequence[Candidate], scenario: Scenario, measure: str) -> tuple[str, ...]:
    found = []
    against = choice.against_best
    if against and against.difference < 0:
        found.append(
            f"{-100 * against.difference:.1f} points of {measure} to {against.base} "
            f"(95 % interval {-100 * against.high:.1f} to {-100 * against.low:.1f}, p {probability(against.p_holm)})"
        )
    for name in scenario.costs:
        others = [c for c in compared if name in c.costs and c.front]
        if name not in choice.costs or not others:
            continue
        cheapest = max(others, key=lambda c: _goodness(name, c))
        if cheapest.name != choice.name and differ(cheapest.costs[name], choice.costs[name]):
            ours, theirs = choice.costs[name].value, cheapest.costs[name].value
            found.append(f"{cheapest.name}'s {_amount(theirs)} {COSTS[name].title}: its own is {_amount(ours)}")
    return tuple(found)


def _amount(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def _cautions(
    choice: Candidate | None, compared: Sequence[Candidate], asked: tuple[Scenario, Limits, str], result: Result
) -> tuple[str, ...]:
    scenario, limits, measure = asked
    found = [] if choice is None else _unproved(choice, compared, measure, result)
    measured = any(s.costs for s in result.weighed)
    for name in scenario.costs if measured else ():
        without = [c.name for c in compared if name not in c.costs]
        if without and len(without) == len(compared):
            found.append(f"{COSTS[name].title}: not known of any system, so it decides nothing")
        elif without:
            found.append(f"{COSTS[name].title}: not known of {_some(without)}, which counts against them")
    if compared and not measured:
        found.append("costs were not measured: steelyard costs --into RESULT")
    if choice and limits.p95_ms and "p95_ms" in choice.costs and choice.costs["p95_ms"].high > limits.p95_ms:
        found.append(f"a round of {choice.name} was above the latency limit ({choice.costs['p95_ms'].high:.3g} ms)")
    return (*found, scenario.note) if scenario.note else tuple(found)


def _unproved(choice: Candidate, compared: Sequence[Candidate], measure: str, result: Result) -> list[str]:
    """How much better the systems that were passed over may still be, and whether any of them is good at all."""
    found = []
    others = [c.name for c in tied(compared) if c is not choice]
    ahead = max(compare_with(result, choice.name, others, measure), key=lambda a: a.high, default=None)
    if ahead and ahead.high > 0:
        found.append(
            f"{ahead.n} queries do not exclude that {ahead.name} is {100 * ahead.high:.1f} points better than "
            f"{choice.name}: more queries could"
        )
    if max(c.figure.low for c in compared) <= 0:
        found.append(f"by {measure}, no system is known to be right on any query: none of them may fit these texts")
    return found
