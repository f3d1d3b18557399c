"""Linear layers in 16 bits: a step for every output, and one for every token, found as it passes.

Shapes: ``t`` tokens, ``i`` inputs, ``o`` outputs.

Sums are whole numbers of 32 bits and must not overflow. By Cauchy and Schwarz no sum of products, whole or partial, is
larger than the norm of the token times that of the weights; both are held to 46,000 steps, and 46,000 squared is less
than 2**31. Normal values of a thousand inputs then have about 12 bits each.
"""

from __future__ import annotations

from math import isqrt

import torch
from torch import Tensor

from steelyard.engines.torch.kernels.int16 import STEP, int16_kernels
from steelyard.engines.torch.kernels.ir import PANEL
from steelyard.engines.torch.panels import ROWS, PanelLinear

_NORM = 46_000


class Int16Linear(PanelLinear):
    """Weight and tokens in 16 bits, multiplied in whole numbers; float32 comes out.

    Args:
        weight: [o, i].
        bias: [o].
        gelu: whether GELU follows.

    Raises:
        MissingExtraError: llvmlite is not installed.
        EngineError: the processor or the system is another one.
    """

    def __init__(self, weight: Tensor, bias: Tensor | None, *, gelu: bool = False) -> None:
        self._kernels = int16_kernels()
        super().__init__(weight, bias, STEP, gelu=gelu)

    def _lay_out(self, weight: Tensor) -> None:
        outputs, inputs = weight.shape
        self._limit = norm_limit(inputs)
        self._panels = torch.empty(outputs // PANEL, inputs // 2, PANEL, 2, dtype=torch.int16)
        self._steps = torch.empty(outputs)
        for at in range(0, outputs, ROWS):
            rows, self._steps[at : at + ROWS] = self._kernels.quantise(weight[at : at + ROWS].float(), self._limit)
            self._panels[at // PANEL : (at + ROWS) // PANEL] = in_panels(rows)

    def _multiply(self, x: Tensor) -> Tensor:
        rows = self._kernels.quantise(x, self._limit)
        return self._kernels.multiply(rows, (self._panels, self._steps), self._bias, gelu=self._gelu)


def norm_limit(inputs: int) -> int:
    """The largest norm of a row before rounding, which may add half a step to each of its numbers."""
    return _NORM - isqrt(inputs) - 1


def in_panels(rows: Tensor) -> Tensor:
    """int16[o / 16, i / 2, 16, 2] from int16[o, i]."""
    pairs = rows.view(torch.int32).unflatten(0, (-1, PANEL))
    found: Tensor = pairs.transpose(1, 2).contiguous().view(torch.int16).unflatten(2, (PANEL, 2))
    return found
