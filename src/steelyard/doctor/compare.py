"""Arithmetic of comparing vectors. Shapes: ``n`` texts, ``q`` queries, ``d`` dimensions."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from steelyard.engines.vectors import normalised
from steelyard.types import Vectors


def centred_cosines(found: Vectors, wanted: Vectors) -> NDArray[np.float64]:
    """float64[n] cosines of rows of float32[n, d] without what all rows have in common.

    What is common is the mean of ``wanted``, so that a row's cosine does not depend on the other rows of ``found``.
    Vectors of real models share a large common part, which makes plain cosines of different texts, and of right and
    wrong vectors, all look alike. Rows are normalised first, so that scale does not count.
    """
    left, right = (normalised(np.asarray(rows, dtype=np.float32)).astype(np.float64) for rows in (found, wanted))
    common = right.mean(axis=0) if len(right) > 2 else 0.0
    return _cosines(left - common, right - common)


def cosines(found: Vectors, wanted: Vectors) -> NDArray[np.float64]:
    """float64[n] plain cosines, row by row."""
    return _cosines(found.astype(np.float64), wanted.astype(np.float64))


def top1(queries: Vectors, documents: Vectors) -> float:
    """Share of float32[q, d] queries whose own row of ``documents`` is strictly nearest; a tie is not first."""
    scores = normalised(queries).astype(np.float64) @ normalised(documents).astype(np.float64).T
    own = np.diag(scores).copy()
    np.fill_diagonal(scores, -np.inf)
    return float((own > scores.max(axis=1) + 1e-7).mean())


def _cosines(left: NDArray[np.float64], right: NDArray[np.float64]) -> NDArray[np.float64]:
    lengths = np.linalg.norm(left, axis=1) * np.linalg.norm(right, axis=1)
    products: NDArray[np.float64] = np.einsum("ij,ij->i", left, right)
    same = (lengths == 0) & np.isclose(left, right).all(axis=1)
    return np.where(same, 1.0, products / np.where(lengths == 0, 1.0, lengths))
