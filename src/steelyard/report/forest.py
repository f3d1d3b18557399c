"""Intervals drawn inside tables: a dot and a line on one scale for all rows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from steelyard.stats.difference import PairedDifference
from steelyard.stats.intervals import Interval


@dataclass(frozen=True, slots=True)
class Whisker:
    """One row's drawing, in percent of the column's width.

    Attributes:
        low: where the line begins.
        at: where the dot stands.
        high: where the line ends.
    """

    low: float
    at: float
    high: float


@dataclass(frozen=True, slots=True)
class Scale:
    """One scale for all rows.

    Attributes:
        low: value at the left edge.
        high: value at the right edge.
        ticks: value and place in percent of what is marked.
    """

    low: float
    high: float
    ticks: tuple[tuple[float, float], ...]

    def place(self, value: float) -> float:
        """Percent of the width; values outside stand at the edge."""
        share = (value - self.low) / (self.high - self.low)
        return round(100 * min(1.0, max(0.0, share)), 2)

    def whisker(self, low: float, value: float, high: float) -> Whisker | None:
        """The drawing of one figure; None where it has no value."""
        if not math.isfinite(value):
            return None
        ends = (low if math.isfinite(low) else self.low, high if math.isfinite(high) else self.high)
        return Whisker(self.place(ends[0]), self.place(value), self.place(ends[1]))


def figures_scale(figures: Sequence[Interval]) -> Scale:
    """A scale that holds all figures, with round ends."""
    return _scale([v for f in figures for v in (f.low, f.estimate, f.high) if math.isfinite(v)])


def pairs_scale(pairs: Sequence[PairedDifference]) -> Scale:
    """A scale that holds all differences and zero."""
    return _scale([0.0, *(v for c in pairs for v in (c.low, c.difference, c.high) if math.isfinite(v))])


def _scale(values: Sequence[float]) -> Scale:
    least, most = min(values, default=0.0), max(values, default=1.0)
    step = _step(max(most - least, 1e-6))
    low, high = math.floor(least / step + 1e-9) * step, math.ceil(most / step - 1e-9) * step
    if low == high:
        high = low + step
    count = round((high - low) / step)
    ticks = [low + i * step for i in range(count + 1)]
    return Scale(low, high, tuple((round(t, 10), round(100 * (t - low) / (high - low), 2)) for t in ticks))


def _step(width: float) -> float:
    """1, 2 or 5 times a power of ten: three to six steps in the width."""
    power = 10.0 ** math.floor(math.log10(width / 3))
    return next((m * power for m in (1, 2, 5) if width / (m * power) <= 5), 10 * power)
