"""Linear layers in fp32 by products of our own.

Shapes: ``t`` tokens, ``i`` inputs, ``o`` outputs.
"""

from __future__ import annotations

import torch
from torch import Tensor

from steelyard.engines.torch.kernels.fp32 import UNROLLED, fp32_kernels
from steelyard.engines.torch.kernels.ir import PANEL
from steelyard.engines.torch.panels import ROWS, PanelLinear


class Fp32Linear(PanelLinear):
    """Weight laid out once for :mod:`steelyard.engines.torch.kernels.fp32`.

    Args:
        weight: [o, i].
        bias: [o].
        gelu: whether GELU follows.

    Raises:
        MissingExtraError: llvmlite is not installed.
        EngineError: the processor or the system is another one.
    """

    def __init__(self, weight: Tensor, bias: Tensor | None, *, gelu: bool = False) -> None:
        self._kernels = fp32_kernels()
        super().__init__(weight, bias, UNROLLED, gelu=gelu)

    def _lay_out(self, weight: Tensor) -> None:
        self._panels = in_panels(weight)

    def _multiply(self, x: Tensor) -> Tensor:
        return self._kernels.multiply(x, self._panels, self._bias, gelu=self._gelu)


def in_panels(weight: Tensor) -> Tensor:
    """float32[o / 16, i, 16] from [o, i], some rows at a time, so that what is in between stays in the cache."""
    outputs, inputs = weight.shape
    panels = torch.empty(outputs // PANEL, inputs, PANEL)
    for some, rows in zip(panels.split(ROWS // PANEL), weight.split(ROWS), strict=True):
        some.copy_(rows.unflatten(0, (-1, PANEL)).transpose(1, 2))
    return panels
