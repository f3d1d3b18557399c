"""Kinds of faults, and which of them an examination looked for and how finely."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Family(StrEnum):
    """Where in the chain from text to number a fault sits."""

    TEXTS = "texts"
    TEMPLATES = "templates"
    LENGTHS = "lengths"
    BATCHES = "batches"
    REPEATS = "repeats"
    NUMBERS = "numbers"
    POOLING = "pooling"
    WEIGHTS = "weights"


@dataclass(frozen=True, slots=True)
class Coverage:
    """One family, and whether its checks were made.

    Attributes:
        family: which.
        checked: whether a fault of it would have been seen.
        detail: to which resolution, or why not.
    """

    family: Family
    checked: bool
    detail: str
