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
from torch.nn.functional import pad

from steelyard.engines.torch.kernels_int16 import STEP, int16_kernels
from steelyard.engines.torch.kernels_ir import PANEL

_NORM = 46_000
_ROWS = 8 * PANEL


class Int16Linear:
    """Weight and tokens in 16 bits, multiplied in whole numbers; float32 comes out.

    Args:
        weight: [o, i].
        bias: [o].
        gelu: whether GELU follows.

    Raises:
        MissingExtraError: llvmlite is not installed.
        EngineError: the processor or the system is another one.
    """

    dtype = torch.float32

    def __init__(self, weight: Tensor, bias: Tensor | None, *, gelu: bool = False) -> None:
        self._kernels = int16_kernels()
        self._gelu = gelu
        self._outputs, self._inputs = weight.shape
        self._short = -self._inputs % STEP
        missing = -self._outputs % PANEL
        self._limit = norm_limit(self._inputs + self._short)
        self._panels, self._steps = self._packed(_padded(weight, missing, self._short))
        self._bias = torch.zeros(len(self._steps)) if bias is None else pad(bias.float(), (0, missing)).clone()

    def _packed(self, weight: Tensor) -> tuple[Tensor, Tensor]:
        """Panels and steps, some rows at a time, so that what is in between stays in the cache."""
        outputs, inputs = weight.shape
        panels = torch.empty(outputs // PANEL, inputs // 2, PANEL, 2, dtype=torch.int16)
        steps = torch.empty(outputs)
        for at in range(0, outputs, _ROWS):
            rows, steps[at : at + _ROWS] = self._kernels.quantise(weight[at : at + _ROWS].float(), self._limit)
            panels[at // PANEL : (at + _ROWS) // PANEL] = in_panels(rows)
        return panels, steps

    def __call__(self, x: Tensor) -> Tensor:
        """float32[t, o]."""
        x = pad(x.float(), (0, self._short)) if self._short else x.float()
        rows = self._kernels.quantise(x.contiguous(), self._limit)
        done = self._kernels.multiply(rows, (self._panels, self._steps), self._bias, gelu=self._gelu)
        return done if len(self._bias) == self._outputs else done[:, : self._outputs]


def _padded(weight: Tensor, rows: int, columns: int) -> Tensor:
    return pad(weight, (0, columns, 0, rows)) if rows or columns else weight


def norm_limit(inputs: int) -> int:
    """The largest norm of a row before rounding, which may add half a step to each of its numbers."""
    return _NORM - isqrt(inputs) - 1


def in_panels(rows: Tensor) -> Tensor:
    """int16[o / 16, i / 2, 16, 2] from int16[o, i]."""
    pairs = rows.view(torch.int32).unflatten(0, (-1, PANEL))
    found: Tensor = pairs.transpose(1, 2).contiguous().view(torch.int16).unflatten(2, (PANEL, 2))
    return found
