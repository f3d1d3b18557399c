"""What a cheaper way of computing costs in agreement, measured on real texts. Torch is not imported.

Plain cosine flatters: vectors of most models share a large common part, so two of them are near whatever they say.
The centred cosine (:func:`steelyard.engines.vectors.centred_cosines`) compares what is left to rank by.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from steelyard.engines.protocol import Encoder
from steelyard.engines.vectors import centred_cosines, cosines, normalised
from steelyard.types import Role, Vectors


@dataclass(frozen=True, slots=True)
class Agreement:
    """How near vectors are to their reference.

    Attributes:
        cosine: the smallest cosine of a vector to its reference.
        centred: the smallest centred cosine.
        neighbours_moved: share of texts whose nearest other text is another one.
        texts: how many were compared.
    """

    cosine: float
    centred: float
    neighbours_moved: float
    texts: int

    def __str__(self) -> str:
        return (
            f"cosine at least {self.cosine:.5f} (centred cosine {self.centred:.5f}), nearest neighbour moved "
            f"for {self.neighbours_moved:.1%} of {self.texts} texts"
        )

    def holds(self, cosine: float = 0.99, centred: float = 0.97, moved: float = 0.05) -> bool:
        """Whether it is good enough to be used unasked."""
        return self.cosine >= cosine and self.centred >= centred and self.neighbours_moved <= moved


def agreement(reference: Vectors, found: Vectors) -> Agreement:
    """Compares float32[n, d] with float32[n, d], n at least 2.

    Raises:
        ValueError: shapes differ, or there are fewer than two rows.
    """
    if reference.shape != found.shape or len(reference) < 2:
        raise ValueError(f"two arrays of one shape and two rows or more, not {reference.shape} and {found.shape}")
    return Agreement(
        cosine=float(cosines(found, reference).min()),
        centred=float(centred_cosines(found, reference).min()),
        neighbours_moved=float(np.mean(_nearest(reference) != _nearest(found))),
        texts=len(reference),
    )


def compare(reference: Encoder, candidate: Encoder, texts: Sequence[str]) -> Agreement:
    """Encodes the texts as documents with both, and compares; the candidate is accepted or not by whoever asks."""
    return agreement(reference.encode(texts, Role.DOCUMENT), candidate.encode(texts, Role.DOCUMENT))


def _nearest(rows: Vectors) -> Vectors:
    unit = normalised(rows)
    scores = unit @ unit.T
    np.fill_diagonal(scores, -np.inf)
    nearest: Vectors = scores.argmax(axis=1)
    return nearest
