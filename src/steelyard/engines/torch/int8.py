"""Linear layers in 8 bits: a scale for every output channel, and one for every token, found as it passes.

Shapes: ``t`` tokens, ``i`` inputs, ``o`` outputs.

Processors without VNNI add two products of bytes in 16 bits, which overflow: 2 x 255 x 127 is more than 32,767. There
weights are rounded to 127 steps instead of 255 (2 x 255 x 63 fits), so that the sums are exact everywhere.
"""

from __future__ import annotations

from functools import partial
from typing import Protocol

import torch
from torch import Tensor
from torch.nn.functional import linear

from steelyard.engines.torch.precision import Machine

_ONEDNN = ("qlinear_pointwise", "qlinear_prepack")
_VNNI = frozenset({"avx512_vnni", "avx_vnni", "amx_int8"})
_ROWS = 512
_ZERO = 128
"""Where a byte without sign has its zero."""


class _MakeInt8(Protocol):
    def __call__(self, weight: Tensor, bias: Tensor | None) -> Int8Linear: ...


class Int8Linear:
    """Weight and tokens in 8 bits, multiplied by oneDNN in whole numbers; float32 comes out.

    Without torch's private oneDNN operators the weight is still kept in 8 bits and multiplied in fp32.

    Args:
        weight: [o, i].
        bias: [o].
        top: largest magnitude that a weight is rounded to: 63, which is safe everywhere, or 127; see :func:`make_int8`.
    """

    dtype = torch.float32

    def __init__(self, weight: Tensor, bias: Tensor | None, top: int = 63) -> None:
        values, self._scale = quantise(weight, top)
        self._bias = None if bias is None else bias.float().clone()
        self._zeros = torch.zeros(len(values), dtype=torch.int64)
        self._whole = whole_numbers_are_there()
        self._weight = torch.ops.onednn.qlinear_prepack(values, None) if self._whole else values

    def __call__(self, x: Tensor) -> Tensor:
        """float32[t, o]."""
        x = x.float()
        done = self._in_whole_numbers(x) if self._whole else linear(x, self._weight.float()).mul_(self._scale)
        return done if self._bias is None else done.add_(self._bias)

    def _in_whole_numbers(self, x: Tensor) -> Tensor:
        largest = torch.maximum(x.amax(dim=1, keepdim=True), -x.amin(dim=1, keepdim=True))
        step = largest.clamp_(min=1e-12) / 127
        bytes_ = (x / step).add_(_ZERO + 0.5).to(torch.uint8)  # cut off behind the half: rounded, in one pass less
        done: Tensor = torch.ops.onednn.qlinear_pointwise(
            bytes_, 1.0, _ZERO, self._weight, self._scale, self._zeros, None, 1.0, 0, torch.float32, "none", [], ""
        )
        return done.mul_(step)


def make_int8(machine: Machine) -> _MakeInt8:
    """The kind for a processor: as many steps as its sums can hold."""
    return partial(Int8Linear, top=127 if machine.flags & _VNNI else 63)


def quantise(rows: Tensor, top: int = 127) -> tuple[Tensor, Tensor]:
    """int8[n, i] between -top and top, and float32[n], whose product is nearly ``rows``; a row of zeros has scale 1.

    A slice at a time, so that beside a large matrix only a little of it stands in fp32.
    """
    values, scales = torch.empty(rows.shape, dtype=torch.int8), torch.empty(len(rows))
    for part, found, scale in zip(rows.split(_ROWS), values.split(_ROWS), scales.split(_ROWS), strict=True):
        wide = part.float()
        torch.div(wide.abs().amax(dim=1), top, out=scale)
        scale[scale <= 0] = 1
        found.copy_((wide / scale[:, None]).round_())
    return values, scales


def whole_numbers_are_there() -> bool:
    """Whether this torch has the private oneDNN operators of :class:`Int8Linear`."""
    return bool(torch.backends.mkldnn.is_available()) and all(hasattr(torch.ops.onednn, name) for name in _ONEDNN)
