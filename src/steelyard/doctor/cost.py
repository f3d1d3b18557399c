"""What a target's faults cost: its Top-1 against the right vectors', query by query."""

from __future__ import annotations

import numpy as np

from steelyard.doctor.case import Case
from steelyard.doctor.finding import Confidence, Cost, Fault, Finding
from steelyard.doctor.small_suite import Hits, hits, small_suite
from steelyard.stats.intervals import newcombe
from steelyard.types import Role, Vectors

_A_REQUEST = 16


def target_hits(case: Case) -> Hits:
    """Hits of a target on the small suite, asked in requests of several texts as a client would.

    Raises:
        EndpointError: it cannot be asked.
    """
    suite = small_suite()
    return hits(_embedded(case, suite.queries, Role.QUERY), _embedded(case, suite.documents, Role.DOCUMENT))


def cost(found: Hits, right: Hits) -> Cost:
    """The cost of ``found`` against ``right``, both bool[q]."""
    both, lost, won = int((found & right).sum()), int((right & ~found).sum()), int((found & ~right).sum())
    between = newcombe(both, won, lost, len(found) - both - lost - won)
    return Cost(len(found), float(found.mean()), lost, won, between.low, between.high)


def check_cost(price: Cost) -> list[Finding]:
    """A loss whose whole 95 % interval lies below zero is a fault, whatever else was found."""
    if price.high >= 0:
        return []
    what = "it ranks significantly worse than the right vectors do"
    return [Finding(Fault.RANKS_WORSE, Confidence.LIKELY, what, f"Top-1 {price}", "Fix what else was found first")]


def _embedded(case: Case, texts: tuple[str, ...], role: Role) -> Vectors:
    parts = [case.embed(texts[i : i + _A_REQUEST], role) for i in range(0, len(texts), _A_REQUEST)]
    return np.concatenate(parts)
