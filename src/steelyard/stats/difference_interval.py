"""The interval of a difference, which never contradicts the test of it.

Legend: ``m`` pairs of systems, ``n`` queries, ``g`` units (queries, or clusters of queries).

1. The sign-flip test inverted: the interval holds every true difference that the test, made of what is left when it is
   taken off, does not reject. Up to :data:`EXACT_UNITS` units its ends are order statistics of the means over all
   subsets of the units (Hartigan 1969), exact for symmetric differences; beyond, they solve a quadratic equation.
2. Where at most half of the units differ, a few rare outcomes carry the sum, and others like them were not drawn. The
   interval then is at least as wide as Tango's score interval for paired proportions (1998) on the counts of units that
   speak for either system, times their usual size; with fewer than six of them (no test could reject), times the
   largest size there is.
3. It holds 0 exactly where the test of no difference does not reject at the same level. For right-or-wrong measures
   that test is McNemar's, and the interval is Tango's wherever the two agree.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from steelyard.stats.clusters import Clusters
from steelyard.stats.paired import EXACT_UNITS, without_rounding

Floats = NDArray[np.float64]

FEWEST_DIFFERING = 6
"""With fewer units that differ, no sign-flip test is significant at 5 %."""
_BLOCK = 4_000_000
_HALVINGS = 50


def difference_intervals(
    differences: Floats, p: Floats, clusters: Clusters, *, bounded: bool = True, confidence: float = 0.95
) -> Floats:
    """Intervals of mean differences, by the rules at the top of this module.

    Args:
        differences: float64[m, n], a less b for each pair of systems and query.
        p: float64[m], of the test of no difference, uncorrected.
        clusters: of the queries.
        bounded: whether the measure lies between 0 and 1, so that a difference lies between -1 and 1.
        confidence: between 0 and 1.

    Returns:
        float64[m, 2]: low and high; infinite where nothing can be said, or -1 and 1 of a bounded measure.
    """
    n = clusters.n
    edge = 1.0 if bounded else math.inf
    if n == 0:
        return np.tile([-edge, edge], (len(differences), 1))
    sums, sizes = without_rounding(clusters.sums(differences)), clusters.sizes
    means = sums.sum(axis=1) / n
    ends = _inverted(sums, sizes, confidence)
    ends = _with_rare(
        ends, sums * (len(sizes) / n), bounded=bounded, largest=sizes.max() * len(sizes) / n, z=_z(confidence)
    )
    ends = np.clip(ends, -edge, edge)
    ends[:, 0] = np.minimum(ends[:, 0], means)
    ends[:, 1] = np.maximum(ends[:, 1], means)
    return _agreeing(ends, means, p <= 1 - confidence)


def _z(confidence: float) -> float:
    from scipy.special import ndtri

    return float(ndtri((1 + confidence) / 2))


def _agreeing(ends: Floats, means: Floats, rejected: NDArray[np.bool_]) -> Floats:
    """Cut at 0 where the test rejects no difference, stretched to 0 where it does not."""
    low, high = ends.T
    above = np.where(rejected & (means > 0), np.maximum(low, np.nextafter(0, 1)), low)
    below = np.where(rejected & (means < 0), np.minimum(high, -np.nextafter(0, 1)), high)
    return np.stack(
        [np.where(rejected, above, np.minimum(low, 0.0)), np.where(rejected, below, np.maximum(high, 0.0))], axis=1
    )


def _inverted(sums: Floats, sizes: Floats, confidence: float) -> Floats:
    if len(sizes) <= EXACT_UNITS:
        return _by_subsets(sums, sizes, confidence)
    # n^2 (mean - d)^2 = z^2 * sum of (sum of a unit - d * its size)^2, solved for d.
    n, z2 = float(sizes.sum()), _z(confidence) ** 2
    a = n * n - z2 * float((sizes**2).sum())
    b = n * sums.sum(axis=1) - z2 * (sums @ sizes)
    c = sums.sum(axis=1) ** 2 - z2 * (sums**2).sum(axis=1)
    if a <= 0:  # one cluster holds nearly everything
        return np.tile([-math.inf, math.inf], (len(sums), 1))
    half = np.sqrt(np.maximum(b * b - a * c, 0.0))
    return np.stack([(b - half) / a, (b + half) / a], axis=1)


def _by_subsets(sums: Floats, sizes: Floats, confidence: float) -> Floats:
    g = len(sizes)
    place = math.floor((1 - confidence) / 2 * 2**g * (1 + 1e-12)) - 1
    if place < 0:
        return np.tile([-math.inf, math.inf], (len(sums), 1))
    members = ((np.arange(1, 2**g)[:, None] >> np.arange(g)) & 1).astype(np.float64)
    weights = members @ sizes
    ends = np.empty((len(sums), 2))
    step = max(1, _BLOCK // len(members))
    for start in range(0, len(sums), step):
        means = np.partition((sums[start : start + step] @ members.T) / weights, (place, -1 - place), axis=1)
        ends[start : start + step] = means[:, [place, -1 - place]]
    return ends


def _with_rare(ends: Floats, units: Floats, *, bounded: bool, largest: float, z: float) -> Floats:
    """Rule 2; units are scaled so that their mean is the mean difference."""
    g = units.shape[1]
    wins, losses = (units > 0).sum(axis=1), (units < 0).sum(axis=1)
    differing = wins + losses
    usual = np.sqrt((units**2).sum(axis=1) / np.maximum(differing, 1))
    most = largest if bounded else np.abs(units).max(axis=1)
    size = np.where(differing < FEWEST_DIFFERING, most, usual)
    low, high = tango(wins, losses, g, z).T
    share, means = (wins - losses) / g, units.mean(axis=1)
    rare = differing <= g / 2
    return np.stack(
        [
            np.where(rare, np.minimum(ends[:, 0], means - size * (share - low)), ends[:, 0]),
            np.where(rare, np.maximum(ends[:, 1], means + size * (high - share)), ends[:, 1]),
        ],
        axis=1,
    )


def tango(wins: NDArray[np.int64], losses: NDArray[np.int64], n: int, z: float = 1.959963984540054) -> Floats:
    """Score intervals of differences of paired proportions (Tango 1998).

    Args:
        wins: int[m], queries that the first system alone got right.
        losses: int[m], queries that the second alone got right.
        n: queries.
        z: quantile of the normal distribution for the confidence.

    Returns:
        float64[m, 2]: low and high.
    """
    b, c = np.asarray(wins, dtype=np.float64), np.asarray(losses, dtype=np.float64)
    middle = (b - c) / n

    def score(d: Floats) -> Floats:
        linear = -b - c + (2 * n - b + c) * d
        losing = (np.sqrt(np.maximum(linear**2 + 8 * n * c * d * (1 - d), 0.0)) - linear) / (4 * n)
        variance = n * (2 * losing + d * (1 - d))
        distance = b - c - n * d
        far = np.where(np.abs(distance) < 1e-9, 0.0, np.copysign(math.inf, distance))
        return np.where(variance > 1e-12, distance / np.sqrt(np.maximum(variance, 1e-12)), far)

    def crossing(level: float, low: Floats, high: Floats) -> Floats:
        for _ in range(_HALVINGS):
            centre = (low + high) / 2
            above = score(centre) > level
            low, high = np.where(above, centre, low), np.where(above, high, centre)
        return (low + high) / 2

    ones = np.ones_like(middle)
    return np.stack([crossing(z, -ones, middle), crossing(-z, middle, ones)], axis=1)
