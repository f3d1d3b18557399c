"""A system with other retrievers in the places of its leaves: how a stored index takes the place of one in memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, runtime_checkable

from steelyard.retrieval.protocol import Retriever

Texts = Callable[[Sequence[str]], list[str]]
"""Gives the texts of documents by their ids."""


@runtime_checkable
class Composed(Protocol):
    """A retriever over others."""

    def with_leaves(self, stored: Callable[[Retriever], Retriever], texts: Texts) -> Retriever:
        """See :func:`with_leaves`."""


def with_leaves(system: Retriever, stored: Callable[[Retriever], Retriever], texts: Texts) -> Retriever:
    """The same system over other leaves.

    Args:
        system: any retriever.
        stored: gives what stands for a leaf, such as a dense or a lexical retriever.
        texts: where rerankers find the texts of documents.
    """
    return system.with_leaves(stored, texts) if isinstance(system, Composed) else stored(system)
