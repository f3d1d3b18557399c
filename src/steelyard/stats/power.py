"""What n queries could have shown, and how many queries a difference needs.

All of it is for two systems that get each query right or wrong, judged by the exact two-sided McNemar test (which is
the paired permutation test of binary outcomes) on independent queries, without correction for further comparisons;
pass ``alpha / comparisons`` for one comparison among many.

Legend: ``only_a`` and ``only_b`` are the probabilities that a query is answered by one system alone; their sum is the
discordance, their difference the difference of the systems.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from steelyard.errors import DataError, UsageError

ALPHA = 0.05
POWER = 0.80
MOST_QUERIES = 50_000_000


@dataclass(frozen=True, slots=True)
class Detectable:
    """The smallest true difference that n queries would show with the power asked for.

    Attributes:
        n: queries.
        difference: between 0 and 1; None when not even a complete difference would show (fewer than 6 queries at 5 %).
        discordance: share of queries on which the systems are taken to disagree.
        observed: the smallest observed difference that could come out significant at all; None like ``difference``.
    """

    n: int
    difference: float | None
    discordance: float
    observed: float | None

    def __str__(self) -> str:
        if self.difference is None or self.observed is None:
            return f"{self.n} queries cannot show any difference between two systems"
        return (
            f"{self.n} queries show a true difference of {100 * self.difference:.1f} points four times in five; "
            f"an observed one under {100 * self.observed:.1f} points is never significant"
        )


@dataclass(frozen=True, slots=True)
class QueriesNeeded:
    """How many queries would show the difference of two success rates with the power asked for.

    Attributes:
        a: success rate of one system.
        b: success rate of the other.
        discordance: share of queries on which they are taken to disagree.
        n: queries; None when it would be more than :data:`MOST_QUERIES`.
    """

    a: float
    b: float
    discordance: float
    n: int | None

    def __str__(self) -> str:
        count = f"{self.n:,}" if self.n is not None else f"more than {MOST_QUERIES:,}"
        return (
            f"{count} queries are needed to tell {100 * self.a:.1f} from {100 * self.b:.1f} "
            f"(disagreeing on {100 * self.discordance:.1f} % of the queries)"
        )


def mcnemar_power(n: int, only_a: float, only_b: float, alpha: float = ALPHA) -> float:
    """The probability that the exact McNemar test is significant; the number of discordant queries is left to chance.

    Args:
        n: queries.
        only_a: probability that a query is answered by the first system alone.
        only_b: the same for the second.
        alpha: level of the test, two-sided.
    """
    from scipy.special import bdtr, bdtrc, gammaln, xlog1py, xlogy

    discordance = only_a + only_b
    if n <= 0 or discordance <= 0:
        return 0.0
    discordance = min(1.0, discordance)
    spread = 9 * math.sqrt(n * discordance * (1 - discordance)) + 40
    m = np.arange(max(0, int(n * discordance - spread)), min(n, int(n * discordance + spread)) + 1)
    chance = np.exp(
        gammaln(n + 1) - gammaln(m + 1) - gammaln(n - m + 1) + xlogy(m, discordance) + xlog1py(n - m, -discordance)
    )
    critical = critical_losses(m, alpha)
    share = only_a / discordance
    least = np.maximum(critical, 0)
    tails = bdtr(least, m, share) + bdtrc(m - least - 1, m, share)
    return float(min(1.0, (chance * np.where(critical >= 0, tails, 0.0)).sum()))


def critical_losses(m: NDArray[np.int64], alpha: float = ALPHA) -> NDArray[np.int64]:
    """The most losses among m discordant queries with which the two-sided test is significant; -1 where none is."""
    from scipy.special import bdtr, ndtri

    trials = np.maximum(m, 1)
    losses = np.floor(trials / 2 + ndtri(alpha / 2) * np.sqrt(trials) / 2).astype(np.int64)
    losses = np.clip(losses, -1, trials)

    def significant(count: NDArray[np.int64]) -> NDArray[np.bool_]:
        return np.asarray((count >= 0) & (bdtr(np.clip(count, 0, trials), trials, 0.5) <= alpha / 2))

    # The normal guess is off by one or two; walk to the exact place.
    while (more := significant(losses + 1)).any():
        losses = losses + more
    while (fewer := (losses >= 0) & ~significant(losses)).any():
        losses = losses - fewer
    return np.where(m > 0, losses, -1)


def smallest_difference(
    n: int, discordance: float | None = None, *, alpha: float = ALPHA, power: float = POWER
) -> Detectable:
    """The smallest difference that n paired binary queries show with the power asked for.

    Args:
        n: queries.
        discordance: share of queries on which the two systems disagree, as observed. None, or a share so small that
            nothing would show at it, stands for the easiest case: every disagreement favours the better system.
        alpha: level of the test.
        power: probability of seeing it.
    """
    if n < 0:
        raise UsageError(f"the number of queries must not be negative, got {n}")
    if discordance is not None and not 0 <= discordance <= 1:
        raise UsageError(f"the discordance is a share between 0 and 1, got {discordance}")
    certain = 1 + math.ceil(-math.log2(alpha))
    while 2 * 0.5 ** (certain - 1) <= alpha:
        certain -= 1
    observed = certain / n if n >= certain else None
    if observed is None:
        return Detectable(n, None, discordance or 0.0, None)
    if discordance is not None and mcnemar_power(n, discordance, 0.0, alpha) >= power:
        share = discordance

        def fixed(d: float) -> float:
            return mcnemar_power(n, (share + d) / 2, (share - d) / 2, alpha)

        return Detectable(n, _crossing(fixed, share, power), discordance, observed)
    easiest = _crossing(lambda d: mcnemar_power(n, d, 0.0, alpha), 1.0, power)
    return Detectable(n, easiest, easiest, observed)


def _crossing(power_of: Callable[[float], float], high: float, power: float) -> float:
    """The smallest argument up to ``high`` at which a rising power reaches the one asked for."""
    low = 0.0
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (low, middle) if power_of(middle) >= power else (middle, high)
    return high


def queries_needed(
    a: float, b: float, discordance: float | None = None, *, alpha: float = ALPHA, power: float = POWER
) -> QueriesNeeded:
    """How many queries tell two success rates apart.

    Args:
        a: success rate of one system, between 0 and 1.
        b: success rate of the other.
        discordance: share of queries on which they disagree; None takes them to fail independently of each other,
            which asks for more queries than systems that fail on the same ones need.
        alpha: level of the test.
        power: probability of seeing the difference.

    Raises:
        UsageError: when a rate is not between 0 and 1 or both are the same.
        DataError: when the two rates cannot have that discordance.
    """
    if not (0 <= a <= 1 and 0 <= b <= 1) or a == b:
        raise UsageError(f"two different success rates between 0 and 1 are needed, got {a} and {b}")
    least, most = abs(a - b), min(a + b, 2 - a - b)
    share = a * (1 - b) + b * (1 - a) if discordance is None else discordance
    if not least - 1e-12 <= share <= most + 1e-12:
        raise DataError(f"rates of {a} and {b} disagree on a share of {least:.4g} to {most:.4g}, not {share:.4g}")
    only_a, only_b = (share + least) / 2, max(0.0, (share - least) / 2)
    rough = (smallest_mean_difference(2, math.sqrt(share), alpha=alpha, power=power) or 0.0) ** 2 * 2 / least**2
    if rough > MOST_QUERIES:
        return QueriesNeeded(a, b, share, None)
    return QueriesNeeded(a, b, share, _first_enough(lambda n: mcnemar_power(n, only_a, only_b, alpha) >= power))


def _first_enough(enough: Callable[[int], bool]) -> int | None:
    """The smallest n from which on there is enough.

    Power saws in n, so the neighbourhood of the crossing is gone through where the teeth are not yet worn off.
    """
    high = 8
    while not enough(high):
        high *= 2
        if high > MOST_QUERIES:
            return None
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    if high > 2_000:
        return high
    window = range(max(1, high - 40), high + 40)
    return max((n for n in window if not enough(n)), default=window.start - 1) + 1


def smallest_mean_difference(n: int, spread: float, *, alpha: float = ALPHA, power: float = POWER) -> float | None:
    """The smallest difference of means that n queries show, for graded measures (normal approximation).

    Args:
        n: queries.
        spread: standard deviation of the per-query differences.
        alpha: level of the test, two-sided.
        power: probability of seeing it.

    Returns:
        In the units of the measure; None for fewer than two queries or differences without spread.
    """
    from scipy.special import ndtri

    if n < 2 or spread <= 0:
        return None
    return float((ndtri(1 - alpha / 2) + ndtri(power)) * spread / math.sqrt(n))
