"""Pareto dominance, one definition for every front that is shown or chosen from."""

from __future__ import annotations

from collections.abc import Sequence


def dominates(one: Sequence[float], other: Sequence[float]) -> bool:
    """Whether ``one`` is at least as good in every criterion and better in one; more is better in each.

    >>> dominates((0.8, -3.0), (0.7, -3.0)), dominates((0.8, -3.0), (0.9, -4.0)), dominates((0.8,), (0.8,))
    (True, False, False)

    Raises:
        ValueError: the two are not of one length.
    """
    pairs = list(zip(one, other, strict=True))
    return all(a >= b for a, b in pairs) and any(a > b for a, b in pairs)
