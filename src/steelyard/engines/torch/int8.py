"""Linear layers in 8 bits: a scale for every output channel, and one for every token where activations are rounded too.

Shapes: ``t`` tokens, ``i`` inputs, ``o`` outputs.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import linear


class Int8Linear:
    """Weight kept in 8 bits, multiplied in fp32; a quarter of the memory of fp32.

    Rounding is to the nearest of 255 steps between minus and plus the largest magnitude of each output channel.
    """

    dtype = torch.float32

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        self._weight, self._scale = quantise(weight.float())
        self._bias = None if bias is None else bias.float().clone()

    def __call__(self, x: Tensor) -> Tensor:
        """float32[t, o]."""
        done = linear(x.float(), self._weight.float()) * self._scale
        return done if self._bias is None else done + self._bias


def quantise(rows: Tensor) -> tuple[Tensor, Tensor]:
    """int8[n, i] and float32[n], whose product is nearly ``rows``; a row of zeros has scale 1."""
    scale = rows.abs().amax(dim=1) / 127
    scale = torch.where(scale > 0, scale, torch.ones_like(scale))
    return (rows / scale[:, None]).round_().to(torch.int8), scale
