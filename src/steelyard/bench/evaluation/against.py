"""Systems compared with one of them, query by query: for sweeps and for claims, where not every pair is of interest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from steelyard.bench.evaluation.result import Result
from steelyard.errors import ResultError
from steelyard.stats.correction import holm
from steelyard.stats.intervals import Interval, interval
from steelyard.stats.verdict import judge

ALPHA = 0.05
ByQuery = Mapping[str, float]
"""query id -> value"""


@dataclass(frozen=True, slots=True)
class PairedDifference:
    """One system less another.

    Attributes:
        name: what is compared.
        base: what it is compared with.
        difference: mean of the system less mean of the base, on the same queries.
        low: lower end of its 95 % interval.
        high: upper end.
        p: two-sided p-value of the paired permutation test.
        p_holm: after Holm's correction over the systems compared with this base.
        n: queries.
    """

    name: str
    base: str
    difference: float
    low: float
    high: float
    p: float
    p_holm: float
    n: int

    @property
    def distinguishable(self) -> bool:
        """Whether the corrected p-value is at most 0.05."""
        return self.p_holm <= ALPHA

    @property
    def better(self) -> bool:
        """Distinguishably above the base."""
        return self.distinguishable and self.difference > 0

    @property
    def worse(self) -> bool:
        """Distinguishably below the base."""
        return self.distinguishable and self.difference < 0


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


def mean(result: Result, name: str, measure: str) -> Interval:
    """The mean of one system with its interval."""
    return interval(list(by_query(result, name, measure).values()), seed=result.seed)


def compare_with(result: Result, base: str, others: Sequence[str], measure: str) -> tuple[PairedDifference, ...]:
    """Every other system less the base, p-values corrected over these comparisons only."""
    values = {name: by_query(result, name, measure) for name in (base, *others)}
    return compare_values(values, base, others, measure, result.seed)


def compare_values(
    values: Mapping[str, ByQuery], base: str, others: Sequence[str], measure: str, seed: int
) -> tuple[PairedDifference, ...]:
    """The same from values.

    Args:
        values: system -> query id -> value; the same queries for all.
        base: one of them.
        others: some of them.
        measure: its name.
        seed: of bootstrap and permutations.
    """
    raw = [_pair(values, name, base, measure, seed) for name in others if name != base]
    corrected = holm([r.p for r in raw])
    return tuple(replace(r, p_holm=float(p)) for r, p in zip(raw, corrected, strict=True))


def compare_pairs(result: Result, pairs: Sequence[tuple[str, str]], measure: str) -> tuple[PairedDifference, ...]:
    """For each pair the first less the second, p-values corrected over all of them."""
    values = {name: by_query(result, name, measure) for pair in pairs for name in pair}
    raw = [_pair(values, a, b, measure, result.seed) for a, b in pairs]
    corrected = holm([r.p for r in raw])
    return tuple(replace(r, p_holm=float(p)) for r, p in zip(raw, corrected, strict=True))


def _pair(values: Mapping[str, ByQuery], name: str, base: str, measure: str, seed: int) -> PairedDifference:
    verdict = judge({name: values[name], base: values[base]}, measure, seed=seed)
    found = verdict.comparisons[0]
    sign = 1 if found.a == name else -1
    low, high = sorted((sign * found.low, sign * found.high))
    return PairedDifference(name, base, sign * found.difference, low, high, found.p, found.p, verdict.n)
