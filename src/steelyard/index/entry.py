"""What goes into an index and what comes out of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

Scalar = str | float | int | bool
"""A value that documents can be filtered by."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A document as it is put into an index.

    Attributes:
        id: replaces the document of the same id.
        text: what is embedded and segmented.
        metadata: what searches can be restricted by.
    """

    id: str
    text: str
    metadata: Mapping[str, Scalar] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Found:
    """One hit of a search.

    Attributes:
        id: of the document.
        score: what the system gave it; comparable within one answer only.
        text: of the document.
        metadata: of the document.
    """

    id: str
    score: float
    text: str
    metadata: Mapping[str, Scalar]
