"""Pairs of systems compared on the same queries, with one correction over all of them.

Legend: ``s`` systems, ``n`` queries, ``m`` pairs of systems, ``g`` units (queries, or clusters of queries).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from steelyard.errors import DataError
from steelyard.stats.clusters import Clusters, clusters_of, mean_variances
from steelyard.stats.correction import holm
from steelyard.stats.difference import PairedDifference
from steelyard.stats.difference_interval import FEWEST_DIFFERING, difference_intervals
from steelyard.stats.paired import PairedTest, paired_tests
from steelyard.stats.power import ALPHA, Spread

Floats = NDArray[np.float64]
ByQuery = Mapping[str, float]
"""query id -> value"""

_BLOCK = 4_000_000
"""Differences held at once."""


@dataclass(frozen=True)
class Rules:
    """What a comparison is held to.

    Attributes:
        margin: a loss that does not matter, in the measure's units; None for tests of a difference only.
        clusters: query id -> cluster; None where independence is assumed.
        alpha: level after Holm's correction.
    """

    margin: float | None = None
    clusters: Mapping[str, str] | None = None
    alpha: float = ALPHA


@dataclass(frozen=True)
class Table:
    """The values of systems by one measure.

    Attributes:
        names: of the systems.
        values: float64[s, n].
        clusters: of the queries.
    """

    names: tuple[str, ...]
    values: Floats
    clusters: Clusters

    @cached_property
    def bounded(self) -> bool:
        """Whether every value lies between 0 and 1."""
        return bool(((self.values >= 0) & (self.values <= 1)).all())

    @cached_property
    def binary(self) -> bool:
        """Whether every value is 0 or 1."""
        return bool(((self.values == 0) | (self.values == 1)).all())


def table_of(values: Mapping[str, ByQuery], clusters: Mapping[str, str] | None = None) -> Table:
    """The values as a table, rows in the order of the systems, columns in that of the first one's queries.

    Raises:
        DataError: no system, not the same queries for every system, or a value that is not finite.
    """
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
    return Table(tuple(values), matrix.reshape(len(values), len(first)), clusters_of(list(first), clusters))


def compare(table: Table, pairs: Sequence[tuple[int, int]], measure: str, rules: Rules) -> tuple[PairedDifference, ...]:
    """For each pair of rows the first less the second; p-values corrected over these pairs.

    Args:
        table: of all systems.
        pairs: places in ``table.names``.
        measure: its name.
        rules: margin and level; the clusters are the table's.
    """
    n, found = table.clusters.n, []
    step = max(1, _BLOCK // max(1, n))
    for start in range(0, len(pairs), step):
        found += _block(table, pairs[start : start + step])
    corrected = holm([test.p for test, _, _ in found])
    return tuple(
        PairedDifference(
            a=table.names[i],
            b=table.names[j],
            measure=measure,
            difference=float(table.values[i].mean() - table.values[j].mean()) if n else 0.0,
            low=ends[0],
            high=ends[1],
            p=test.p,
            p_holm=float(p_holm),
            n=n,
            margin=rules.margin,
            compared=len(pairs),
            alpha=rules.alpha,
            points=table.bounded,
            spread=spread,
        )
        for (i, j), (test, ends, spread), p_holm in zip(pairs, found, corrected, strict=True)
    )


def compare_named(
    values: Mapping[str, ByQuery], pairs: Sequence[tuple[str, str]], measure: str, rules: Rules
) -> tuple[PairedDifference, ...]:
    """As :func:`compare`, for pairs of names.

    Args:
        values: system -> query id -> value; the same queries for all.
        pairs: first and second system of each comparison.
        measure: its name.
        rules: margin, clusters, level.

    Raises:
        DataError: as :func:`table_of`.
    """
    if not pairs:
        return ()
    table = table_of({name: values[name] for pair in pairs for name in pair}, rules.clusters)
    place = {name: i for i, name in enumerate(table.names)}
    return compare(table, [(place[a], place[b]) for a, b in pairs], measure, rules)


def _block(
    table: Table, pairs: Sequence[tuple[int, int]]
) -> list[tuple[PairedTest, tuple[float, float], Spread | None]]:
    first, second = [i for i, _ in pairs], [j for _, j in pairs]
    differences = table.values[first] - table.values[second]
    clusters, bounded = table.clusters, table.bounded
    tests = paired_tests(clusters.sums(differences))
    p = np.array([test.p for test in tests])
    ends = difference_intervals(differences, p, clusters, bounded=bounded)
    spreads = _spreads(differences, clusters, binary=table.binary, bounded=bounded)
    return [(test, (float(low), float(high)), s) for test, (low, high), s in zip(tests, ends, spreads, strict=True)]


def _spreads(differences: Floats, clusters: Clusters, *, binary: bool, bounded: bool) -> list[Spread | None]:
    """How each pair's differences vary; with few that differ, as if one more query had spoken for either side."""
    n, g = clusters.n, clusters.count
    if n == 0:
        return [None] * len(differences)
    single = binary and clusters.codes is None
    differing = (differences != 0).sum(axis=1)
    shares = (differing + 2) / (n + 2)
    squares = ((differences**2).sum(axis=1) + 2) / (n + 2) if bounded else (differences**2).mean(axis=1)
    imagined = np.sqrt(np.maximum(squares - differences.mean(axis=1) ** 2, 0))
    seen = np.sqrt(np.maximum(mean_variances(differences, clusters) * n, 0)) if g > 1 else imagined
    few = differing < FEWEST_DIFFERING
    deviations = np.where(few, imagined, seen)
    kept = np.where(few, shares, differing / n)
    return [
        Spread(float(d), float(k) if single else None, n / g) if math.isfinite(d) else None
        for d, k in zip(deviations, kept, strict=True)
    ]
