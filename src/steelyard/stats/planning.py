"""How many queries to label: before there is a result, or from a pilot."""

from __future__ import annotations

from dataclasses import dataclass
from math import comb

import numpy as np

from steelyard.stats.difference import PairedDifference
from steelyard.stats.power import ALPHA, POWER, Spread, decisive_queries, detectable, superior_queries

USUAL_DISCORDANCE = 0.2
"""Share of queries on which two systems disagree where there is no pilot: zh-traps shows 0.13 to 0.29."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a number of queries is for.

    Attributes:
        margin: of non-inferiority, and the difference that is to be found.
        pairs: that Holm's correction is made over.
        spread: that was taken for a pair.
        better: queries that show a true difference of the margin; None where too many.
        no_worse: queries that show two equal systems to be no worse; None where too many.
        reach: queries -> the minimum detectable difference under the correction.
    """

    margin: float
    pairs: int
    spread: Spread
    better: int | None
    no_worse: int | None
    reach: tuple[tuple[int, float | None], ...]


def plan(
    margin: float, systems: int, spread: Spread | None = None, *, alpha: float = ALPHA, power: float = POWER
) -> Plan:
    """How many queries a comparison of several systems needs.

    Args:
        margin: in the measure's units.
        systems: all pairs of them are compared.
        spread: of a pair's per-query differences, from a pilot; right-or-wrong outcomes that disagree on
            :data:`USUAL_DISCORDANCE` of the queries when None.
        alpha: level after correction.
        power: probability of an answer.
    """
    held = spread or Spread(USUAL_DISCORDANCE**0.5, USUAL_DISCORDANCE)
    pairs = max(1, comb(systems, 2))
    sizes = (50, 100, 200, 500, 1_000, 2_000, 5_000)
    return Plan(
        margin,
        pairs,
        held,
        superior_queries(margin, held, alpha=alpha / pairs, power=power),
        decisive_queries(0.0, held, margin, alpha=alpha / pairs, power=power),
        tuple((n, detectable(n, held, alpha=alpha / pairs, power=power)) for n in sizes),
    )


def pilot_spread(comparisons: tuple[PairedDifference, ...]) -> Spread | None:
    """The spread of a pilot's pairs: their mean variance and mean disagreement; None without pairs."""
    spreads = [c.spread for c in comparisons if c.spread]
    if not spreads:
        return None
    shares = [s.discordance for s in spreads if s.discordance is not None]
    return Spread(
        deviation=float(np.sqrt(np.mean([s.deviation**2 for s in spreads]))),
        discordance=float(np.mean(shares)) if shares else None,
        queries_a_unit=spreads[0].queries_a_unit,
    )
