"""Exit codes of commands that finished; those of errors are in :mod:`steelyard.errors`, all in docs/exit-codes.md."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

DAMAGED = 7
A_SYSTEM_FAILED = 8
REFUSED = 11
INTERRUPTED = 130


class Tried(Protocol):
    """A system that was run."""

    @property
    def error(self) -> str:
        """Why it failed; empty where it did not."""


def code_of(systems: Iterable[Tried]) -> int:
    """0 where every system could be run."""
    return A_SYSTEM_FAILED if any(s.error for s in systems) else 0
