"""Whether the verdict keeps what it promises, by simulation: worlds in which the truth is known.

    python benchmarks/calibration.py [--worlds 2000] [--seed 1]

Outcomes are right or wrong (Top-1 of 28 %), or graded with the values of nDCG@10 that e5-small has on zh-traps. Systems
share part of what makes a query hard (correlation 0.65; on zh-traps pairs of systems have 0.3 to 0.7). With clusters
each system has an effect of its own on every cluster (standard deviation 0.3 of the latent score). Every line is made
by the functions that judge results. Printed in percent:

* better: share of worlds of four equal systems in which any of the six pairs is called better (asked: at most 5);
* no worse: share of worlds in which a system that loses exactly the margin is called no worse, for margins of 2 and of
  10 points (at most 2.5);
* difference, mean: coverage of the 95 % intervals (93.5 to 96.5; above where outcomes are few and coarse);
* power: share of worlds in which the best and the worst of four systems, apart by the minimum detectable difference
  under Holm's correction over six pairs, are told apart (80 by the formula).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import ndtr, ndtri

from steelyard.stats.clusters import Clusters, mean_variances
from steelyard.stats.correction import holm
from steelyard.stats.difference_interval import difference_intervals
from steelyard.stats.intervals import interval
from steelyard.stats.paired import paired_tests
from steelyard.stats.power import Spread, detectable

Floats = NDArray[np.float64]
Value = Callable[[Floats], Floats]

SHARED = 0.65
EFFECT = 0.3
RATE = 0.28
NDCG = np.array([0, 0, 0, 0.33, 0.43, 0.5, 0.5, 0.5, 0.63, 0.63, 0.63, 0.63, 1, 1, 1, 1])
"""Sixteen quantiles of e5-small's nDCG@10 on zh-traps 1.0.0, measured."""
SYSTEMS = 4
PAIRS = tuple(combinations(range(SYSTEMS), 2))
MARGINS = (0.02, 0.10)
SIZES = {8: 2, 30: 3, 100: 5, 416: 26}
"""queries -> queries of a cluster"""


def right_or_wrong(latent: Floats) -> Floats:
    return np.asarray(latent > ndtri(1 - RATE), dtype=np.float64)


def graded(latent: Floats) -> Floats:
    return np.asarray(NDCG[np.minimum((ndtr(latent) * len(NDCG)).astype(int), len(NDCG) - 1)])


@dataclass(frozen=True)
class Case:
    """One line of the table.

    Attributes:
        name: of the outcomes.
        value: what a latent score gives.
        n: queries.
        clustered: whether systems have effects on clusters.
        kept: whether the analysis keeps the clusters.
    """

    name: str
    value: Value
    n: int
    clustered: bool
    kept: bool

    @property
    def codes(self) -> NDArray[np.int64]:
        return np.arange(self.n) // SIZES[self.n]

    @property
    def clusters(self) -> Clusters:
        return Clusters(self.codes if self.clustered and self.kept else None, self.n)

    def mean(self, shift: float) -> float:
        """The true mean of a system whose latent score is shifted."""
        grid = ndtri((np.arange(40_000) + 0.5) / 40_000)
        return float(self.value(grid + shift).mean())

    def shift_for(self, difference: float) -> float:
        """The shift that changes the true mean by so much."""
        base = self.mean(0.0)
        return float(brentq(lambda s: self.mean(s) - base - difference, -6, 6, xtol=1e-4))

    def draw(self, rng: np.random.Generator, worlds: int, shifts: Sequence[float]) -> Floats:
        """float64[worlds, systems, n]."""
        s, n = len(shifts), self.n
        latent = np.sqrt(SHARED) * rng.normal(size=(worlds, 1, n))
        latent = latent + np.sqrt(1 - SHARED) * rng.normal(size=(worlds, s, n))
        if self.clustered:
            effects = EFFECT * rng.normal(size=(worlds, s, self.codes[-1] + 1))
            latent = (latent + effects[:, :, self.codes]) / np.sqrt(1 + EFFECT**2)
        return self.value(latent + np.asarray(shifts)[None, :, None])


def tests(case: Case, differences: Floats) -> Floats:
    """float64[m]: p-values."""
    return np.array([t.p for t in paired_tests(case.clusters.sums(differences))])


