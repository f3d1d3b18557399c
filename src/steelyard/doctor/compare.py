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
    left, right = _unit(found), _unit(wanted)
    common = _common(right)
    return _cosines(left - common, right - common)


def centred(found: Vectors, wanted: Vectors) -> NDArray[np.float64]:
    """float64[n, d] of norm 1: float32[n, d] less what all rows of ``wanted`` have in common."""
    rows = _unit(found)
    rows = rows - _common(_unit(wanted))
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    result: NDArray[np.float64] = rows / np.where(lengths == 0, 1.0, lengths)
    return result


def loss(found: Vectors, wanted: Vectors) -> float:
    """How far the mean of the centred cosines is from 1."""
    return max(0.0, 1.0 - float(centred_cosines(found, wanted).mean()))


def cosines(found: Vectors, wanted: Vectors) -> NDArray[np.float64]:
    """float64[n] plain cosines, row by row."""
    return _cosines(found.astype(np.float64), wanted.astype(np.float64))


def top1(queries: Vectors, documents: Vectors) -> float:
    """Share of float32[q, d] queries whose own row of ``documents`` is strictly nearest; a tie is not first."""
    scores = normalised(queries).astype(np.float64) @ normalised(documents).astype(np.float64).T
    own = np.diag(scores).copy()
    np.fill_diagonal(scores, -np.inf)
    return float((own > scores.max(axis=1) + 1e-7).mean())


def _unit(rows: Vectors) -> NDArray[np.float64]:
    return normalised(np.asarray(rows, dtype=np.float32)).astype(np.float64)


def _common(unit: NDArray[np.float64]) -> NDArray[np.float64]:
    mean: NDArray[np.float64] = unit.mean(axis=0) if len(unit) > 2 else np.zeros(unit.shape[1])
    return mean


def _cosines(left: NDArray[np.float64], right: NDArray[np.float64]) -> NDArray[np.float64]:
    lengths = np.linalg.norm(left, axis=1) * np.linalg.norm(right, axis=1)
    products: NDArray[np.float64] = np.einsum("ij,ij->i", left, right)
    same = (lengths == 0) & np.isclose(left, right).all(axis=1)
    return np.where(same, 1.0, products / np.where(lengths == 0, 1.0, lengths))
