"""One system against another by one measure: the difference, its interval, its test, and which of three answers holds.

* *better*: the paired test rejects "no difference" after Holm's correction over all pairs that were compared.
* *no worse*: the whole 95 % interval of the difference lies above minus the margin (non-inferiority).
* *undecided*: neither. It is never called equal; *equivalent* is said only where both are no worse.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from steelyard.stats.power import ALPHA, Spread, decisive_queries
from steelyard.wording.numbers import NumberFormat, difference_text, measure_format, p_value
from steelyard.wording.words import Said, measure_name, say


class Answer(StrEnum):
    """What the figures say of the first system against the second; *worse* is *better* seen from the other side."""

    BETTER = "better"
    NO_WORSE = "no worse"
    WORSE = "worse"
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True)
class PairedDifference:
    """System a less system b, on the same queries.

    Attributes:
        a: the first system.
        b: the second.
        measure: its name.
        difference: mean of a less mean of b.
        low: lower end of the difference's 95 % interval, of this pair alone.
        high: upper end.
        p: two-sided p-value of the paired sign-flip test.
        p_holm: the same after Holm's correction over the pairs that were compared.
        n: queries.
        margin: a loss that does not matter, in the measure's units; None where no margin is set.
        compared: pairs that Holm's correction was made over.
        alpha: level of the test after correction.
        points: whether the measure lies between 0 and 1 and reads in points of 100.
        spread: how the per-query differences vary, for power; None where nothing was kept of it.
    """

    a: str
    b: str
    measure: str
    difference: float
    low: float
    high: float
    p: float
    p_holm: float
    n: int
    margin: float | None = None
    compared: int = 1
    alpha: float = ALPHA
    points: bool = True
    spread: Spread | None = None

    @property
    def distinguishable(self) -> bool:
        """Whether the difference is significant: the corrected p-value is at most alpha."""
        return self.p_holm <= self.alpha

    @property
    def better(self) -> bool:
        """Significantly above b."""
        return self.distinguishable and self.difference > 0

    @property
    def worse(self) -> bool:
        """Significantly below b."""
        return self.distinguishable and self.difference < 0

    @property
    def no_worse(self) -> bool:
        """Whether the interval excludes that a loses the margin against b."""
        return self.margin is not None and self.low > -self.margin

    @property
    def equivalent(self) -> bool:
        """Whether the interval excludes a difference of the margin in both directions."""
        return self.no_worse and self.reversed.no_worse

    @property
    def answer(self) -> Answer:
        """One of the answers; *better* before *no worse*, which may both hold."""
        if self.better:
            return Answer.BETTER
        if self.no_worse:
            return Answer.NO_WORSE
        return Answer.WORSE if self.worse else Answer.UNDECIDED

    @property
    def reversed(self) -> PairedDifference:
        """System b less system a."""
        return replace(self, a=self.b, b=self.a, difference=-self.difference, low=-self.high, high=-self.low)

    @property
    def queries_to_decide(self) -> int | None:
        """About how many queries give an answer four times in five if what was seen is true; None where too many.

        The answer may be either: better for the one that is ahead, at the level of the correction in force, or no
        worse for the one that is behind.
        """
        if self.spread is None:
            return None
        return decisive_queries(abs(self.difference), self.spread, self.margin, alpha=self.alpha / self.compared)

    @property
    def sentence(self) -> Said:
        """What the figures say of the two, in one sentence."""
        if self.worse:
            return self.reversed.sentence
        return say(
            f"pair.{self._key()}", a=self.a, b=self.b, measure=measure_name(self.measure),
            amount=difference_text(self.difference, points=self.points), figures=self.figures,
        )  # fmt: skip

    def _key(self) -> str:
        if self.better:
            return "better_within" if self.reversed.no_worse else "better"
        return "equivalent" if self.equivalent else "no_worse" if self.no_worse else "open"

    @property
    def figures(self) -> Said:
        """Interval, corrected p-value and margin in words."""
        ends, p = self.number.range(self.low, self.high), p_value(self.p_holm)
        if self.margin is None:
            return say("pair.plain_figures", ends=ends, p=p)
        return say("pair.figures", ends=ends, p=p, margin=self.margin_text)

    @property
    def number(self) -> NumberFormat:
        """How differences by this measure are written."""
        return measure_format(points=self.points, signed=True)

    @property
    def margin_text(self) -> str:
        """The margin with its unit."""
        return difference_text(self.margin or 0.0, points=self.points)

    @property
    def needed(self) -> str:
        """How many queries would decide, in a sentence; empty where nothing is known of it."""
        if self.spread is None:
            return ""
        count = self.queries_to_decide
        return say("pair.never", n=self.n) if count is None else say("pair.needed", count=f"{count:,}", n=f"{self.n:,}")
