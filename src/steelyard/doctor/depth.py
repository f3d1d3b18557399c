"""How much is asked of a target: three depths, each with a bound on its time."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

Mode = Literal["quick", "normal", "deep"]


@dataclass(frozen=True, slots=True)
class Depth:
    """What one mode asks for.

    Attributes:
        seconds: after which no further check is begun; what was left out is said, and "healthy" is not.
        pool: different texts that batches are made of.
        alone: texts that are asked alone, again and again.
        repeats: how often each of them is.
        sizes: texts of a request, one request each.
        clients: that ask at the same time.
        together: answers that all clients get together.
        rank: whether the small suite is ranked to say what faults cost.
        beyond: whether texts longer than the model reads are sent.
    """

    seconds: float
    pool: int
    alone: int
    repeats: int
    sizes: tuple[int, ...]
    clients: int
    together: int
    rank: bool
    beyond: bool

    @property
    def answers(self) -> int:
        """Answers of which each would show a rare fault."""
        return self.pool + self.alone * self.repeats + sum(self.sizes) + self.together

    @property
    def one_in(self) -> int:
        """The rarest fault, one answer in so many, that is noticed with a chance of 95 %: 1 - (1 - 1/k)^n."""
        return max(1, int(1 / (1 - 0.05 ** (1 / self.answers))))


DEPTHS: dict[Mode, Depth] = {
    "quick": Depth(10, 40, 4, 6, (2, 7, 32, 64), 8, 64, rank=False, beyond=False),
    "normal": Depth(60, 96, 8, 8, (2, 3, 5, 8, 16, 33, 64, 128, 256), 16, 256, rank=True, beyond=True),
    "deep": Depth(900, 138, 16, 30, (2, 3, 5, 8, 16, 33, 64, 100, 128, 200, 256), 16, 2000, rank=True, beyond=True),
}


class Clock:
    """Seconds since it was made; the time's source may be injected.

    Args:
        seconds: what may be used.
        now: monotonic seconds.
    """

    def __init__(self, seconds: float, now: Callable[[], float] = time.monotonic) -> None:
        self._now, self._seconds = now, seconds
        self._began = now()

    @property
    def used(self) -> float:
        """Seconds since it was made."""
        return self._now() - self._began

    @property
    def is_over(self) -> bool:
        """Whether all of them are used."""
        return self.used >= self._seconds
