"""Batches for engines that pad: planned by tokens, never by number of texts. Those that pack use :mod:`plan`."""

from __future__ import annotations

from collections.abc import Sequence


def padded_batches(lengths: Sequence[int], budget: int) -> list[list[int]]:
    """Positions of texts, longest first, so that rows x longest row of a batch stays within ``budget`` tokens.

    A text longer than the budget makes a batch of its own. Every position occurs exactly once.
    """
    batches: list[list[int]] = []
    longest = 0
    for i in sorted(range(len(lengths)), key=lambda i: -lengths[i]):
        if not batches or (len(batches[-1]) + 1) * longest > budget:
            batches.append([])
            longest = max(lengths[i], 1)
        batches[-1].append(i)
    return batches
