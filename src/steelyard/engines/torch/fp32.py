"""Linear layers in fp32 by products of our own.

Shapes: ``t`` tokens, ``i`` inputs, ``o`` outputs.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import pad

from steelyard.engines.torch.kernels_fp32 import UNROLLED, fp32_kernels
from steelyard.engines.torch.kernels_ir import PANEL

_ROWS = 8 * PANEL


class Fp32Linear:
    """Weight laid out once for :mod:`steelyard.engines.torch.kernels_fp32`.

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
        self._kernels = fp32_kernels()
        self._gelu = gelu
        self._outputs, inputs = weight.shape
        self._short = -inputs % UNROLLED
        missing = -self._outputs % PANEL
        self._panels = in_panels(pad(weight, (0, self._short, 0, missing)) if missing or self._short else weight)
        self._bias = torch.zeros(self._outputs + missing)
        if bias is not None:
            self._bias[: self._outputs] = bias

    def __call__(self, x: Tensor) -> Tensor:
        """float32[t, o]."""
        x = pad(x.float(), (0, self._short)) if self._short else x.float()
        done = self._kernels.multiply(x.contiguous(), self._panels, self._bias, gelu=self._gelu)
        return done if len(self._bias) == self._outputs else done[:, : self._outputs]


def in_panels(weight: Tensor) -> Tensor:
    """float32[o / 16, i, 16] from [o, i], some rows at a time, so that what is in between stays in the cache."""
    outputs, inputs = weight.shape
    panels = torch.empty(outputs // PANEL, inputs, PANEL)
    for some, rows in zip(panels.split(_ROWS // PANEL), weight.split(_ROWS), strict=True):
        some.copy_(rows.unflatten(0, (-1, PANEL)).transpose(1, 2))
    return panels
