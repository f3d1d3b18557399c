"""Queries that belong together: whole clusters are resampled and flipped, never single queries of one.

Legend: ``m`` rows (pairs of systems, or systems), ``n`` queries, ``g`` clusters.

Two queries of one customer, one document or one frame tend to fall together. What they share is one observation, not
two; tests and intervals that take them for two find differences that are not there. The design effect (Kish 1965) says
by how much: the variance of a mean with clusters divided by its variance if all queries were independent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Clusters:
    """Which cluster each query is in.

    Attributes:
        codes: int64[n], from 0 to g - 1; None where every query stands alone.
        n: queries.
    """

    codes: NDArray[np.int64] | None
    n: int

    @property
    def count(self) -> int:
        """How many clusters; n where every query stands alone."""
        return self.n if self.codes is None else int(self.codes.max(initial=-1)) + 1

    @property
    def sizes(self) -> Floats:
        """float64[g]: queries of each cluster."""
        return np.ones(self.n) if self.codes is None else np.bincount(self.codes).astype(np.float64)

    def sums(self, rows: Floats) -> Floats:
        """float64[m, g]: the sum of every row within each cluster, of float64[m, n]."""
        if self.codes is None:
            return rows
        order = np.argsort(self.codes, kind="stable")
        starts = np.searchsorted(self.codes[order], np.arange(self.count))
        return np.asarray(np.add.reduceat(rows[:, order], starts, axis=1), dtype=np.float64)


def clusters_of(queries: Sequence[str], named: Mapping[str, str] | None) -> Clusters:
    """The clusters of queries in their order; a query without one is a cluster of its own.

    Args:
        queries: ids.
        named: query id -> cluster; None or empty where independence is assumed.
    """
    if not named or not any(named.get(q) for q in queries):
        return Clusters(None, len(queries))
    places: dict[tuple[str, str], int] = {}
    codes = [places.setdefault(("in", named[q]) if named.get(q) else ("alone", q), len(places)) for q in queries]
    if len(places) == len(queries):
        return Clusters(None, len(queries))
    return Clusters(np.array(codes, dtype=np.int64), len(queries))


def mean_variances(rows: Floats, clusters: Clusters) -> Floats:
    """float64[m]: the variance of each row's mean, from the sums of whole clusters; NaN of fewer than two clusters."""
    g, n = clusters.count, clusters.n
    if g < 2:
        return np.full(len(rows), np.nan)
    residuals = clusters.sums(rows) - rows.mean(axis=1)[:, None] * clusters.sizes
    return np.asarray((residuals**2).sum(axis=1) * g / (g - 1) / n**2, dtype=np.float64)


def design_effects(rows: Floats, clusters: Clusters) -> Floats:
    """float64[m]: how many times the variance of each mean is what independent queries would give; 1 without spread."""
    single = mean_variances(rows, Clusters(None, clusters.n))
    with np.errstate(divide="ignore", invalid="ignore"):
        found = mean_variances(rows, clusters) / single
    return np.where(np.isfinite(found), found, 1.0)
