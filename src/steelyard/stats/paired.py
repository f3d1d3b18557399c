"""Is the difference of two systems more than chance? The paired sign-flip test, query by query or cluster by cluster.

Legend: ``m`` pairs of systems, ``g`` units (queries, or clusters of queries).

If two systems were alike, each unit's difference might as well have had the other sign. The p-value is the share of
all sign assignments whose sum is at least as far from zero as the observed one (two-sided):

* differences that are all of one size (so every binary outcome) are counted by the binomial distribution: exact at any
  g, and the same as McNemar's exact test;
* up to :data:`EXACT_UNITS` non-zero differences: all sign assignments are gone through, exact;
* differences that all have one sign: only the assignment itself and its mirror reach the sum, exact;
* otherwise the distribution over all sign assignments by its saddlepoint approximation (Robinson 1982; tail formula of
  Barndorff-Nielsen 1986, continuity correction of Daniels 1987 where all differences are multiples of one), which
  needs no random draws and holds far out in the tail, where many comparisons need it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from steelyard.errors import DataError

Floats = NDArray[np.float64]
Method = Literal["binomial", "enumerated", "saddlepoint"]

EXACT_UNITS = 16
_BLOCK = 2_000_000
_STEPS = 100
_MOST_MULTIPLES = 64


@dataclass(frozen=True, slots=True)
class PairedTest:
    """The outcome of one paired test.

    Attributes:
        difference: mean of a less mean of b.
        p: two-sided p-value; 1.0 where no query differs.
        n: units compared.
        differing: units on which the two differ.
        method: how p was counted: ``binomial`` and ``enumerated`` are exact.
    """

    difference: float
    p: float
    n: int
    differing: int
    method: Method


def paired_test(a: ArrayLike, b: ArrayLike) -> PairedTest:
    """Compares two systems on the same queries.

    Args:
        a: float[g], one value a query.
        b: float[g], the other system's values of the same queries in the same order.

    Raises:
        DataError: when the lengths differ or a value is not finite.
    """
    x, y = np.asarray(a, dtype=np.float64).ravel(), np.asarray(b, dtype=np.float64).ravel()
    if len(x) != len(y):
        raise DataError(f"a paired test needs the same queries on both sides, got {len(x)} and {len(y)}")
    return paired_tests((x - y)[None, :])[0]


def paired_tests(differences: ArrayLike) -> list[PairedTest]:
    """Many paired tests over the same units.

    Args:
        differences: float[m, g], a less b for each pair of systems and unit; sums of whole clusters where queries
            belong together.

    Raises:
        DataError: when a value is not finite.
    """
    rows = np.atleast_2d(np.asarray(differences, dtype=np.float64))
    if not np.isfinite(rows).all():
        raise DataError("a paired test needs finite values; leave out the queries without one")
    rows = without_rounding(rows)
    methods = [_method(row) for row in rows]
    p = np.ones(len(rows))
    for i, row in enumerate(rows):
        if methods[i] == "binomial":
            p[i] = _binomial(int((row > 0).sum()), int((row < 0).sum()))
        elif methods[i] == "enumerated":
            p[i] = _enumerated(row[row != 0])
    many = [i for i, method in enumerate(methods) if method == "saddlepoint"]
    step = max(1, _BLOCK // max(1, rows.shape[1]))
    for start in range(0, len(many), step):
        block = many[start : start + step]
        p[block] = _saddlepoint(rows[block])
    means = rows.mean(axis=1) if rows.shape[1] else np.zeros(len(rows))
    counts = (rows != 0).sum(axis=1)
    return [
        PairedTest(float(means[i]), float(p[i]), rows.shape[1], int(counts[i]), methods[i]) for i in range(len(rows))
    ]


def without_rounding(rows: Floats) -> Floats:
    """The differences with those that are rounding set to 0: 0.1 + 0.2 against 0.3 must not become a win."""
    slack = 1e-12 * np.maximum(1.0, np.abs(rows).max(axis=1, initial=0.0))
    return np.where(np.abs(rows) <= slack[:, None], 0.0, rows)


def _method(row: Floats) -> Method:
    sizes = np.abs(row[row != 0])
    if len(sizes) == 0 or np.ptp(sizes) <= 1e-12 * sizes[0]:
        return "binomial"
    same_sign = abs(row.sum()) >= sizes.sum() * (1 - 1e-12)
    return "enumerated" if len(sizes) <= EXACT_UNITS or same_sign else "saddlepoint"


def _binomial(wins: int, losses: int) -> float:
    from scipy.special import bdtr

    total = wins + losses
    return 1.0 if total == 0 else min(1.0, 2 * float(bdtr(min(wins, losses), total, 0.5)))


def _enumerated(sizes: Floats) -> float:
    count = len(sizes)
    total = np.abs(sizes).sum()
    if abs(sizes.sum()) >= total * (1 - 1e-12):
        return float(2.0 ** (1 - count))
    # One sign stays fixed: flipping them all only mirrors the sum.
    codes = np.arange(2 ** (count - 1), dtype=np.int64)[:, None]
    signs = 1.0 - 2.0 * ((codes >> np.arange(count)) & 1)
    sums = np.abs(signs @ sizes)
    # The observed sum, less what rounding may take from an equal one.
    return float((sums >= abs(sizes.sum()) - 1e-9 * total).mean())


def _saddlepoint(rows: Floats) -> Floats:
    """float64[m]: two-sided p; see the module. Newton from the left never overshoots, as tanh is concave there."""
    from scipy.special import ndtr

    sizes = np.abs(rows)
    unit = _multiples_of(sizes)
    lattice = unit > 0
    reached = np.maximum(np.abs(rows.sum(axis=1)) - unit, 0.0)
    t = reached / (sizes**2).sum(axis=1)
    for _ in range(_STEPS):
        slope = np.tanh(t[:, None] * sizes)
        left = reached - (sizes * slope).sum(axis=1)
        step = left / np.maximum((sizes**2 * (1 - slope**2)).sum(axis=1), 1e-300)
        t = t + np.where(np.isfinite(step), np.maximum(step, 0.0), 0.0)
        if (np.abs(step) <= 1e-7 * (t + 1e-12)).all():
            break
    tilted = t[:, None] * sizes
    cumulant = (tilted + np.log1p(np.exp(-2 * tilted)) - np.log(2)).sum(axis=1)
    spread = np.sqrt((sizes**2 / np.cosh(np.minimum(tilted, 300)) ** 2).sum(axis=1))
    root = np.sqrt(np.maximum(2 * (t * reached - cumulant), 0.0))
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        scale = np.where(lattice, np.sinh(np.minimum(unit * t, 300)) / unit, t) * spread
        tail = ndtr(-(root + np.log(scale / root) / root))
    return np.where(root > 1e-4, np.minimum(1.0, 2 * tail), 1.0)


def _multiples_of(sizes: Floats) -> Floats:
    """float64[m]: the size that all of a row's are whole multiples of, where it is its smallest; else 0."""
    least = np.where(sizes > 0, sizes, np.inf).min(axis=1)
    ratios = sizes / least[:, None]
    whole = (np.abs(ratios - np.round(ratios)) <= 1e-6).all(axis=1) & (ratios.max(axis=1) <= _MOST_MULTIPLES)
    return np.where(whole, least, 0.0)
