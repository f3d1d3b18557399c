"""Many comparisons find something by luck; Holm's step-down correction (Holm 1979) takes that luck out."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from steelyard.errors import DataError


def holm(p: ArrayLike) -> NDArray[np.float64]:
    """Corrected p-values, in the order given; at most 1, never below the uncorrected ones.

    Args:
        p: float[m], each between 0 and 1.

    Raises:
        DataError: when a value is not a probability.
    """
    values = np.asarray(p, dtype=np.float64).ravel()
    if not ((values >= 0) & (values <= 1)).all():
        raise DataError("p-values must lie between 0 and 1")
    order = np.argsort(values, kind="stable")
    factors = np.arange(len(values), 0, -1)
    corrected = np.empty_like(values)
    corrected[order] = np.minimum(1.0, np.maximum.accumulate(values[order] * factors))
    return corrected
