"""The machine's own speed at matrix products, measured beside the systems: what an engine's speed is a share of."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

SIDE = 1536
"""Rows and columns: large enough to keep the cores busy, 28 MB in all."""


def sgemm_gflops(seconds: float = 0.4, side: int = SIDE, clock: Callable[[], float] = time.perf_counter) -> float:
    """The best float32 ``a @ b`` that numpy gave within some seconds, in GFLOP/s.

    Args:
        seconds: how long to try; at least two products are made, the first uncounted.
        side: rows and columns of the square matrices.
        clock: seconds.
    """
    rng = np.random.default_rng(0)
    a, b = (rng.standard_normal((side, side), dtype=np.float32) for _ in range(2))
    out = a @ b
    best, end = float("inf"), clock() + seconds
    while best == float("inf") or clock() < end:
        start = clock()
        np.matmul(a, b, out=out)
        best = min(best, clock() - start)
    return 2 * side**3 / best / 1e9


def peak_share(tokens_per_second: float, weights_per_token: int, gflops: float) -> float:
    """Useful arithmetic as a share of the machine's peak.

    Two operations for each weight that a token meets (Kaplan et al. 2020, section 2.1, forward pass); attention's own
    products are left out, so the share is a little too low for long texts. Above 1 where an engine computes in a
    cheaper type than float32.

    Args:
        tokens_per_second: measured.
        weights_per_token: parameters less those of lookup tables, which cost no arithmetic.
        gflops: the machine's, from :func:`sgemm_gflops`.
    """
    return 2 * weights_per_token * tokens_per_second / (gflops * 1e9)
