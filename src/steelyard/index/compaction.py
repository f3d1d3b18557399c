"""Which segments to join, so that their number stays small and little of them is dead."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from steelyard.index.snapshot import Part

_TIER = 8
"""Segments of like size are joined when there are so many; each row is so written again log8(n) times at the most."""
_MOST_ROWS = 1_000_000
_DEAD = 0.3


def to_join(parts: Sequence[Part]) -> list[Part]:
    """The next segments to make one of; none where all is well.

    Args:
        parts: of one snapshot.
    """
    dead = [p for p in parts if p.count < (1 - _DEAD) * len(p.segment)]
    if dead:
        return [min(dead, key=lambda p: p.count)]
    rising = sorted((p for p in parts if p.count * 2 <= _MOST_ROWS), key=lambda p: p.count)
    for _, same in groupby(rising, key=lambda p: _tier(p.count)):
        tier = list(same)
        if len(tier) >= _TIER:
            return tier
    return []


def _tier(rows: int) -> int:
    tier = 0
    while rows >= _TIER:
        rows //= _TIER
        tier += 1
    return tier
