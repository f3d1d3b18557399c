"""What a claim is tested on, and the answers there are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

from steelyard.bench.advice.system_metadata import COSTS, SystemMetadata, facts_of
from steelyard.bench.evaluation.judgement import spelled
from steelyard.bench.evaluation.result import Result
from steelyard.cost.figure import Figure
from steelyard.models.recipe import Recipe
from steelyard.retrieval.expression import Leaf
from steelyard.retrieval.resolve import Resolver
from steelyard.stats.difference import PairedDifference
from steelyard.text.script import is_chinese
from steelyard.wording.numbers import COST, p_value

MARGIN = 0.05


class Answer(StrEnum):
    """What the figures say of a claim."""

    HOLDS = "holds"
    FAILS = "does not hold"
    OPEN = "cannot be told"
    NOT_TESTED = "not tested"


@dataclass(frozen=True)
class Evidence:
    """Results and what to hold them against.

    Attributes:
        result: of the user's systems on the user's texts, with the variants that a claim needs.
        measure: judged by.
        margin: a difference that does not matter, as a share; five points of a hundred unless told.
        features: of labelled texts, for the claim about semantic richness; None where there is none.
        dimensions: at which "most of the quality" is asked for.
        max_p95_ms: what an engineering choice must keep; None for no limit.
    """

    result: Result
    measure: str = "top1"
    margin: float = MARGIN
    features: Result | None = None
    dimensions: tuple[int, ...] = (512, 1024)
    max_p95_ms: float | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "measure", spelled(self.result, self.measure))

    @cached_property
    def facts(self) -> tuple[SystemMetadata, ...]:
        """Of every system that was weighed."""
        resolver = Resolver()
        return tuple(facts_of(s, resolver) for s in self.result.weighed)

    @property
    def languages(self) -> tuple[str, ...]:
        """Of the queries, as far as their script tells it: ``zh`` where most are Chinese."""
        texts = [q.text for q in self.result.queries]
        return ("zh",) if texts and sum(map(is_chinese, texts)) * 2 > len(texts) else ()

    def models(self) -> tuple[SystemMetadata, ...]:
        """The systems that are one known model as it is, each once, smallest first."""
        found: dict[str, SystemMetadata] = {}
        whole = (f for f in self.facts if isinstance(f.node, Leaf) and f.recipes and _is_whole(f.node, f.recipes[0]))
        for f in sorted(whole, key=lambda f: len(f.name)):
            found.setdefault(f.recipes[0].name, f)
        return tuple(sorted(found.values(), key=lambda f: f.parameters or 0))

    def able(self) -> tuple[SystemMetadata, ...]:
        """The models that know the queries' language: of another one, to be worse here says nothing."""
        return tuple(f for f in self.models() if not f.lacks(self.languages))

    def left_out(self) -> tuple[str, ...]:
        """A line on the models that do not know the queries' language, if there are any."""
        unable = [f.name for f in self.models() if f.lacks(self.languages)]
        return (f"left out, as not made for {', '.join(self.languages)}: {', '.join(unable)}",) if unable else ()


@dataclass(frozen=True)
class Finding:
    """One claim's answer.

    Attributes:
        number: of the claim.
        claim: in the words it was published in.
        tested: what was asked of these systems instead, where they are others.
        answer: one of three.
        why: one sentence.
        figures: what it rests on.
        command: tests it on systems of one's own.
    """

    number: int
    claim: str
    tested: str
    answer: Answer
    why: str
    figures: tuple[str, ...] = ()
    command: str = ""


def together(answers: Iterable[Answer]) -> Answer:
    """All must hold for the whole to hold; one that does not is enough for it not to."""
    found = list(answers)
    if Answer.FAILS in found:
        return Answer.FAILS
    return Answer.HOLDS if found and all(a is Answer.HOLDS for a in found) else Answer.OPEN


def no_more_than(a: PairedDifference, margin: float) -> Answer:
    """Whether the first is at most a margin better than the second; it fails where it is better beyond luck."""
    if a.better:
        return Answer.FAILS
    return Answer.HOLDS if a.high <= margin else Answer.OPEN


def wins(a: PairedDifference, margin: float) -> Answer:
    """Whether the first is better; it fails where it is worse, or by no more than the margin."""
    if a.better:
        return Answer.HOLDS
    return Answer.FAILS if a.worse or a.high <= margin else Answer.OPEN


def keeps(a: PairedDifference, margin: float) -> Answer:
    """Whether the first loses no more than a margin against the second."""
    if a.low >= -margin:
        return Answer.HOLDS
    return Answer.FAILS if a.high < -margin else Answer.OPEN


def in_words(a: PairedDifference, measure: str) -> str:
    """One comparison with its interval."""
    return (
        f"{a.a} less {a.b}: {100 * a.difference:+.1f} points of {measure} "
        f"({100 * a.low:+.1f} to {100 * a.high:+.1f}, p {p_value(a.p_holm)}, {a.n} queries)"
    )


def cost_in_words(facts: SystemMetadata, names: Sequence[str]) -> str:
    """A system's costs as far as they are known."""
    known = [(COSTS[n].title, f) for n in names if (f := COSTS[n].read(facts)) is not None]
    return f"{facts.name}: " + (", ".join(f"{title} {range_(f)}" for title, f in known) or "costs not measured")


def range_(figure: Figure) -> str:
    """A figure with the range of its rounds."""
    return COST.spread(figure.value, figure.low, figure.high)


def _is_whole(leaf: Leaf, recipe: Recipe) -> bool:
    return not leaf.options or leaf.options == (("dim", (recipe.dimension,)),)
