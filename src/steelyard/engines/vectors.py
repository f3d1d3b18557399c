"""Small arithmetic on vectors that several engines and retrievers share."""

from __future__ import annotations

import numpy as np

from steelyard.types import Vectors


def normalised(rows: Vectors) -> Vectors:
    """Each row of float32[n, d] divided by its L2 norm, as a new array; a row of zeros stays zeros."""
    norms = np.sqrt(np.einsum("ij,ij->i", rows, rows, dtype=np.float64))
    norms[norms == 0.0] = 1.0
    out: Vectors = (rows / norms[:, None]).astype(np.float32)
    return out
