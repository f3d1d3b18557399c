"""What stands between the products, each in one pass by loops of our own.

Shapes: as in :mod:`steelyard.engines.torch.rows`.
"""

from __future__ import annotations

import struct
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache

import torch
from torch import Tensor

from steelyard.engines.torch.kernels.compiled import Compiled, expect_kernels
from steelyard.engines.torch.kernels.rows import RowsCode
from steelyard.engines.torch.precision import Machine
from steelyard.engines.torch.rows import Activation, PlainRows, Rows, Turn
from steelyard.errors import SteelyardError

_PLAIN = PlainRows()
_KINDS = (torch.float32, torch.bfloat16)
WIDTHS = (16, 8)
"""Floats in a register with AVX-512, and with AVX2."""


def best_rows(machine: Machine, device: str = "cpu", *, narrow: bool = False) -> Rows:
    """Our own loops where they can be had, which then begin to be compiled beside whatever follows; else torch's.

    Args:
        machine: where it is to run.
        device: where the states are.
        narrow: whether products read and give bfloat16.
    """
    if device != "cpu":
        return _PLAIN
    try:
        expect_kernels(machine.flags)
    except SteelyardError:
        return _PLAIN
    rows = FusedRows(16 if "avx512f" in machine.flags else 8)
    _compiled(rows.lanes, narrow)
    return rows


class FusedRows:
    """See :class:`steelyard.engines.torch.rows.Rows`; what a register does not divide is left to torch.

    A token gives the same bits whatever it is computed with, and by any number of threads.

    Args:
        lanes: floats in a register, 8 or 16; narrower ones are used where only those divide a size.
    """

    def __init__(self, lanes: int) -> None:
        self.lanes = lanes

    def layer_norm(
        self, x: Tensor, added: Tensor | None, norm: tuple[Tensor, Tensor, float], dtype: torch.dtype
    ) -> tuple[Tensor, Tensor]:
        """As promised, in place."""
        weight, bias, eps = norm
        module = self._module(dtype, x.shape[1])
        if module is None or not _fits(x, added, dtype):
            return _PLAIN.layer_norm(x, added, norm, dtype)
        given = x if dtype == torch.float32 else torch.empty(x.shape, dtype=dtype)
        _norm(module, "layer_norm", (x, added, weight, bias, given), eps)
        return x, given

    def rms_norm(
        self, x: Tensor, added: Tensor | None, norm: tuple[Tensor, float], dtype: torch.dtype
    ) -> tuple[Tensor, Tensor]:
        """As promised; the sum is made in place."""
        weight, eps = norm
        module = self._module(dtype, x.shape[1])
        if module is None or not _fits(x, added, dtype):
            return _PLAIN.rms_norm(x, added, norm, dtype)
        given = torch.empty(x.shape, dtype=dtype)
        _norm(module, "rms_norm", (x, added, weight, weight, given), eps)
        return x, given

    def rotate(self, x: Tensor, turn: Turn, norm: tuple[Tensor, float] | None = None) -> Tensor:
        """As promised, in place."""
        t, heads, d = x.shape
        module = self._module(x.dtype, d // 2)
        cos, sin = turn
        together = x.stride(2) == 1 and x.stride(1) == d and cos.is_contiguous() and sin.is_contiguous()
        if module is None or not together or d % 2:
            return _PLAIN.rotate(x, turn, norm)
        weight, eps = norm or (cos, 0.0)
        addresses = (tensor.data_ptr() for tensor in (x, weight, cos, sin))
        module.run("rotate_normed" if norm else "rotate", *addresses, x.stride(0), t, heads, d // 2, _bits(eps))
        return x

    def gated(self, gate: Tensor, other: Tensor, activation: Activation) -> Tensor:
        """As promised."""
        module = self._module(gate.dtype, gate.shape[1])
        if module is None or gate.stride(1) != 1 or other.stride(1) != 1 or gate.dtype != other.dtype:
            return _PLAIN.gated(gate, other, activation)
        out = torch.empty(gate.shape, dtype=gate.dtype)
        addresses = (tensor.data_ptr() for tensor in (gate, other, out))
        module.run(f"{activation}_gate", *addresses, gate.stride(0), other.stride(0), *gate.shape)
        return out

    def gelu(self, x: Tensor) -> Tensor:
        """As promised, in place, to 1.5e-7 before it is rounded."""
        module = self._module(x.dtype, x.shape[1])
        if module is None or not x.is_contiguous():
            return _PLAIN.gelu(x)
        module.run("gelu", x.data_ptr(), *x.shape)
        return x

    def _module(self, dtype: torch.dtype, size: int) -> Compiled | None:
        lanes = next((width for width in WIDTHS if width <= self.lanes and size % width == 0), None)
        return None if lanes is None or dtype not in _KINDS else _compiled(lanes, dtype == torch.bfloat16).result()


def _fits(x: Tensor, added: Tensor | None, dtype: torch.dtype) -> bool:
    sums = added is None or (added.dtype == dtype and added.is_contiguous())
    return x.dtype == torch.float32 and x.is_contiguous() and sums


def _norm(
    module: Compiled, name: str, tensors: tuple[Tensor, Tensor | None, Tensor, Tensor, Tensor], eps: float
) -> None:
    x, added, *_ = tensors
    addresses = (0 if tensor is None else tensor.data_ptr() for tensor in tensors)
    module.run(name if added is None else f"{name}_of_sum", *addresses, *x.shape, _bits(eps))


def _bits(value: float) -> int:
    """Of a float32, as a whole number."""
    found: int = struct.unpack("<i", struct.pack("<f", value))[0]
    return found


@cache
def _compiled(lanes: int, narrow: bool) -> Future[Compiled]:
    """In a thread of its own, while weights are read."""
    pool = ThreadPoolExecutor(1, "steelyard-compile")
    found = pool.submit(lambda: Compiled(RowsCode(lanes, narrow=narrow)))
    pool.shutdown(wait=False)
    return found
