"""The interval that stands beside every figure.

Legend: ``n`` values of one figure (one a query), ``g`` clusters of queries.

* Every value 0 or 1, queries independent: Wilson's score interval (Wilson 1927).
* Other values between 0 and 1, or queries in clusters: the same with the number of right-or-wrong queries that would
  vary as much (the effective size of Korn and Graubard 1998), Student's quantile for g - 1, and two imagined queries
  that vary as much as anything with that mean can. So a sample of few values that happen to be alike is not trusted.
* Values that are not bounded: Student's t from the sums of whole clusters.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from steelyard.errors import DataError
from steelyard.stats.clusters import Clusters, mean_variances

Floats = NDArray[np.float64]

IMAGINED = 2.0
"""Queries of greatest spread that join a sample whose spread is estimated."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean and the range that its true value is believed to lie in.

    Attributes:
        estimate: the mean; NaN of no values.
        low: lower end; never above the estimate.
        high: upper end; never below the estimate.
        n: how many values it rests on.
        method: ``wilson``, ``effective`` (Wilson with the effective size), ``student``, ``newcombe``, or ``none`` where
            the values allow no statement (the ends are then infinite, or NaN of no values).
    """

    estimate: float
    low: float
    high: float
    n: int
    method: Literal["wilson", "effective", "student", "newcombe", "none"]

    def __str__(self) -> str:
        return f"{self.estimate:.3f} ({self.low:.3f} to {self.high:.3f})"


def wilson(successes: float, n: int, confidence: float = 0.95) -> Interval:
    """Wilson's score interval of a proportion; of no trials it is 0 to 1.

    Args:
        successes: between 0 and n; a fraction is allowed, for means of values between 0 and 1.
        n: number of trials.
        confidence: between 0 and 1.

    Raises:
        DataError: when ``successes`` is not between 0 and n.
    """
    from scipy.special import ndtri

    if n < 0 or not 0 <= successes <= n:
        raise DataError(f"{successes} successes of {n} trials is not a proportion")
    if n == 0:
        return Interval(math.nan, 0.0, 1.0, 0, "wilson")
    low, high = _score_ends(successes / n, n, float(ndtri((1 + confidence) / 2)))
    return Interval(successes / n, low, high, n, "wilson")


def _score_ends(p: float, n: float, z: float) -> tuple[float, float]:
    centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return max(0.0, min(p, centre - half)), min(1.0, max(p, centre + half))


def interval(
    values: ArrayLike, *, confidence: float = 0.95, bounded: bool | None = None, clusters: Clusters | None = None
) -> Interval:
    """The interval of a mean, by the rules at the top of this module.

    Args:
        values: float[n], one a query; no NaN.
        confidence: between 0 and 1.
        bounded: whether values can only lie between 0 and 1; None judges by the values themselves.
        clusters: of the queries; independent when None.

    Raises:
        DataError: when a value is NaN or infinite.
    """
    x = _checked(values)
    groups = clusters or Clusters(None, len(x))
    if bounded is None:
        bounded = bool(((x >= 0) & (x <= 1)).all())
    if len(x) == 0:
        return wilson(0, 0) if bounded else Interval(math.nan, math.nan, math.nan, 0, "none")
    if bounded and groups.codes is None and bool(((x == 0) | (x == 1)).all()):
        return wilson(float(x.sum()), len(x), confidence)
    return _effective(x, groups, confidence) if bounded else _student(x, groups, confidence)


def _effective(x: Floats, clusters: Clusters, confidence: float) -> Interval:
    from scipy.special import stdtrit

    n, g, p = len(x), clusters.count, min(1.0, max(0.0, float(x.mean())))
    if g < 2:
        return wilson(p, 1, confidence) if n == 1 else Interval(p, 0.0, 1.0, n, "none")
    most = p * (1 - p)
    variance = n * float(mean_variances(x[None, :], clusters)[0])
    ratio = (variance * g + IMAGINED * most) / (most * (g + IMAGINED)) if most > 0 else 1.0
    if clusters.codes is None:
        ratio = min(ratio, 1.0)  # nothing between 0 and 1 varies more than right or wrong
    low, high = _score_ends(p, n / ratio, float(stdtrit(g - 1, (1 + confidence) / 2)))
    return Interval(p, low, high, n, "effective")


def _student(x: Floats, clusters: Clusters, confidence: float) -> Interval:
    from scipy.special import stdtrit

    mean, g = float(x.mean()), clusters.count
    if g < 2:
        return Interval(mean, -math.inf, math.inf, len(x), "none")
    half = float(stdtrit(g - 1, (1 + confidence) / 2) * np.sqrt(mean_variances(x[None, :], clusters)[0]))
    return Interval(mean, mean - half, mean + half, len(x), "student")


def newcombe(both: int, only_a: int, only_b: int, neither: int, confidence: float = 0.95) -> Interval:
    """The interval of a difference of two paired proportions, a less b (Newcombe 1998, method 10).

    Args:
        both: queries that both systems got right.
        only_a: queries that a alone got right.
        only_b: queries that b alone got right.
        neither: queries that both got wrong.
        confidence: between 0 and 1.
    """
    n = both + only_a + only_b + neither
    if n == 0:
        return Interval(math.nan, -1.0, 1.0, 0, "newcombe")
    a, b = wilson(both + only_a, n, confidence), wilson(both + only_b, n, confidence)
    phi = _phi(both, only_a, only_b, neither)
    difference = (only_a - only_b) / n
    down = _length(a.estimate - a.low, b.high - b.estimate, phi)
    up = _length(a.high - a.estimate, b.estimate - b.low, phi)
    return Interval(difference, max(-1.0, difference - down), min(1.0, difference + up), n, "newcombe")


def _phi(both: int, only_a: int, only_b: int, neither: int) -> float:
    """Correlation of the two systems' outcomes, with Newcombe's continuity correction."""
    margins = (both + only_a) * (only_b + neither) * (both + only_b) * (only_a + neither)
    if margins == 0:
        return 0.0
    product = both * neither - only_a * only_b
    n = both + only_a + only_b + neither
    numerator = max(product - n / 2, 0.0) if product > 0 else float(product)
    return numerator / math.sqrt(margins)


def _length(one: float, other: float, phi: float) -> float:
    return math.sqrt(max(0.0, one * one - 2 * phi * one * other + other * other))


def _checked(values: ArrayLike | Sequence[float]) -> Floats:
    x = np.asarray(values, dtype=np.float64).ravel()
    if not np.isfinite(x).all():
        raise DataError("an interval needs finite values; leave out the queries without one")
    return x
