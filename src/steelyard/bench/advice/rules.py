"""The rules that claims are tested by, each on the user's own systems and texts; a claim is data that names one.

Where none of the systems is one that the claim is about, nothing is tested. Answers rest on paired tests corrected
over the comparisons of the claim, and on intervals: a claim that something makes no difference holds only where the
interval excludes one larger than the margin.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from itertools import combinations

from steelyard.bench.advice.evidence import (
    Answer,
    Evidence,
    cost_in_words,
    in_words,
    keeps,
    no_more_than,
    together,
    wins,
)
from steelyard.bench.advice.system_metadata import COSTS, SystemMetadata
from steelyard.bench.evaluation.against import compare_pairs, compare_with
from steelyard.bench.evaluation.sweep import NONE, chinese_against_english
from steelyard.bench.evaluation.votes import replacements, votes_of
from steelyard.cost.figure import ROUNDS, Figure, differ
from steelyard.retrieval.expression import Leaf, Rerank, single_options

Outcome = tuple[str, Answer, str, tuple[str, ...]]
"""What was tested, the answer, why, and the figures."""

_VALUE = ("p95_ms", "memory_gb")


@dataclass(frozen=True)
class Terms:
    """What a claim names and asks for; see :class:`steelyard.bench.advice.claims.Claim`, which is read from a file.

    Attributes:
        subject: patterns of the systems that it is about, as ``bge-m3*``; empty where it is about all.
        cost: what a system's value is held beside.
        gain: least and greatest difference that is claimed, as shares.
        factor: how many times more is claimed.
        least_parameters: from which a model counts as large; 0 for the largest alone.
    """

    subject: tuple[str, ...] = ()
    cost: str = "p95_ms"
    gain: tuple[float, float] = (0.05, 0.10)
    factor: float = 2.0
    least_parameters: float = 0.0

    def named(self, facts: Sequence[SystemMetadata]) -> list[SystemMetadata]:
        """The systems that the claim is about."""
        return [f for f in facts if not self.subject or any(fnmatchcase(f.name.casefold(), p) for p in self.subject)]


def _best_value(e: Evidence, terms: Terms) -> Outcome:
    facts = e.facts
    if not (named := terms.named(facts)):
        return not_tested(terms)
    subject = named[0]
    tested = f"{subject.name} gives more for its cost ({COSTS[terms.cost].title}) than each of the others"
    others = [f for f in facts if f.name != subject.name]
    cost = COSTS[terms.cost].read
    if not others or cost(subject) is None:
        return tested, Answer.OPEN, "It takes two systems with measured costs.", ()
    compared = {a.a: a for a in compare_with(e.result, subject.name, [f.name for f in others], e.measure)}
    names = [f.name for f in others]
    may_replace = replacements(e.result, subject.name, names, measure=e.measure, margin=e.margin)
    answers, rivals = [], []
    for f in others:
        a, ours, theirs = compared[f.name], cost(subject), cost(f)
        if ours is None or theirs is None:
            answers.append(Answer.OPEN)
            continue
        apart = differ(ours, theirs)
        dearer, cheaper = apart and theirs.value > ours.value, apart and theirs.value < ours.value
        if (a.better and not dearer) or (cheaper and may_replace[f.name].allowed):
            answers.append(Answer.FAILS)
            rivals.append(f.name)
        elif (a.worse and not cheaper) or (dearer and a.high <= e.margin):
            answers.append(Answer.HOLDS)
        else:
            answers.append(Answer.OPEN)
    answer = together(answers)
    why = {
        Answer.FAILS: f"{', '.join(rivals)}: better and no dearer, or cheaper and no worse by all that votes.",
        Answer.HOLDS: "Every other is worse and no cheaper, or dearer and no better than the margin.",
        Answer.OPEN: "Against some it is a matter of what a point is worth, or quality or cost cannot be told apart.",
    }[answer]
    words = [in_words(a, e.measure) for a in compared.values()]
    return tested, answer, why, (*words, *(cost_in_words(f, _VALUE) for f in (subject, *others)))


def _more_parameters(e: Evidence, terms: Terms) -> Outcome:
    models = e.able()
    pairs = [(b.name, a.name) for a, b in combinations(models, 2) if a.parameters != b.parameters]
    tested = f"no larger model is better than a smaller one by more than {100 * e.margin:g} points of {e.measure}"
    if not pairs:
        return tested, Answer.OPEN, "It takes two models of known and different size.", e.left_out()
    compared = compare_pairs(e.result, pairs, e.measure)
    answer = together(no_more_than(a, e.margin) for a in compared)
    better = [a for a in compared if a.better]
    why = {
        Answer.FAILS: f"{better[0].a} is better than the smaller {better[0].b}." if better else "",
        Answer.HOLDS: "The intervals exclude such a gain in every pair.",
        Answer.OPEN: f"{compared[0].n} queries neither show a gain nor exclude one of that size.",
    }[answer]
    sizes = ", ".join(f"{f.name} {_size(f)}" for f in models)
    return tested, answer, why, (sizes, *e.left_out(), *(in_words(a, e.measure) for a in compared))


def _large_win(e: Evidence, terms: Terms) -> Outcome:
    models = e.able()
    large = [f for f in models if (f.parameters or 0) >= terms.least_parameters > 0]
    if terms.least_parameters and not large:
        return not_tested(terms)
    large = large or list(models[-1:])
    small = [f for f in models if f not in large]
    tested = (
        f"{' and '.join(f.name for f in large)}: better recall@10, and a better linear probe, than each smaller model"
    )
    recall = next((m for m in ("recall@10", "hit@3") if m in e.result.measures), "")
    if not small or not recall:
        return tested, Answer.OPEN, "It takes two models of known size, and recall@10.", e.left_out()
    pairs = [(a.name, b.name) for a in large for b in small]
    found = [(recall, compare_pairs(e.result, pairs, recall))]
    richness = {s.name for s in e.features.weighed} if e.features else set()
    if e.features and all({a, b} <= richness for a, b in pairs):
        found.append(("probe", compare_pairs(e.features, pairs, "probe")))
    answer = together(wins(a, e.margin) for _, compared in found for a in compared)
    missing = " Semantic richness was not measured: give --labelled FILE." if len(found) < 2 else ""
    why = {
        Answer.FAILS: "Somewhere the larger model is worse, or at most the margin better.",
        Answer.HOLDS: f"The larger is better by {' and '.join(m for m, _ in found)}, beyond luck.",
        Answer.OPEN: "Not every gain is beyond luck, and none is excluded.",
    }[answer]
    answer = Answer.OPEN if missing and answer is Answer.HOLDS else answer
    return tested, answer, why + missing, (
        *e.left_out(), *(in_words(a, m) for m, compared in found for a in compared)
    )  # fmt: skip


def _cost_climbs(e: Evidence, terms: Terms) -> Outcome:
    names = ("p50_ms", "memory_gb")
    models = [f for f in e.models() if all(COSTS[n].read(f) for n in names)]
    tested = f"the largest model costs at least {terms.factor:g} times what the smallest does, in latency and in memory"
    if len(models) < 2 or models[0].parameters == models[-1].parameters:
        models = [f for f in e.models() if COSTS["load_s"].read(f) and COSTS["memory_gb"].read(f)]
        names = ("load_s", "memory_gb")
        tested = tested.replace("latency", "load time")
    if len(models) < 2 or models[0].parameters == models[-1].parameters:
        return tested, Answer.OPEN, "It takes two models of known and different size, with measured costs.", ()
    small, large = models[0], models[-1]
    answers, figures = [], [cost_in_words(f, names) + f", {_size(f)}" for f in models]
    for name in names:
        low, middle, high = _ratio(COSTS[name].read(large), COSTS[name].read(small))
        answers.append(Answer.HOLDS if low >= terms.factor else Answer.FAILS if high < terms.factor else Answer.OPEN)
        growth = math.log(middle) / math.log((large.parameters or 1) / (small.parameters or 1))
        figures.append(
            f"{COSTS[name].title}: {middle:.2f} times [{low:.2f}-{high:.2f}], size to the power of {growth:.2f}"
        )
    answer = together(answers)
    why = {
        Answer.FAILS: f"{large.name} costs less than {terms.factor:g} times {small.name} in at least one of the two.",
        Answer.HOLDS: f"{large.name} against {small.name}: over {terms.factor:g} times in both, beyond the spread.",
        Answer.OPEN: f"The spread of the measurements hides it, or there are fewer than {ROUNDS} of them.",
    }[answer]
    return tested, answer, why, tuple(figures)


def _instruction_gain(e: Evidence, terms: Terms) -> Outcome:
    low, high = terms.gain
    tested = f"an instruction adds {100 * low:g} to {100 * high:g} points of {e.measure} over none"
    named = {f.name: f for f in e.facts}
    bare = [f for f in named.values() if _options(f).get("instruction") == NONE]
    pairs = [(name, f.name) for f in bare for name in named if name != f.name and _same_but_instruction(named[name], f)]
    if not pairs:
        takes = any(f.takes_instruction for f in named.values())
        why = "Nothing was weighed without its instruction." if takes else "None of these systems takes an instruction."
        return tested, Answer.OPEN, why, ()
    compared = compare_pairs(e.result, pairs, e.measure)

    def answer_of(difference: float, ends: tuple[float, float], *, real: bool) -> Answer:
        if ends[1] < low or ends[0] > high:
            return Answer.FAILS
        return Answer.HOLDS if real and low <= difference <= high else Answer.OPEN

    answer = together(answer_of(a.difference, (a.low, a.high), real=a.better) for a in compared)
    why = {
        Answer.FAILS: "An interval lies wholly outside that range.",
        Answer.HOLDS: "Every gain is beyond luck and in that range.",
        Answer.OPEN: f"{compared[0].n} queries leave both room for such a gain and for another.",
    }[answer]
    sides = chinese_against_english(e.result, e.measure)
    return tested, answer, why, tuple(in_words(a, e.measure) for a in (*compared, *((sides,) if sides else ())))


def _fewer_dimensions(e: Evidence, terms: Terms) -> Outcome:
    asked = " or ".join(map(str, e.dimensions))
    votes = votes_of(e.result, e.measure)
    tested = f"cut to {asked} dimensions, no model loses more than {100 * e.margin:g} points of {', '.join(votes)}"
    whole = {f.recipes[0].name: f for f in e.models()}
    cuts = [
        (f.name, whole[f.recipes[0].name].name)
        for f in e.facts
        if isinstance(f.node, Leaf) and f.recipes and f.recipes[0].name in whole
        if dict(f.node.options).keys() == {"dim"} and f.dimension in e.dimensions
        if f.dimension != f.recipes[0].dimension
    ]
    if not cuts:
        return tested, Answer.OPEN, "None of these models was weighed at such a size below its own: give --dims.", ()
    compared = [a for m in votes for a in compare_pairs(e.result, cuts, m)]
    answer = together(keeps(a, e.margin) for a in compared)
    why = {
        Answer.FAILS: "At least one loses more, beyond luck.",
        Answer.HOLDS: "Every interval excludes such a loss.",
        Answer.OPEN: f"{compared[0].n} queries do not exclude such a loss.",
    }[answer]
    return tested, answer, why, tuple(in_words(a, a.measure) for a in compared)


def _reranking(e: Evidence, terms: Terms) -> Outcome:
    reranked = [f for f in e.facts if isinstance(f.node, Rerank)]
    subject = next(iter(terms.named(reranked)), None)
    if subject is None or not isinstance(subject.node, Rerank):
        return not_tested(terms, "a system with a reranker, as in A >> B")
    first = str(subject.node.first)
    tested = f"{subject.name} is better than {first}, and no other system is better than it"
    names = [f.name for f in e.facts]
    if first not in names:
        return tested, Answer.OPEN, f"{first} was not weighed on its own.", ()
    gain = compare_with(e.result, first, [subject.name], e.measure)[0]
    others = [n for n in names if n not in (first, subject.name)]
    rest = compare_with(e.result, subject.name, others, e.measure)
    answers = [wins(gain, e.margin), *(no_more_than(a, e.margin) for a in rest)]
    latency = COSTS["p95_ms"].read(subject)
    if e.max_p95_ms is not None:
        answers.append(_keeps_limit(latency, e.max_p95_ms))
    answer = together(answers)
    why = {
        Answer.FAILS: "It gains no more than the margin, another is better, or it is too slow.",
        Answer.HOLDS: "It gains beyond luck, and the intervals leave no other system ahead by more than the margin.",
        Answer.OPEN: "Its gain may be luck, or another system may still be ahead.",
    }[answer]
    words = [in_words(gain, e.measure), *(in_words(a, e.measure) for a in rest)]
    return (
        tested,
        answer,
        why,
        (*words, *(cost_in_words(f, _VALUE) for f in e.facts if f.name in (first, subject.name))),
    )


def _leaderboard(e: Evidence, terms: Terms) -> Outcome:
    models = e.able()
    scores: dict[str, dict[str, float]] = {}
    marked: set[tuple[str, str]] = set()
    for f in models:
        for _, score in f.published:
            scores.setdefault(score.benchmark, {})[f.name] = score.score
            if score.contaminated:
                marked.add((score.benchmark, f.name))
    boards = {b: s for b, s in scores.items() if len(s) > 1}
    if not boards:
        why = "Fewer than two of these models have a published score on the same benchmark."
        return "the first of a leaderboard is not the best here", Answer.OPEN, why, e.left_out()
    clean = {b: not any((b, name) in marked for name in boards[b]) for b in boards}
    board = max(boards, key=lambda b: (len(boards[b]), clean[b], "retrieval" in b, b))
    first = max(boards[board], key=lambda name: boards[board][name])
    tested = f"another model is better here than {first}, the first of {board} among these"
    compared = compare_with(e.result, first, [n for n in boards[board] if n != first], e.measure)
    ahead = [a for a in compared if a.better]
    settled = all(a.high <= e.margin for a in compared)
    answer = Answer.HOLDS if ahead else Answer.FAILS if settled else Answer.OPEN
    why = {
        Answer.FAILS: "The intervals leave no other model ahead by more than the margin.",
        Answer.HOLDS: f"{', '.join(a.a for a in ahead)}: better beyond luck.",
        Answer.OPEN: f"{compared[0].n} queries neither show another model ahead nor exclude it.",
    }[answer]
    lines = [
        f"{name}: {score:g} on {board}" + (" (contaminated: in its training data)" if (board, name) in marked else "")
        for name, score in sorted(boards[board].items(), key=lambda item: -item[1])
    ]
    return tested, answer, why, (*lines, *e.left_out(), *(in_words(a, e.measure) for a in compared))


def not_tested(terms: Terms, about: str = "") -> Outcome:
    """The outcome where none of the systems is one that the claim is about."""
    large = f"models of {terms.least_parameters / 1e9:g}B parameters or more" if terms.least_parameters else ""
    subject = " or ".join(terms.subject) or about or large
    return f"nothing; the claim is about {subject}", Answer.NOT_TESTED, "Not tested: no such model among yours.", ()


def _options(facts: SystemMetadata) -> dict[str, object]:
    return dict(single_options(facts.node)) if isinstance(facts.node, Leaf) else {}


def _same_but_instruction(one: SystemMetadata, other: SystemMetadata) -> bool:
    if not isinstance(one.node, Leaf) or not isinstance(other.node, Leaf):
        return False
    bare = [replace(n, options=tuple(o for o in n.options if o[0] != "instruction")) for n in (one.node, other.node)]
    return bare[0] == bare[1]


def _keeps_limit(latency: Figure | None, limit: float) -> Answer:
    if latency is None:
        return Answer.OPEN
    return Answer.HOLDS if latency.high <= limit else Answer.FAILS if latency.low > limit else Answer.OPEN


def _ratio(large: Figure | None, small: Figure | None) -> tuple[float, float, float]:
    """Low, middle, high; without enough rounds on both sides anything is possible."""
    if large is None or small is None:
        raise ValueError("a ratio needs two figures")
    middle = large.value / small.value
    if min(large.rounds, small.rounds) < ROUNDS:
        return 0.0, middle, math.inf
    return large.low / small.high, middle, large.high / small.low


def _size(facts: SystemMetadata) -> str:
    count = facts.parameters or 0
    return f"{count / 1e9:.2g}B parameters" if count >= 1e9 else f"{count / 1e6:.3g}M parameters"


RULES: Mapping[str, Callable[[Evidence, Terms], Outcome]] = {
    "best-value": _best_value,
    "size-brings-nothing": _more_parameters,
    "large-wins": _large_win,
    "cost-grows": _cost_climbs,
    "instruction-gains": _instruction_gain,
    "dimensions-suffice": _fewer_dimensions,
    "reranking-is-best": _reranking,
    "leaderboard-misleads": _leaderboard,
}
"""name -> what a claims file calls it."""
