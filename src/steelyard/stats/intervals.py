"""The interval that stands beside every figure.

Legend: ``n`` values of one figure (one a query), ``B`` bootstrap resamples.

* Every value 0 or 1: Wilson's score interval (Wilson 1927), by scipy.
* Otherwise: seeded bootstrap of the mean, bias-corrected and accelerated (Efron 1987).
* Values between 0 and 1 that do not vary (one query, or all alike) tell a bootstrap nothing; Wilson's interval around
  their mean is used, which is wide enough because nothing between 0 and 1 varies more than a coin of the same mean.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from steelyard.errors import DataError

Floats = NDArray[np.float64]

RESAMPLES = 4_000
_BLOCK = 2_000_000
"""Resampled values held at once."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean and the range that its true value is believed to lie in.

    Attributes:
        estimate: the mean; NaN of no values.
        low: lower end; never above the estimate.
        high: upper end; never below the estimate.
        n: how many values it rests on.
        method: ``wilson``, ``bootstrap``, ``newcombe``, or ``none`` where the values allow no statement (the ends are
            then infinite, or NaN of no values).
    """

    estimate: float
    low: float
    high: float
    n: int
    method: Literal["wilson", "bootstrap", "newcombe", "none"]

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
    z = float(ndtri((1 + confidence) / 2))
    p = successes / n
    centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return Interval(p, max(0.0, min(p, centre - half)), min(1.0, max(p, centre + half)), n, "wilson")


def interval(values: ArrayLike, *, seed: int = 0, confidence: float = 0.95, bounded: bool | None = None) -> Interval:
    """The interval of a mean, by the rules at the top of this module.

    Args:
        values: float[n], one a query; no NaN.
        seed: of the bootstrap; the same seed and values give the same interval.
        confidence: between 0 and 1.
        bounded: whether values can only lie between 0 and 1; None judges by the values themselves.

    Raises:
        DataError: when a value is NaN or infinite.
    """
    x = _checked(values)
    if bounded is None:
        bounded = bool(((x >= 0) & (x <= 1)).all())
    if len(x) == 0:
        return wilson(0, 0) if bounded else Interval(math.nan, math.nan, math.nan, 0, "none")
    constant = bool((x == x[0]).all())
    if bounded and (constant or bool(((x == 0) | (x == 1)).all())):
        return wilson(min(float(x.sum()), len(x)), len(x), confidence)
    if len(x) == 1:
        return Interval(float(x[0]), -math.inf, math.inf, 1, "none")
    low, high = bootstrap_means(x[None, :], seed=seed, confidence=confidence)[0]
    return Interval(float(x.mean()), float(low), float(high), len(x), "bootstrap")


def bootstrap_means(rows: ArrayLike, *, seed: int = 0, confidence: float = 0.95, resamples: int = RESAMPLES) -> Floats:
    """Bootstrap intervals of the means of many rows over the same queries, in one pass.

    Every row sees the same resampled queries. Bias-corrected and accelerated; a row without variation gets its
    own value twice.

    Args:
        rows: float[m, n], n at least 1.
        seed: of the resampling.
        confidence: between 0 and 1.
        resamples: B.

    Returns:
        float64[m, 2]: low and high, which contain the row's mean.
    """
    x = np.asarray(rows, dtype=np.float64)
    means = x.mean(axis=1)
    resampled = _resampled_means(x, seed, resamples)
    levels = _bca_levels(x, means, resampled, confidence)
    resampled.sort(axis=1)
    ends = np.array([np.quantile(resampled[i], levels[i]) for i in range(len(x))])
    ends[:, 0] = np.minimum(ends[:, 0], means)
    ends[:, 1] = np.maximum(ends[:, 1], means)
    return ends


def _resampled_means(x: Floats, seed: int, resamples: int) -> Floats:
    n = x.shape[1]
    rng = np.random.default_rng(seed)
    out = np.empty((len(x), resamples))
    step = max(1, _BLOCK // n)
    for start in range(0, resamples, step):
        count = min(step, resamples - start)
        picks = rng.integers(0, n, size=(count, n)) + np.arange(count)[:, None] * n
        weights = np.bincount(picks.ravel(), minlength=count * n).reshape(count, n)
        out[:, start : start + count] = x @ (weights.T / n)
    return out


def _bca_levels(x: Floats, means: Floats, resampled: Floats, confidence: float) -> Floats:
    """float64[m, 2]: the quantiles of the resampled means that are the interval's ends."""
    from scipy.special import ndtr, ndtri

    n, resamples = x.shape[1], resampled.shape[1]
    slack = 1e-12 * (1 + np.abs(means))[:, None]
    below = (resampled < means[:, None] - slack).sum(axis=1)
    level = (np.abs(resampled - means[:, None]) <= slack).sum(axis=1)
    share = np.clip((below + level / 2) / resamples, 1 / (resamples + 1), resamples / (resamples + 1))
    bias = ndtri(share)[:, None]
    deviation = x - means[:, None]
    spread = (deviation**2).sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        skew = (deviation**3).sum(axis=1) / (6 * spread**1.5)
    acceleration = np.where((spread > 0) & (n > 1), np.nan_to_num(skew), 0.0)[:, None]
    shift = bias + ndtri(np.array([(1 - confidence) / 2, (1 + confidence) / 2]))[None, :]
    return np.asarray(ndtr(bias + shift / np.maximum(1 - acceleration * shift, 1e-3)), dtype=np.float64)


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
