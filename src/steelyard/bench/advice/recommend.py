"""Advice from a stored result: which system to take in a scenario, why, and what that gives up.

1. Systems that break a limit are left out, with the figure that breaks it; so are those whose figure is not known.
2. The best of the rest by the primary measure is compared with each of the others, query by query, by every measure
   that votes (see :mod:`steelyard.bench.evaluation.votes`).
3. Among the best and those that are no worse by every vote, the cheapest by the scenario's first cost is taken; where
   costs do not differ either (see :mod:`steelyard.cost.figure`), the next cost decides, and at last the higher mean.

No significant difference is no proof of being equal: a cheaper system must be shown to be no worse.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace

from steelyard.bench.advice.scenario import Limits, Scenario
from steelyard.bench.advice.system_metadata import COSTS, SystemMetadata, facts_of
from steelyard.bench.evaluation.against import mean
from steelyard.bench.evaluation.judgement import asked_measure
from steelyard.bench.evaluation.result import Result
from steelyard.bench.evaluation.votes import Replacement, replacements, votes_of
from steelyard.cost.figure import Figure, differ
from steelyard.errors import ResultError
from steelyard.measures.names import PROBE
from steelyard.models.recipe import Published
from steelyard.retrieval.resolve import Resolver
from steelyard.stats.intervals import Interval
from steelyard.stats.pareto import dominates
from steelyard.wording.numbers import CHANGE, POINTS, short
from steelyard.wording.words import Said, measure_name, say


@dataclass(frozen=True)
class Candidate:
    """One system.

    Attributes:
        figure: of the judged measure.
        costs: name -> figure, for the scenario's costs that are known.
        front: no admitted system is at least as good in everything that is known of both, and better in something.
        replacement: whether it may replace the best admitted system; None for that one and for those left out.
        left_out: why; empty for admitted ones.
    """

    name: str
    figure: Interval
    costs: Mapping[str, Figure]
    front: bool = False
    replacement: Replacement | None = None
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
    gives_up: tuple[Said, ...]
    cautions: tuple[Said, ...]
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
            "cautions": (*self.cautions, *filter(None, (self.scenario.note,))),
            "candidates": [
                asdict(c) | {"costs": {name: f.model_dump() for name, f in c.costs.items()}} for c in self.candidates
            ],
            "published": [{"model": model} | score.model_dump() for model, score in self.published],
        }


def advise(
    result: Result,
    scenario: Scenario,
    given: Limits | None = None,
    measure: str = "",
    margin: float | None = None,
) -> Advice:
    """Chooses among the systems of a result.

    Args:
        result: with costs where latency or memory matter.
        scenario: what counts.
        given: the user's limits, before the scenario's.
        measure: what to judge by, before the scenario's.
        margin: a loss that does not matter, for every measure that votes; their defaults when None.

    Raises:
        ResultError: the result does not have the measure, or no system.
    """
    judged = _measure(result, measure or scenario.measure)
    limits = scenario.limits_with(given or Limits())
    resolver = Resolver()
    facts = [facts_of(s, resolver) for s in result.weighed]
    candidates = [_candidate(f, result, judged, scenario, limits) for f in facts]
    candidates.sort(key=lambda c: -c.figure.estimate)
    admitted = [c for c in candidates if not c.left_out]
    compared = _compared(admitted, result, (scenario, judged, margin))
    rest = [c for c in candidates if c.left_out]
    choice, narrowed = _choose(compared, scenario)
    return Advice(
        scenario=scenario,
        measure=judged,
        choice=choice.name if choice else "",
        reason=_reason(choice, compared, narrowed, (scenario, judged)) if choice else _nobody(rest),
        gives_up=_gives_up(choice, compared, scenario) if choice else (),
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
    found: list[str] = []
    for name in ("p95_ms", "memory_gb", "storage_gb"):
        most, figure = getattr(limits, name), COSTS[name].read(facts)
        if most is not None and (figure is None or figure.value > most):
            known = say("advice.not_measured") if figure is None else short(figure.value)
            found.append(say("advice.limit", what=COSTS[name].title, known=known, limit=f"{most:g}"))
    if limits.dimension is not None and (facts.dimension is None or facts.dimension > limits.dimension):
        known = str(facts.dimension or "") or say("advice.not_known")
        found.append(say("advice.dimension_limit", known=known, limit=limits.dimension))
    if limits.licences:
        allowed = {name.casefold() for name in limits.licences}
        wrong = [name for name in facts.licences if name.casefold() not in allowed]
        wrong += [say("advice.licence_unknown", part=part) for part in facts.unknown]
        if wrong:
            found.append(say("advice.licence", names=tuple(wrong)))
    missing = facts.lacks(limits.languages)
    if missing or (limits.languages and facts.unknown):
        unknown = "" if missing else facts.unknown[0]
        found.append(
            say("advice.languages_unknown", part=unknown) if unknown else say("advice.languages", names=missing)
        )
    if scenario.instruction and not facts.takes_instruction:
        found.append(say("advice.no_instruction"))
    return tuple(found)


def _compared(
    admitted: Sequence[Candidate], result: Result, asked: tuple[Scenario, str, float | None]
) -> tuple[Candidate, ...]:
    if not admitted:
        return ()
    scenario, measure, margin = asked
    found = replacements(result, admitted[0].name, [c.name for c in admitted], measure=measure, margin=margin)
    return tuple(
        replace(
            c,
            front=not any(_dominates(o, c, scenario) for o in admitted),
            replacement=found.get(c.name),
        )
        for c in admitted
    )


def _dominates(one: Candidate, other: Candidate, scenario: Scenario) -> bool:
    shared = [n for n in scenario.costs if n in one.costs and n in other.costs]
    if len(shared) < len(other.costs):  # what is known of it alone may be what speaks for it
        return False
    ours, theirs = ((c.figure.estimate, *(_goodness(n, c) for n in shared)) for c in (one, other))
    return dominates(ours, theirs)


def _goodness(name: str, candidate: Candidate) -> float:
    value = candidate.costs[name].value
    return value if COSTS[name].more else -value


def no_worse(candidates: Sequence[Candidate]) -> list[Candidate]:
    """The best and those that may replace it."""
    return [c for c in candidates if c.replacement is None or c.replacement.allowed]


def _choose(candidates: Sequence[Candidate], scenario: Scenario) -> tuple[Candidate | None, tuple[str, ...]]:
    """The choice, and the names of the costs that narrowed it down."""
    left = no_worse(candidates)
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
    return say("advice.nobody", best=best.name, why=best.left_out)


def _reason(
    choice: Candidate, compared: Sequence[Candidate], narrowed: Sequence[str], asked: tuple[Scenario, str]
) -> str:
    scenario, measure = asked
    named = measure_name(measure)
    if len(compared) == 1:
        return say("advice.only", name=choice.name)
    if choice.replacement is not None:
        figures = tuple(
            say("advice.figure", number=short(choice.costs[n].value), what=COSTS[n].title) for n in narrowed
        )
        return say("advice.replaces", text=choice.replacement.sentence, figures=figures)
    refused = _refused(choice, compared, scenario)
    if refused is not None and refused.replacement is not None:
        why = refused.replacement.objection
        return say("advice.refused", name=choice.name, measure=named, other=refused.name, why=why)
    same = [c.name for c in no_worse(compared) if c is not choice]
    if same:
        return say("advice.no_cheaper", name=choice.name, measure=named, others=_some(same))
    return say("advice.ahead", name=choice.name, measure=named)


def _refused(choice: Candidate, compared: Sequence[Candidate], scenario: Scenario) -> Candidate | None:
    """Of the systems that cost less by the first cost that differs and were refused, the best by quality."""
    for name in scenario.costs:
        refused = [c for c in compared if c.replacement and not c.replacement.allowed and name in c.costs]
        cheaper = [
            c
            for c in refused
            if name in choice.costs
            and differ(c.costs[name], choice.costs[name])
            and _goodness(name, c) > _goodness(name, choice)
        ]
        if cheaper:
            return max(cheaper, key=lambda c: c.figure.estimate)
    return None


def _some(names: Sequence[str]) -> str | tuple[str, ...]:
    if len(names) <= 3:
        return tuple(names)
    return say("advice.more_names", names=tuple(names[:3]), count=len(names) - 3)


def _gives_up(choice: Candidate, compared: Sequence[Candidate], scenario: Scenario) -> tuple[Said, ...]:
    found: list[Said] = [
        say("advice.points_to", points=POINTS.number(-v.difference), measure=measure_name(v.measure), base=v.b,
            ends=CHANGE.range(-v.high, -v.low))
        for v in (choice.replacement.votes if choice.replacement else ())
        if v.difference < 0
    ]  # fmt: skip
    for name in scenario.costs:
        others = [c for c in compared if name in c.costs and c.front]
        if name not in choice.costs or not others:
            continue
        cheapest = max(others, key=lambda c: _goodness(name, c))
        if cheapest.name != choice.name and differ(cheapest.costs[name], choice.costs[name]):
            ours, theirs = choice.costs[name].value, cheapest.costs[name].value
            what = COSTS[name].title
            found.append(say("advice.cost_to", name=cheapest.name, theirs=short(theirs), what=what, ours=short(ours)))
    return tuple(found)


def _cautions(
    choice: Candidate | None, compared: Sequence[Candidate], asked: tuple[Scenario, Limits, str], result: Result
) -> tuple[Said, ...]:
    scenario, limits, measure = asked
    found: list[Said] = [] if choice is None else _unproved(choice, compared, measure, result)
    measured = any(s.costs for s in result.weighed)
    for name in scenario.costs if measured else ():
        without = [c.name for c in compared if name not in c.costs]
        if without and len(without) == len(compared):
            found.append(say("advice.cost_unknown", what=COSTS[name].title))
        elif without:
            found.append(say("advice.cost_missing", what=COSTS[name].title, names=_some(without)))
    if compared and not measured:
        found.append(say("advice.no_costs"))
    if choice and limits.p95_ms and "p95_ms" in choice.costs and choice.costs["p95_ms"].high > limits.p95_ms:
        found.append(say("advice.above_limit", name=choice.name, number=short(choice.costs["p95_ms"].high)))
    return tuple(found)


def _unproved(choice: Candidate, compared: Sequence[Candidate], measure: str, result: Result) -> list[Said]:
    """Whether a guard prefers another system, which guards did not vote, and whether any system is good at all."""
    found: list[Said] = []
    for c in compared if choice.replacement is None else ():
        gains = tuple(
            say("advice.gain", points=POINTS.number(v.difference), measure=measure_name(v.measure))
            for v in (c.replacement.votes if c.replacement else ())
            if v.better
        )
        if gains:
            found.append(say("advice.guard_ahead", name=c.name, choice=choice.name, gains=gains))
    if result.suite.notice:
        found.append(say("note.suite", notice=result.suite.notice))
    missing = tuple(m for m in result.suite.votes if m not in votes_of(result, measure))
    if missing:
        found.append(say("advice.did_not_vote", names=missing))
    if max(c.figure.low for c in compared) <= 0:
        found.append(say("advice.none_right", measure=measure_name(measure)))
    return found
