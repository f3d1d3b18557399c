"""Systems of a result compared with one of them, query by query: for sweeps and claims, where not every pair counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from steelyard.bench.evaluation.result import Result
from steelyard.errors import ResultError
from steelyard.measures.names import default_margin
from steelyard.stats.clusters import clusters_of
from steelyard.stats.comparing import ByQuery, Rules, compare_named
from steelyard.stats.difference import PairedDifference
from steelyard.stats.intervals import Interval, interval


def by_query(result: Result, name: str, measure: str) -> ByQuery:
    """The values of one system, queries that no system can answer left out.

    Raises:
        ResultError: the result has no such system, or that has no such measure.
    """
    system = next((s for s in result.weighed if s.name == name), None)
    if system is None:
        raise ResultError(f"{name} was not weighed; there is {', '.join(s.name for s in result.weighed)}")
    if measure not in system.values:
        raise ResultError(f"{name} was not measured by {measure}; it has {', '.join(system.values)}")
    return {q.id: v for q, v in zip(result.queries, system.values[measure], strict=True) if v is not None}


def rules_of(result: Result, measure: str, margin: float | None = None) -> Rules:
    """The rules that a result is judged by.

    Args:
        result: names the clusters of its queries, where it has any.
        measure: has a default margin.
        margin: in the measure's units, before the default.
    """
    clusters = {q.id: q.cluster for q in result.queries if q.cluster}
    return Rules(default_margin(measure) if margin is None else margin, clusters or None)


def figure(result: Result, values: ByQuery, *, bounded: bool | None = None) -> Interval:
    """The mean of some queries' values with its interval, clusters kept together."""
    clusters = {q.id: q.cluster for q in result.queries if q.cluster}
    return interval(list(values.values()), bounded=bounded, clusters=clusters_of(list(values), clusters))


def mean(result: Result, name: str, measure: str) -> Interval:
    """The mean of one system with its interval."""
    return figure(result, by_query(result, name, measure))


def compare_with(
    result: Result, base: str, others: Sequence[str], measure: str, margin: float | None = None
) -> tuple[PairedDifference, ...]:
    """Every other system less the base, p-values corrected over these comparisons only."""
    return compare_pairs(result, [(name, base) for name in others if name != base], measure, margin)


def compare_pairs(
    result: Result, pairs: Sequence[tuple[str, str]], measure: str, margin: float | None = None
) -> tuple[PairedDifference, ...]:
    """For each pair the first less the second, p-values corrected over all of them."""
    values: Mapping[str, ByQuery] = {name: by_query(result, name, measure) for pair in pairs for name in pair}
    return compare_named(values, pairs, measure, rules_of(result, measure, margin))
