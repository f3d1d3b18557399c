"""Is the difference of two systems more than luck? The paired permutation test, query by query.

Legend: ``m`` pairs of systems, ``n`` queries, ``B`` permutations.

If two systems were alike, each query's difference might as well have had the other sign. The p-value is the share of
all sign assignments whose sum is at least as far from zero as the observed one (two-sided):

* differences that are all of one size (so every binary outcome) are counted by the binomial distribution: exact at any
  n, and the same as McNemar's exact test;
* up to :data:`EXACT_PAIRS` non-zero differences: all sign assignments are gone through, exact;
* otherwise B seeded random sign assignments, p = (b + 1) / (B + 1) (Phipson and Smyth 2010), never 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from steelyard.errors import DataError

Floats = NDArray[np.float64]
Method = Literal["binomial", "enumerated", "sampled"]

EXACT_PAIRS = 14
PERMUTATIONS = 9_999
_BLOCK = 4_000_000


@dataclass(frozen=True, slots=True)
class PairedTest:
    """The outcome of one paired test.

    Attributes:
        difference: mean of a less mean of b.
        p: two-sided p-value; 1.0 where no query tells the systems apart.
        n: queries compared.
        differing: queries on which the two differ.
        method: how p was counted: ``binomial`` and ``enumerated`` are exact.
    """

    difference: float
    p: float
    n: int
    differing: int
    method: Method


def paired_test(a: ArrayLike, b: ArrayLike, *, seed: int = 0, permutations: int = PERMUTATIONS) -> PairedTest:
    """Compares two systems on the same queries.

    Args:
        a: float[n], one value a query.
        b: float[n], the other system's values of the same queries in the same order.
        seed: of the sampled permutations.
        permutations: B, where p is sampled.

    Raises:
        DataError: when the lengths differ or a value is not finite.
    """
    x, y = np.asarray(a, dtype=np.float64).ravel(), np.asarray(b, dtype=np.float64).ravel()
    if len(x) != len(y):
        raise DataError(f"a paired test needs the same queries on both sides, got {len(x)} and {len(y)}")
    return paired_tests((x - y)[None, :], seed=seed, permutations=permutations)[0]


def paired_tests(differences: ArrayLike, *, seed: int = 0, permutations: int = PERMUTATIONS) -> list[PairedTest]:
    """Many paired tests over the same queries; sampled ones share their permutations.

    Args:
        differences: float[m, n], a less b for each pair of systems and query.
        seed: of the sampled permutations.
        permutations: B, where p is sampled.

    Raises:
        DataError: when a value is not finite.
    """
    rows = np.atleast_2d(np.asarray(differences, dtype=np.float64))
    if not np.isfinite(rows).all():
        raise DataError("a paired test needs finite values; leave out the queries without one")
    n = rows.shape[1]
    # Below this, a difference is rounding: 0.1 + 0.2 against 0.3 must not become a win.
    slack = 1e-12 * np.maximum(1.0, np.abs(rows).max(axis=1, initial=0.0))
    rows = np.where(np.abs(rows) <= slack[:, None], 0.0, rows)
    methods = [_method(row) for row in rows]
    p = np.ones(len(rows))
    for i, row in enumerate(rows):
        if methods[i] == "binomial":
            p[i] = _binomial(int((row > 0).sum()), int((row < 0).sum()))
        elif methods[i] == "enumerated":
            p[i] = _enumerated(row[row != 0])
    sampled = [i for i, method in enumerate(methods) if method == "sampled"]
    if sampled:
        p[sampled] = _sampled(rows[sampled], seed, permutations)
    means = rows.mean(axis=1) if n else np.zeros(len(rows))
    counts = (rows != 0).sum(axis=1)
    return [PairedTest(float(means[i]), float(p[i]), n, int(counts[i]), methods[i]) for i in range(len(rows))]


def _method(row: Floats) -> Method:
    sizes = np.abs(row[row != 0])
    if len(sizes) == 0 or np.ptp(sizes) <= 1e-12 * sizes[0]:
        return "binomial"
    return "enumerated" if len(sizes) <= EXACT_PAIRS else "sampled"


def _binomial(wins: int, losses: int) -> float:
    from scipy.special import bdtr

    total = wins + losses
    return 1.0 if total == 0 else min(1.0, 2 * float(bdtr(min(wins, losses), total, 0.5)))


def _enumerated(sizes: Floats) -> float:
    count = len(sizes)
    # One sign stays fixed: flipping them all only mirrors the sum.
    codes = np.arange(2 ** (count - 1), dtype=np.int64)[:, None]
    signs = 1.0 - 2.0 * ((codes >> np.arange(count)) & 1)
    sums = np.abs(signs @ sizes)
    return float((sums >= _threshold(sizes)).mean())


def _threshold(sizes: Floats) -> float:
    """The observed sum, less what rounding may take from an equal one."""
    return float(abs(sizes.sum()) - 1e-9 * np.abs(sizes).sum())


def _sampled(rows: Floats, seed: int, permutations: int) -> Floats:
    rng = np.random.default_rng(seed)
    n = rows.shape[1]
    thresholds = np.array([_threshold(row) for row in rows])[:, None]
    beyond = np.zeros(len(rows))
    step = max(1, _BLOCK // n)
    for start in range(0, permutations, step):
        count = min(step, permutations - start)
        bits = np.unpackbits(np.frombuffer(rng.bytes(-(-count * n // 8)), dtype=np.uint8), count=count * n)
        signs = 1.0 - 2.0 * bits.reshape(n, count)
        beyond += (np.abs(rows @ signs) >= thresholds).sum(axis=1)
    return np.asarray((beyond + 1) / (permutations + 1), dtype=np.float64)
