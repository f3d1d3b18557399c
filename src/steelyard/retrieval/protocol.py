"""What is weighed: anything that indexes documents and ranks them for queries."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from steelyard.types import Document, Query, Ranking

Progress = Callable[[str, int, int], None]
"""Called as (stage, done, total); stages are ``index`` and ``search``."""


def silent(stage: str, done: int, total: int) -> None:
    """The progress callback that says nothing."""


class Retriever(Protocol):
    """Ranks documents for queries."""

    def index(self, documents: Sequence[Document], progress: Progress = silent) -> None:
        """Takes the documents in; a second call replaces the first."""

    def search(self, queries: Sequence[Query], k: int, progress: Progress = silent) -> list[Ranking]:
        """One ranking of at most k hits a query, in the order of ``queries``."""
