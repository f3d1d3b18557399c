"""A measured figure with its spread, and whether a difference of two is more than noise.

A figure is taken in several rounds, each a process of its own, the systems in turns. Its value is the median of the
rounds, its spread their least and greatest. Two figures differ when their spreads do not touch: with four rounds each,
two systems that cost the same would come out so by luck in 2 of 70 orders (3 %), with three in 2 of 20 (10 %), which is
too often; so fewer than four rounds never tell two systems apart.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from math import comb

from pydantic import BaseModel, ConfigDict

ROUNDS = 4
"""The fewest rounds that can tell two figures apart."""


class Figure(BaseModel):
    """One figure.

    Attributes:
        value: the median of the rounds.
        low: the least of them.
        high: the greatest.
        rounds: how many there were.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    value: float
    low: float
    high: float
    rounds: int

    def __str__(self) -> str:
        return f"{self.value:.4g} ({self.low:.4g} to {self.high:.4g})"

    @property
    def spread(self) -> float:
        """Distance of the least from the greatest, as a share of the value; 0 for a value of 0."""
        return (self.high - self.low) / abs(self.value) if self.value else 0.0

    def times(self, factor: float) -> Figure:
        """The same figure in another unit; ``factor`` is above 0."""
        return Figure(value=self.value * factor, low=self.low * factor, high=self.high * factor, rounds=self.rounds)


def figure(values: Iterable[float]) -> Figure:
    """A figure from its rounds, of which there is at least one."""
    taken = sorted(map(float, values))
    return Figure(value=statistics.median(taken), low=taken[0], high=taken[-1], rounds=len(taken))


def optional_figure(values: Iterable[float | None]) -> Figure | None:
    """A figure from the rounds that have a value; None where none has."""
    taken = [v for v in values if v is not None]
    return figure(taken) if taken else None


def differ(a: Figure, b: Figure) -> bool:
    """Whether the spreads leave a difference standing: both have the rounds for it and they do not touch."""
    if min(a.rounds, b.rounds) < ROUNDS:
        return False
    return a.high < b.low or b.high < a.low


def luck(a_rounds: int, b_rounds: int) -> float:
    """How often two systems that cost the same would have spreads that do not touch, in either order."""
    return min(1.0, 2 / comb(a_rounds + b_rounds, a_rounds))
