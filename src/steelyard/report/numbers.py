"""Figures as a reader sees them."""

from __future__ import annotations

import math

from steelyard.stats.intervals import Interval

MISSING = "–"


def amount(value: float, *, points: bool, signed: bool = False) -> str:
    """A figure: in points of 100 with one decimal, or with three digits."""
    if not math.isfinite(value):
        return MISSING
    text = f"{100 * value:.1f}" if points else f"{value:.3g}"
    if signed and float(text) > 0:
        return f"+{text}"
    return text.replace("-", "−") if float(text) else text.lstrip("-")


def span(figure: Interval, *, points: bool) -> str:
    """The two ends of an interval."""
    return ends(figure.low, figure.high, points=points)


def ends(low: float, high: float, *, points: bool, signed: bool = False) -> str:
    """The two ends of a range: with a dash, or with words' room around it where they carry signs."""
    gap = " – " if signed else "–"
    return gap.join(amount(v, points=points, signed=signed) for v in (low, high))


def p_value(p: float) -> str:
    """As papers print it."""
    return "< 0.001" if p < 0.001 else f"{p:.3f}" if p < 0.1 else f"{p:.2f}"


def short(value: float) -> str:
    """A cost: three digits, no exponent where it can be helped."""
    if not math.isfinite(value):
        return MISSING
    if value == 0:
        return "0"
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    digits = max(0, 2 - math.floor(math.log10(abs(value))))
    return f"{value:.{min(digits, 6)}f}"