def better(case: Case, worlds: Floats) -> Floats:
    """bool[worlds, pairs]: which pairs are called different after Holm's correction."""
    differences = np.concatenate([worlds[:, i] - worlds[:, j] for i, j in PAIRS])
    p = tests(case, differences).reshape(len(PAIRS), -1).T
    return np.array([holm(row) <= 0.05 for row in p])


def ends_of(case: Case, differences: Floats) -> Floats:
    return difference_intervals(differences, tests(case, differences), case.clusters)


def false_no_worse(case: Case, rng: np.random.Generator, worlds: int, margin: float) -> float:
    drawn = case.draw(rng, worlds, (case.shift_for(-margin), 0.0))
    return float((ends_of(case, drawn[:, 0] - drawn[:, 1])[:, 0] > -margin).mean())


def coverage(case: Case, rng: np.random.Generator, worlds: int) -> tuple[float, float]:
    """Of a difference of five points, and of a mean."""
    drawn = case.draw(rng, worlds, (case.shift_for(0.05), 0.0))
    low, high = ends_of(case, drawn[:, 0] - drawn[:, 1]).T
    means = [interval(row, clusters=case.clusters, bounded=True) for row in drawn[:, 1]]
    true = case.mean(0.0)
    held = np.mean([m.low <= true <= m.high for m in means])
    return float(((low <= 0.05 + 1e-9) & (high >= 0.05 - 1e-9)).mean()), float(held)


def spread_of(case: Case, rng: np.random.Generator, difference: float) -> Spread:
    """The true spread of a pair so far apart, from many worlds."""
    drawn = case.draw(rng, 4_000, (case.shift_for(difference), 0.0))
    gaps = drawn[:, 0] - drawn[:, 1]
    deviation = float(np.sqrt(np.mean(mean_variances(gaps, case.clusters)) * case.n))
    single = case.clusters.codes is None and case.name == "right or wrong"
    return Spread(deviation, float((gaps != 0).mean()) if single else None, case.n / case.clusters.count)


def power(case: Case, rng: np.random.Generator, worlds: int) -> tuple[float | None, float | None]:
    """The minimum detectable difference and how often it is found; None where there is none within reach."""
    difference: float | None = 0.05
    for _ in range(4):  # the spread of a pair depends on its difference
        difference = detectable(case.n, spread_of(case, rng, difference or 0.0), alpha=0.05 / len(PAIRS))
        if difference is None or difference > min(0.6, 0.95 - case.mean(0.0)):
            return None, None
    half, full = case.shift_for((difference or 0.0) / 2), case.shift_for(difference or 0.0)
    found = better(case, case.draw(rng, worlds, (full, half, half, 0.0)))
    return difference, float(found[:, PAIRS.index((0, 3))].mean())


def lines(case: Case, worlds: int, seed: int) -> Iterator[str]:
    rng = np.random.default_rng(seed)
    yield case.name
    yield str(case.n)
    yield f"{case.codes[-1] + 1}{'' if case.kept else ', ignored'}" if case.clustered else "none"
    yield f"{100 * better(case, case.draw(rng, worlds, (0.0,) * SYSTEMS)).any(axis=1).mean():.1f}"
    yield " / ".join(f"{100 * false_no_worse(case, rng, worlds, margin):.1f}" for margin in MARGINS)
    pair, mean = coverage(case, rng, worlds)
    yield f"{100 * pair:.1f}"
    yield f"{100 * mean:.1f}"
    reach, share = power(case, rng, worlds)
    yield "-" if reach is None or share is None else f"{100 * share:.1f} at {100 * reach:.1f}"


def cases() -> Iterator[Case]:
    for name, value in (("right or wrong", right_or_wrong), ("graded", graded)):
        for n in SIZES:
            alone = Case(name, value, n, clustered=False, kept=False)
            yield alone
            yield replace(alone, clustered=True, kept=True)
            yield replace(alone, clustered=True)


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--worlds", type=int, default=2_000)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args(arguments)
    print("| outcomes | queries | clusters | better | no worse (2 / 10) | difference | mean | power |")
    print("|---|---|---|---|---|---|---|---|")
    for case in cases():
        print("| " + " | ".join(lines(case, asked.worlds, asked.seed)) + " |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
