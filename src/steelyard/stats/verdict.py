"""The verdict: which differences between systems are real, in numbers and in words.

Legend: ``s`` systems, ``n`` queries, ``m`` pairs of systems.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from steelyard.errors import DataError
from steelyard.stats.correction import holm
from steelyard.stats.groups import groups, letters
from steelyard.stats.intervals import Interval, bootstrap_means, interval, newcombe, wilson
from steelyard.stats.paired import PERMUTATIONS, PairedTest, paired_tests
from steelyard.stats.power import smallest_difference, smallest_mean_difference
from steelyard.wording.numbers import difference_text, measure_format, p_value
from steelyard.wording.words import Said, measure_name, say

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two systems by one measure; a is the one with the higher mean.

    Attributes:
        difference: mean of a less mean of b.
        low: lower end of the difference's interval (Newcombe for binary outcomes, bootstrap otherwise).
        high: upper end.
        p: two-sided p-value of the paired permutation test.
        p_holm: the same after Holm's correction over all the pairs that were compared.
        distinguishable: whether ``p_holm`` is at most alpha. The test decides, not the interval.
        points: whether the measure lies between 0 and 1 and reads in points of 100.
    """

    a: str
    b: str
    measure: str
    difference: float
    low: float
    high: float
    p: float
    p_holm: float
    distinguishable: bool
    points: bool = True

    @property
    def sentence(self) -> Said:
        """One sentence."""
        style = measure_format(points=self.points, signed=True)
        key = "ahead" if self.distinguishable else "same_mean" if self.difference == 0 else "open"
        return say(
            f"pair.{key}", a=self.a, b=self.b, measure=measure_name(self.measure),
            amount=difference_text(self.difference, points=self.points), ends=style.range(self.low, self.high),
            p=p_value(self.p_holm),
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Verdict:
    """All systems by one measure.

    Attributes:
        measure: its name.
        alpha: level at which two systems count as different, after correction.
        n: queries compared.
        figures: system -> mean and interval, best first.
        comparisons: every pair, the better system as ``a``.
        groups: the largest sets of systems that cannot be told apart, best first.
        letters: system -> the letters of its groups; systems that share one cannot be told apart.
        detectable: the smallest true difference between two of the systems that n queries show four times in five
            (single comparison, at the disagreement seen between these systems); None where no difference would show.
        seed: of every random draw behind these numbers.
    """

    measure: str
    alpha: float
    n: int
    figures: Mapping[str, Interval]
    comparisons: tuple[Comparison, ...]
    groups: tuple[tuple[str, ...], ...]
    letters: Mapping[str, str]
    detectable: float | None
    seed: int

    def between(self, one: str, other: str) -> Comparison:
        """The comparison of two systems, whichever comes first.

        Raises:
            DataError: when the verdict has no such pair.
        """
        for comparison in self.comparisons:
            if {comparison.a, comparison.b} == {one, other} and one != other:
                return comparison
        raise DataError(f"no comparison of {one!r} and {other!r}; systems: {', '.join(self.figures)}")

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
        if not any(c.distinguishable for c in self.comparisons):
            return say("verdict.all_alike", measure=measure, count=len(self.figures), n=self.n)
        if len(first) == 1:
            return say("verdict.one_ahead", best=first[0], measure=measure, n=self.n)
        return say("verdict.best_group", measure=measure, n=self.n, names=first)

    @property
    def reach(self) -> str:
        """The minimum detectable difference of so many queries; empty for one system."""
        if not self.comparisons:
            return ""
        if self.detectable is None:
            return say("verdict.no_reach")
        amount = difference_text(self.detectable, points=all(c.points for c in self.comparisons))
        return say("verdict.reach", amount=amount, n=self.n)


def judge(values: Mapping[str, Mapping[str, float]], measure: str, *, alpha: float = 0.05, seed: int = 0) -> Verdict:
    """Compares every pair of systems by one measure.

    Args:
        values: system -> query id -> value; the same queries for every system.
        measure: the measure's name, for the sentences.
        alpha: level after Holm's correction.
        seed: of bootstrap and permutations.

    Raises:
        DataError: when the systems were not measured on the same queries, or a value is not finite.
    """
    matrix = _matrix(values)
    bounded = bool(((matrix >= 0) & (matrix <= 1)).all())
    names = list(values)
    order = sorted(range(len(names)), key=lambda i: -matrix[i].mean() if matrix.shape[1] else 0.0)
    names, matrix = [names[i] for i in order], matrix[order]
    pairs = list(combinations(range(len(names)), 2))
    differences = np.array([matrix[i] - matrix[j] for i, j in pairs]).reshape(len(pairs), matrix.shape[1])
    # The smallest p that sampling can give must survive the correction, however many pairs there are.
    permutations = max(PERMUTATIONS, math.ceil(5 * len(pairs) / alpha))
    tests = paired_tests(differences, seed=seed, permutations=permutations) if pairs else []
    ranges = _difference_intervals(matrix, pairs, differences, seed)
    comparisons = _comparisons(names, pairs, tests, ranges, measure, alpha, bounded)
    different = [(c.a, c.b) for c in comparisons if c.distinguishable]
    figures = {name: interval(row, seed=seed, bounded=bounded) for name, row in zip(names, matrix, strict=True)}
    return Verdict(
        measure=measure,
        alpha=alpha,
        n=matrix.shape[1],
        figures=figures,
        comparisons=comparisons,
        groups=groups(names, different),
        letters=letters(names, different),
        detectable=_detectable(matrix, differences),
        seed=seed,
    )


def _matrix(values: Mapping[str, Mapping[str, float]]) -> Floats:
    """float64[s, n], rows in the order of the systems, columns in the order of the first one's queries."""
    if not values:
        raise DataError("no system to judge")
    first_name, first = next(iter(values.items()))
    for name, row in values.items():
        if row.keys() != first.keys():
            odd = sorted(row.keys() ^ first.keys())
            raise DataError(
                f"{name!r} and {first_name!r} were not measured on the same queries ({len(odd)} differ, such as "
                f"{odd[0]!r}); only the same queries of the same suite can be compared"
            )
    matrix = np.array([[row[q] for q in first] for row in values.values()], dtype=np.float64)
    if not np.isfinite(matrix).all():
        raise DataError("a value is not finite; leave out the queries without one")
    return matrix


def _difference_intervals(
    matrix: Floats, pairs: Sequence[tuple[int, int]], differences: Floats, seed: int
) -> list[tuple[float, float]]:
    n = matrix.shape[1]
    if not pairs or n == 0:
        return [(-math.inf, math.inf)] * len(pairs)
    if bool(((matrix == 0) | (matrix == 1)).all()):
        found = [_newcombe(matrix[i] == 1, matrix[j] == 1) for i, j in pairs]
        return [(x.low, x.high) for x in found]
    ends = bootstrap_means(differences, seed=seed)
    if bool(((matrix >= 0) & (matrix <= 1)).all()):
        # Differences that are all alike tell the bootstrap nothing: allow for the queries that were not drawn.
        unseen = wilson(0, n).high
        flat = np.ptp(differences, axis=1) == 0
        ends[flat] = np.clip(ends[flat] + np.array([-unseen, unseen]), -1.0, 1.0)
    return [(float(low), float(high)) for low, high in ends]


def _newcombe(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> Interval:
    both, only_a, only_b = int((a & b).sum()), int((a & ~b).sum()), int((~a & b).sum())
    return newcombe(both, only_a, only_b, len(a) - both - only_a - only_b)


def _comparisons(
    names: Sequence[str],
    pairs: Sequence[tuple[int, int]],
    tests: Sequence[PairedTest],
    ranges: Sequence[tuple[float, float]],
    measure: str,
    alpha: float,
    bounded: bool,
) -> tuple[Comparison, ...]:
    corrected = holm([test.p for test in tests])
    return tuple(
        Comparison(
            a=names[i],
            b=names[j],
            measure=measure,
            difference=test.difference,
            low=low,
            high=high,
            p=test.p,
            p_holm=float(p_holm),
            distinguishable=bool(p_holm <= alpha),
            points=bounded,
        )
        for (i, j), test, (low, high), p_holm in zip(pairs, tests, ranges, corrected, strict=True)
    )


def _detectable(matrix: Floats, differences: Floats) -> float | None:
    n = matrix.shape[1]
    if not len(differences) or n == 0:
        return None
    if bool(((matrix == 0) | (matrix == 1)).all()):
        return smallest_difference(n, float((differences != 0).mean())).difference
    return smallest_mean_difference(n, float(np.sqrt(differences.var(axis=1, ddof=1).mean()))) if n > 1 else None
