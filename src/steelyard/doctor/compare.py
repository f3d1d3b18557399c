"""What the doctor reads off vectors. Shapes: ``n`` texts, ``q`` queries, ``d`` dimensions."""

from __future__ import annotations

import numpy as np

from steelyard.engines.vectors import centred_cosines, normalised
from steelyard.types import Vectors


def loss(found: Vectors, wanted: Vectors) -> float:
    """How far the mean of the centred cosines is from 1."""
    return max(0.0, 1.0 - float(centred_cosines(found, wanted).mean()))


def top1(queries: Vectors, documents: Vectors) -> float:
    """Share of float32[q, d] queries whose own row of ``documents`` is strictly nearest; a tie is not first."""
    scores = normalised(queries).astype(np.float64) @ normalised(documents).astype(np.float64).T
    own = np.diag(scores).copy()
    np.fill_diagonal(scores, -np.inf)
    return float((own > scores.max(axis=1) + 1e-7).mean())
