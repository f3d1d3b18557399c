"""Arithmetic on vectors, one definition each. Shapes: ``n`` texts, ``d`` dimensions, a row a text."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from steelyard.types import Vectors


def normalised(rows: Vectors) -> Vectors:
    """Each row of float32[n, d] divided by its L2 norm, as a new array; a row of zeros stays zeros.

    >>> print(normalised(np.array([[3, 4], [0, 0]], np.float32)))
    [[0.6 0.8]
     [0.  0. ]]
    """
    norms = np.sqrt(np.einsum("ij,ij->i", rows, rows, dtype=np.float64))
    norms[norms == 0.0] = 1.0
    out: Vectors = (rows / norms[:, None]).astype(np.float32)
    return out


def cut(rows: Vectors, dimension: int | None) -> Vectors:
    """float32[n, dimension]: the leading dimensions, normalised again, as MRL models are cut; None keeps them all.

    >>> cut(np.array([[3, 4, 12]], np.float32), 2).shape
    (1, 2)
    """
    return normalised(rows[:, :dimension])


def cosines(found: Vectors, wanted: Vectors) -> NDArray[np.float64]:
    """float64[n] cosines, row by row; of two equal rows of zeros 1, of one row of zeros 0.

    >>> cosines(np.array([[1, 0], [1, 1]], np.float32), np.array([[1, 0], [1, -1]], np.float32)).tolist()
    [1.0, 0.0]
    """
    return _cosines(found.astype(np.float64), wanted.astype(np.float64))


def centred_cosines(found: Vectors, wanted: Vectors) -> NDArray[np.float64]:
    """float64[n] centred cosines, row by row: cosines without what all rows have in common.

    Rows are normalised, and the mean of ``wanted`` is taken from both, so that a row's figure depends neither on scale
    nor on the other rows of ``found``. Vectors of real models share a large common part, which makes plain cosines of
    different texts, and of right and wrong vectors, all look alike. Of two rows or fewer no mean is taken.
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
