"""What n queries could have shown, and how many queries a difference needs.

Two systems that get each query right or wrong are judged by the exact two-sided McNemar test (the paired sign-flip test
of binary outcomes); graded measures and clusters by Student's t, which that test follows. ``alpha`` is the level of one
comparison: ``alpha / comparisons`` is the first step of Holm's correction, so a difference that is detectable there is
detectable whatever the other pairs show.

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
class Spread:
    """How the per-query differences of two systems vary.

    Attributes:
        deviation: standard deviation of one query's difference, design effect included: that of the mean of n queries
            is ``deviation / sqrt(n)``.
        discordance: share of queries on which right-or-wrong systems disagree; None for graded measures and clusters.
        queries_a_unit: queries of an average cluster; 1 where queries are independent.
    """

    deviation: float
    discordance: float | None = None
    queries_a_unit: float = 1.0


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
    needed = superior_queries(least, Spread(math.sqrt(share), share), alpha=alpha, power=power)
    return QueriesNeeded(a, b, share, needed)


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


def mean_power(n: float, difference: float, spread: Spread, alpha: float = ALPHA) -> float:
    """The probability that a two-sided test of means is significant (non-central t, one tail).

    Args:
        n: queries.
        difference: true one, in the measure's units.
        spread: of the per-query differences.
        alpha: level of the test.
    """
    from scipy.special import nctdtr, stdtrit

    freedom = n / spread.queries_a_unit - 1
    if freedom < 1 or spread.deviation <= 0:
        return 0.0
    effect = difference * math.sqrt(n) / spread.deviation
    if freedom > 10_000 or effect > 30:
        return _normal_power(effect, alpha)
    return float(1 - nctdtr(freedom, effect, stdtrit(freedom, 1 - alpha / 2)))


def _normal_power(effect: float, alpha: float) -> float:
    from scipy.special import ndtr, ndtri

    return float(ndtr(effect - ndtri(1 - alpha / 2)))


def smallest_mean_difference(n: int, spread: Spread, *, alpha: float = ALPHA, power: float = POWER) -> float | None:
    """The smallest difference of means that n queries show, for graded measures and clusters.

    Args:
        n: queries.
        spread: of the per-query differences.
        alpha: level of the test, two-sided.
        power: probability of seeing it.

    Returns:
        In the units of the measure; None for fewer than two units or differences without spread.
    """
    from scipy.special import ndtri

    if n / spread.queries_a_unit < 2 or spread.deviation <= 0:
        return None
    high = float(ndtri(1 - alpha / 2) + ndtri(power)) * spread.deviation / math.sqrt(n)
    while mean_power(n, high, spread, alpha) < power:
        high *= 2
    return _crossing(lambda d: mean_power(n, d, spread, alpha), high, power)


def detectable(n: int, spread: Spread, *, alpha: float = ALPHA, power: float = POWER) -> float | None:
    """The minimum detectable difference of n queries; None where no difference would show.

    Args:
        n: queries.
        spread: of the per-query differences.
        alpha: level of one comparison: of the first step of Holm's correction where there are several.
        power: probability of seeing it.
    """
    if spread.discordance is not None:
        return smallest_difference(n, spread.discordance, alpha=alpha, power=power).difference
    return smallest_mean_difference(n, spread, alpha=alpha, power=power)


def decisive_queries(
    difference: float, spread: Spread, margin: float | None, *, alpha: float = ALPHA, power: float = POWER
) -> int | None:
    """How many queries decide about two systems: the fewer of those that show the difference and those that exclude a
    loss of the margin.

    Args:
        difference: the true one, at least 0.
        spread: of the per-query differences.
        margin: of non-inferiority; None where only a difference decides.
        alpha: level of one comparison of the test of a difference; the interval's is 0.05.
        power: probability of the answer.

    Returns:
        None when it would be more than :data:`MOST_QUERIES`.
    """
    counts = [superior_queries(difference, spread, alpha=alpha, power=power)]
    if margin is not None and difference < margin:
        counts.append(_by_mean(margin - difference, spread, ALPHA, power))
    return min((count for count in counts if count is not None), default=None)


def superior_queries(difference: float, spread: Spread, *, alpha: float = ALPHA, power: float = POWER) -> int | None:
    """How many queries show a true difference; None when it would be more than :data:`MOST_QUERIES`."""
    if difference <= 0 or spread.deviation <= 0:
        return None
    rough = _by_mean(difference, spread, alpha, power)
    if spread.discordance is None or rough is None:
        return rough
    share = max(difference, spread.discordance)
    up, down = (share + difference) / 2, (share - difference) / 2
    return _first_enough(lambda n: mcnemar_power(n, up, down, alpha) >= power)


def _by_mean(difference: float, spread: Spread, alpha: float, power: float) -> int | None:
    from scipy.special import ndtri

    root = float(ndtri(1 - alpha / 2) + ndtri(power)) * spread.deviation / difference
    if root > math.sqrt(MOST_QUERIES):
        return None
    rough = root * root
    high = max(2, math.ceil(rough))
    while mean_power(high, difference, spread, alpha) < power:
        high = math.ceil(high * 1.1) + 1
    low = max(1, math.floor(rough / 1.2))
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if mean_power(middle, difference, spread, alpha) >= power else (middle, high)
    return high
