"""The verdict by one measure: every pair of systems, groups without a significant difference, and what was in reach."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from steelyard.errors import DataError
from steelyard.stats.clusters import design_effects
from steelyard.stats.comparing import ByQuery, Rules, Table, compare, table_of
from steelyard.stats.difference import PairedDifference
from steelyard.stats.difference_interval import FEWEST_DIFFERING
from steelyard.stats.groups import groups, letters
from steelyard.stats.intervals import Interval, interval
from steelyard.stats.planning import pilot_spread
from steelyard.stats.power import detectable
from steelyard.wording.numbers import difference_text
from steelyard.wording.words import Said, measure_name, say


@dataclass(frozen=True, slots=True)
class Verdict:
    """All systems by one measure.

    Attributes:
        measure: its name.
        alpha: level at which a difference is significant, after correction.
        margin: a loss that does not matter, in the measure's units; None where none is set.
        n: queries compared.
        figures: system -> mean and interval, best first.
        comparisons: every pair, the system with the higher mean as ``a``.
        groups: the largest sets of systems without a significant difference, best first; not proved equal.
        letters: system -> the letters of its groups.
        detectable: minimum detectable difference at 80 % power: the smallest true difference between two of the systems
            that is found four times in five at the first step of Holm's correction over all the pairs, at the spread
            seen between these systems; None where no difference would show.
        clusters: clusters of queries; None where independence is assumed.
        design_effect: the mean over the pairs of what clusters do to the variance of a difference; 1 without clusters.
    """

    measure: str
    alpha: float
    margin: float | None
    n: int
    figures: Mapping[str, Interval]
    comparisons: tuple[PairedDifference, ...]
    groups: tuple[tuple[str, ...], ...]
    letters: Mapping[str, str]
    detectable: float | None
    clusters: int | None = None
    design_effect: float = 1.0

    def between(self, one: str, other: str) -> PairedDifference:
        """The first system less the second.

        Raises:
            DataError: when the verdict has no such pair.
        """
        for comparison in self.comparisons:
            if {comparison.a, comparison.b} == {one, other} and one != other:
                return comparison if comparison.a == one else comparison.reversed
        raise DataError(f"no comparison of {one!r} and {other!r}; systems: {', '.join(self.figures)}")

    @property
    def points(self) -> bool:
        """Whether the measure lies between 0 and 1 and reads in points of 100."""
        return all(c.points for c in self.comparisons)

    @property
    def sentence(self) -> str:
        """The whole verdict in one or two sentences, in English."""
        return " ".join(filter(None, (self.headline, self.reach)))

    @property
    def headline(self) -> Said:
        """Which systems rank first, in one sentence."""
        measure, first = measure_name(self.measure), self.groups[0] if self.groups else ()
        if not self.comparisons:
            return say("verdict.one", measure=measure)
        if all(c.equivalent for c in self.comparisons):
            margin = self.comparisons[0].margin_text
            return say("verdict.equivalent", measure=measure, count=len(self.figures), n=self.n, margin=margin)
        if not any(c.distinguishable for c in self.comparisons):
            key = "all_alike" if any(c.no_worse or c.reversed.no_worse for c in self.comparisons) else "undecided"
            return say(f"verdict.{key}", measure=measure, count=len(self.figures), n=self.n)
        if len(first) == 1:
            return say("verdict.one_ahead", best=first[0], measure=measure, n=self.n)
        return say("verdict.best_group", measure=measure, n=self.n, names=first)

    @property
    def reach(self) -> str:
        """The minimum detectable difference of so many queries under the correction in force; empty for one system."""
        pairs = len(self.comparisons)
        if not pairs:
            return ""
        if self.detectable is None:
            return say("verdict.no_reach")
        amount = difference_text(self.detectable, points=self.points)
        return (
            say("verdict.reach_corrected", amount=amount, pairs=pairs, n=self.n)
            if pairs > 1
            else say("verdict.reach", amount=amount, n=self.n)
        )

    @property
    def undecided(self) -> PairedDifference | None:
        """The best system and the first other one against which nothing is decided; None where there is none."""
        best = next(iter(self.figures), None)
        open_ = (c for c in self.comparisons if c.a == best and not c.better and not c.equivalent)
        return next(open_, None)


def judge(values: Mapping[str, ByQuery], measure: str, rules: Rules | None = None) -> Verdict:
    """Compares every pair of systems by one measure.

    Args:
        values: system -> query id -> value; the same queries for every system.
        measure: the measure's name, for the sentences.
        rules: margin, clusters and level.

    Raises:
        DataError: when the systems were not measured on the same queries, or a value is not finite.
    """
    held = rules or Rules()
    table = _best_first(table_of(values, held.clusters))
    names, clusters = table.names, table.clusters
    pairs = list(combinations(range(len(names)), 2))
    comparisons = compare(table, pairs, measure, held)
    different = [(c.a, c.b) for c in comparisons if c.distinguishable]
    bounded = table.bounded
    return Verdict(
        measure=measure,
        alpha=held.alpha,
        margin=held.margin,
        n=clusters.n,
        figures={
            name: interval(row, bounded=bounded, clusters=clusters)
            for name, row in zip(names, table.values, strict=True)
        },
        comparisons=comparisons,
        groups=groups(names, different),
        letters=letters(names, different),
        detectable=_detectable(comparisons, clusters.n, held.alpha),
        clusters=None if clusters.codes is None else clusters.count,
        design_effect=_design_effect(table),
    )


def _best_first(table: Table) -> Table:
    if not table.clusters.n:
        return table
    order = np.argsort(-table.values.mean(axis=1), kind="stable")
    return Table(tuple(table.names[i] for i in order), table.values[order], table.clusters)


def _detectable(comparisons: tuple[PairedDifference, ...], n: int, alpha: float) -> float | None:
    typical = pilot_spread(comparisons)
    if typical is None or n / typical.queries_a_unit < FEWEST_DIFFERING:
        return None
    found = detectable(n, typical, alpha=alpha / len(comparisons))
    return None if found is None or (comparisons[0].points and found > 1) else found


def _design_effect(table: Table) -> float:
    """Mean over the pairs; of many systems, over each with its neighbour."""
    if table.clusters.codes is None or len(table.names) < 2:
        return 1.0
    return float(design_effects(np.diff(table.values, axis=0), table.clusters).mean())
