"""All measures vote: a cheaper system takes another's place only where it is no worse by the primary measure and by
every guard.

This is an intersection-union test (Berger 1982): each vote is tested at its own level, and no correction is needed, as
all must agree. The level of the whole is at most that of each.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from steelyard.bench.evaluation.against import compare_pairs
from steelyard.bench.evaluation.result import Result
from steelyard.stats.difference import PairedDifference
from steelyard.suites.suite import usual_votes
from steelyard.wording.numbers import difference_text
from steelyard.wording.words import Said, measure_name, say


def votes_of(result: Result, measure: str | None = None) -> tuple[str, ...]:
    """The measure that is judged by, then the guards: what the suite names, as far as it was measured.

    Args:
        result: of before suites named them, too: traps are known by their winners.
        measure: judged by; the result's first when None.
    """
    named = result.suite.votes or usual_votes(traps=any(s.winners for s in result.weighed))
    known = [m for m in named if all(m in s.values for s in result.weighed)]
    return tuple(dict.fromkeys([measure or result.measures[0], *known]))


@dataclass(frozen=True)
class Replacement:
    """Whether one system may take another's place.

    Attributes:
        candidate: the cheaper system.
        reference: whose place it would take.
        votes: the candidate less the reference by each measure that votes, the primary first.
    """

    candidate: str
    reference: str
    votes: tuple[PairedDifference, ...]

    @property
    def allowed(self) -> bool:
        """Whether it is no worse by every measure that votes and has a margin."""
        held = [v for v in self.votes if v.margin is not None]
        return bool(held) and all(v.no_worse for v in held)

    @property
    def spoke(self) -> tuple[PairedDifference, ...]:
        """The votes against it: those with a significant loss, else those that do not exclude one."""
        against = tuple(v for v in self.votes if v.margin is not None and not v.no_worse)
        return tuple(v for v in against if v.worse) or against

    @property
    def sentence(self) -> Said:
        """It may, or which measures speak against it."""
        if not self.allowed:
            return say("votes.may_not", candidate=self.candidate, reference=self.reference, why=self.objection)
        lows = tuple(
            say("votes.low", measure=measure_name(v.measure), low=v.number.number(v.low))
            for v in self.votes
            if v.margin is not None
        )
        return say("votes.may", candidate=self.candidate, reference=self.reference, margin=self.margin_text, lows=lows)

    @property
    def objection(self) -> Said:
        """What speaks against it, without a full stop: the losses that are significant, else what is not excluded."""
        spoke = self.spoke
        if not spoke:
            return say("votes.none")
        if spoke[0].worse:
            return say("votes.worse", losses=tuple(self._loss(v) for v in spoke))
        first = min(spoke, key=lambda v: v.low)
        count = first.queries_to_decide
        return say(
            "votes.not_excluded", margin=self.margin_text, names=tuple(self._named(v) for v in spoke),
            measure=measure_name(first.measure), difference=first.number.number(first.difference), ends=_ends(first),
            settled=say("votes.settled", count=f"{count:,}", n=f"{first.n:,}") if count else "",
        )  # fmt: skip

    @property
    def margin_text(self) -> str:
        """The margin of the primary measure with its unit."""
        return next((v.margin_text for v in self.votes if v.margin is not None), "")

    def _loss(self, vote: PairedDifference) -> Said:
        amount = difference_text(vote.difference, points=vote.points)
        return say("votes.loss", measure=self._named(vote), amount=amount, ends=_ends(vote))

    def _named(self, vote: PairedDifference) -> str:
        name = measure_name(vote.measure)
        return name if vote.measure == self.votes[0].measure else say("votes.guard", measure=name)


def _ends(vote: PairedDifference) -> Said:
    return say("votes.ends", ends=vote.number.range(vote.low, vote.high))


def replacements(
    result: Result, reference: str, candidates: list[str] | tuple[str, ...], *, measure: str | None = None,
    margin: float | None = None,
) -> Mapping[str, Replacement]:  # fmt: skip
    """For each candidate whether it may take the reference's place.

    Args:
        result: measured by what votes.
        reference: usually the best.
        candidates: others; the reference itself is passed over.
        measure: the primary; the result's first when None.
        margin: of every vote, before the measures' defaults.

    Raises:
        ResultError: a system or measure that the result does not have.
    """
    others = [name for name in candidates if name != reference]
    pairs = [(name, reference) for name in others]
    by_measure = [compare_pairs(result, pairs, m, margin) for m in votes_of(result, measure)]
    return {
        name: Replacement(name, reference, tuple(compared[i] for compared in by_measure))
        for i, name in enumerate(others)
    }
