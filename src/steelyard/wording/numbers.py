"""Every number as a reader sees it: one format for terminal, page, Markdown and sentences."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

from steelyard.wording.words import Said, say

MISSING = "–"
_WIDE = 1.0


class Ends(Protocol):
    """Anything with the two ends of a range."""

    @property
    def low(self) -> float:
        """The lower end."""

    @property
    def high(self) -> float:
        """The upper end."""


@dataclass(frozen=True, slots=True)
class NumberFormat:
    """How numbers of one kind are written.

    Attributes:
        factor: what they are multiplied with first.
        decimals: behind the point; three digits and no exponent where None.
        signed: a plus before what is above zero; ranges in brackets, as a dash would look like a minus.
        relative: a short spread is a share of the value, in percent; else half the width, in the same unit.
        given: a number without a spread keeps the digits that it was given with, up to five.
    """

    factor: float = 1.0
    decimals: int | None = None
    signed: bool = False
    relative: bool = False
    given: bool = False

    def number(self, value: float | None) -> str:
        """One number; a dash where it is not known or not finite."""
        if value is None or not math.isfinite(value):
            return MISSING
        scaled = self.factor * value
        text = short(scaled) if self.decimals is None else f"{scaled:,.{self.decimals}f}"
        zero = not float(text.replace(",", ""))
        return text.lstrip("-") if zero else f"+{text}" if self.signed and scaled > 0 else text.replace("-", "−")

    def range(self, low: float, high: float) -> str:
        """The two ends of a range."""
        ends = (self.number(low), self.number(high))
        return f"[{', '.join(ends)}]" if self.signed else "–".join(ends)

    def spread(self, value: float, low: float, high: float, *, narrow: bool = False) -> str:
        """A number with the two ends of its range, or, where there is no room, with half their distance."""
        if low == high:
            return f"{self.factor * value:,.5g}" if self.given else self.number(value)
        if not narrow:
            ends = self.range(low, high)
            return f"{self.number(value)} {ends if self.signed else f'({ends})'}"
        if not self.relative:
            return f"{self.number(value)} ±{abs(self.factor) * (high - low) / 2:.0f}"
        share = (high - low) / abs(value) if value else math.inf
        return f"{self.number(value)} " + (f"±{50 * share:.0f}%" if share <= _WIDE else f"[{self.range(low, high)}]")


POINTS = NumberFormat(100, 1)
"""A measure between 0 and 1, in points of 100."""
PLAIN = NumberFormat()
"""A measure of another range."""
COST = NumberFormat(relative=True)
COUNT = NumberFormat(decimals=0)
CHANGE = NumberFormat(100, 1, signed=True)
PLAIN_CHANGE = NumberFormat(signed=True)


def measure_format(*, points: bool, signed: bool = False) -> NumberFormat:
    """How figures of a measure are written: in points of 100, or with three digits."""
    return (CHANGE if signed else POINTS) if points else (PLAIN_CHANGE if signed else PLAIN)


def amount(value: float, *, points: bool, signed: bool = False) -> str:
    """A figure of a measure."""
    return measure_format(points=points, signed=signed).number(value)


def span(figure: Ends, *, points: bool) -> str:
    """The two ends of its interval."""
    return measure_format(points=points).range(figure.low, figure.high)


def difference_text(value: float, *, points: bool) -> Said | str:
    """A difference without its sign: in percentage points, or with three digits."""
    number = measure_format(points=points).number(abs(value))
    return say("text.points_of", number=number) if points else number


def p_value(p: float) -> str:
    """As papers print it."""
    return "< 0.001" if p < 0.001 else f"{p:.3f}" if p < 0.1 else f"{p:.2f}"


def short(value: float) -> str:
    """Three digits, no exponent where it can be helped."""
    if not math.isfinite(value):
        return MISSING
    if value == 0:
        return "0"
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    digits = max(0, 2 - math.floor(math.log10(abs(value))))
    return f"{value:.{min(digits, 6)}f}"
