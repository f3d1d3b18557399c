"""Which texts are run together: batches planned by tokens, for engines that pack texts end to end without padding.

Deciding only; nothing here computes. Two rules bound both time and memory: a batch never holds more tokens than the
budget, and a text longer than the budget runs alone. Texts of equal length lie side by side, because attention over a
run of equal lengths is one call without padding.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

TOKENS_A_BATCH = 2_048
"""Where throughput levels off on a processor with two cores; see ``benchmarks/engine``."""
_SHORTEST_PREFIX = 8


@dataclass(frozen=True, slots=True)
class Run:
    """Texts of equal length, side by side in a pack.

    Attributes:
        first: place of the first text in its batch.
        count: how many texts.
        length: tokens of each.
        start: offset of the first token in the pack.
    """

    first: int
    count: int
    length: int
    start: int

    @property
    def stop(self) -> int:
        """Offset behind the last token."""
        return self.start + self.count * self.length


def plan(lengths: Sequence[int], budget: int = TOKENS_A_BATCH) -> list[list[int]]:
    """Positions of texts, longest first; every position exactly once.

    Longest first finds out at once whether the memory is enough, and leaves the smallest batch for the end.

    Args:
        lengths: tokens of each text, at least one each.
        budget: the most tokens in a batch; a longer text makes a batch of its own.

    Raises:
        ValueError: a length or the budget is below one.
    """
    if budget < 1 or min(lengths, default=1) < 1:
        raise ValueError(f"lengths and budget must be at least 1; the budget is {budget}")
    batches: list[list[int]] = []
    room = 0
    for i in sorted(range(len(lengths)), key=lambda i: -lengths[i]):
        if lengths[i] > room:
            batches.append([])
            room = budget
        batches[-1].append(i)
        room -= lengths[i]
    return batches


def runs(lengths: Sequence[int]) -> list[Run]:
    """Neighbours of equal length, in order; together they cover every text once."""
    found: list[Run] = []
    start = 0
    for i, length in enumerate(lengths):
        last = found[-1] if found else None
        if last and last.length == length:
            found[-1] = Run(last.first, last.count + 1, length, last.start)
        else:
            found.append(Run(i, 1, length, start))
        start += length
    return found


def common_prefix(rows: Sequence[list[int]]) -> int:
    """How many leading tokens all rows share, at most one less than the shortest has; 0 for no rows.

    One token of each row is always left, because something must remain to be computed.
    """
    if not rows:
        return 0
    low, high = min(rows), max(rows)
    shared = next((i for i, (a, b) in enumerate(zip(low, high, strict=False)) if a != b), min(len(low), len(high)))
    return max(min(shared, min(map(len, rows)) - 1), 0)


def worth_sharing(rows: Sequence[list[int]]) -> int:
    """:func:`common_prefix`, or 0 where it is so short that computing it once saves nothing."""
    shared = common_prefix(rows)
    return shared if shared >= _SHORTEST_PREFIX else 0
