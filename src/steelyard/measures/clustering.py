"""How well clusters of vectors agree with labels: k-means and the V-measure (Rosenberg and Hirschberg 2007).

Shapes: n texts, d dimensions, k clusters, B resamples.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from steelyard.types import Vectors

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

RESTARTS = 10
RESAMPLES = 1_000
_STEPS = 100


def v_measure(labels: Integers, clusters: Integers) -> float:
    """Harmonic mean of homogeneity and completeness; 1.0 where clusters and labels are the same partition."""
    return float(_v_of(_table(labels, clusters)[None])[0])


def v_interval(labels: Integers, clusters: Integers, *, seed: int = 0, confidence: float = 0.95) -> tuple[float, float]:
    """Where the V-measure of these clusters on other texts of the same kind is believed to lie.

    A bootstrap over the texts, turned about the estimate: resampled tables look more alike than the texts are, and the
    turning takes that out.
    """
    draws = _resampled(_table(labels, clusters), seed)
    return _turned(v_measure(labels, clusters), draws, confidence, (0.0, 1.0))


def v_difference(
    labels: Integers, one: Integers, other: Integers, *, seed: int = 0, confidence: float = 0.95
) -> tuple[float, float, float]:
    """The V-measure of one clustering less another's of the same texts, and the interval of that difference."""
    a, b = int(one.max()) + 1, int(other.max()) + 1
    joint = np.zeros((int(labels.max()) + 1, a, b))
    np.add.at(joint, (labels, one, other), 1)
    rng = np.random.default_rng(seed)
    counts = rng.multinomial(len(labels), joint.ravel() / len(labels), size=RESAMPLES).reshape(-1, *joint.shape)
    draws = _v_of(counts.sum(axis=3)) - _v_of(counts.sum(axis=2))
    found = v_measure(labels, one) - v_measure(labels, other)
    return (found, *_turned(found, draws, confidence, (-1.0, 1.0)))


def k_means(vectors: Vectors, k: int, seed: int = 0, restarts: int = RESTARTS) -> list[Integers]:
    """int64[n] a restart, the clustering of least inertia first (k-means++ starts, Lloyd's steps).

    Args:
        vectors: float32[n, d].
        k: clusters, at most n.
        seed: of the starts.
        restarts: how many.
    """
    rng = np.random.default_rng(seed)
    rows = vectors.astype(np.float64)
    found = [_lloyd(rows, _starts(rows, k, rng)) for _ in range(restarts)]
    return [clusters for _, clusters in sorted(found, key=lambda pair: pair[0])]


def as_codes(labels: Sequence[str]) -> Integers:
    """int64[n]: labels as numbers from 0, in sorted order."""
    return np.unique(np.asarray(labels), return_inverse=True)[1].astype(np.int64).ravel()


def _starts(rows: Floats, k: int, rng: np.random.Generator) -> Floats:
    centres = [rows[rng.integers(len(rows))]]
    nearest = _distances(rows, centres[0][None])[:, 0]
    while len(centres) < k:
        total = nearest.sum()
        pick = rng.choice(len(rows), p=nearest / total) if total > 0 else rng.integers(len(rows))
        centres.append(rows[pick])
        nearest = np.minimum(nearest, _distances(rows, rows[pick][None])[:, 0])
    return np.array(centres)


def _lloyd(rows: Floats, centres: Floats) -> tuple[float, Integers]:
    clusters = np.full(len(rows), -1, dtype=np.int64)
    distances = _distances(rows, centres)
    for _ in range(_STEPS):
        nearest = distances.argmin(axis=1)
        if (nearest == clusters).all():
            break
        clusters = nearest.astype(np.int64)
        centres = np.array(
            [rows[clusters == c].mean(axis=0) if (clusters == c).any() else centres[c] for c in range(len(centres))]
        )
        distances = _distances(rows, centres)
    return float(distances.min(axis=1).sum()), clusters


def _distances(rows: Floats, centres: Floats) -> Floats:
    """float64[n, k]: squared distances, none below 0."""
    products = rows @ centres.T
    lengths = (rows**2).sum(axis=1)[:, None] + (centres**2).sum(axis=1)[None, :]
    found: Floats = np.maximum(lengths - 2 * products, 0.0)
    return found


def _table(labels: Integers, clusters: Integers) -> Floats:
    table = np.zeros((int(labels.max()) + 1, int(clusters.max()) + 1))
    np.add.at(table, (labels, clusters), 1)
    return table


def _resampled(table: Floats, seed: int) -> Floats:
    n = int(table.sum())
    counts = np.random.default_rng(seed).multinomial(n, table.ravel() / n, size=RESAMPLES)
    return _v_of(counts.reshape(-1, *table.shape))


def _v_of(tables: NDArray[np.float64] | NDArray[np.int64]) -> Floats:
    """float64[B] from contingency tables [B, labels, clusters]."""
    shares = tables / tables.sum(axis=(1, 2), keepdims=True)
    of_labels, of_clusters = _entropy(shares.sum(axis=2)), _entropy(shares.sum(axis=1))
    joint = _entropy(shares.reshape(len(shares), -1))
    shared = of_labels + of_clusters - joint
    with np.errstate(divide="ignore", invalid="ignore"):
        homogeneity = np.where(of_labels > 0, shared / of_labels, 1.0)
        completeness = np.where(of_clusters > 0, shared / of_clusters, 1.0)
        v = 2 * homogeneity * completeness / (homogeneity + completeness)
    found: Floats = np.clip(np.nan_to_num(v), 0.0, 1.0)
    return found


def _entropy(shares: Floats) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where(shares > 0, shares * np.log(shares), 0.0)
    found: Floats = -terms.sum(axis=1)
    return found


def _turned(found: float, draws: Floats, confidence: float, bounds: tuple[float, float]) -> tuple[float, float]:
    tails = ((1 - confidence) / 2, (1 + confidence) / 2)
    low, high = (2 * found - float(q) for q in np.quantile(draws, tails[::-1]))
    return max(bounds[0], min(found, low)), min(bounds[1], max(found, high))
