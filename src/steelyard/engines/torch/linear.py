"""Linear layers in the numbers and the layout that the processor multiplies fastest.

Shapes: ``t`` tokens, ``i`` inputs, ``o`` outputs. Every kind takes float32 or its own ``dtype`` and gives ``dtype``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from threading import Lock
from typing import Generic, Protocol, TypeVar

import torch
from torch import Tensor
from torch.nn.functional import gelu, linear

from steelyard.engines.torch.fp32 import Fp32Linear
from steelyard.engines.torch.int8 import make_int8
from steelyard.engines.torch.int16 import Int16Linear
from steelyard.engines.torch.kernels.compiled import expect_kernels, openmp_is_loaded
from steelyard.engines.torch.precision import Machine, Precision
from steelyard.errors import UsageError

_ONEDNN = ("_reorder_linear_weight", "_linear_pointwise")


class Linear(Protocol):
    """``x @ weight.T + bias``."""

    dtype: torch.dtype

    def __call__(self, x: Tensor) -> Tensor:
        """[t, o] in ``dtype``."""


Found = TypeVar("Found")
Branches = Callable[[Tensor], Sequence[Tensor]]
"""Several linear layers of one input: [t, o] of each."""


@dataclass(frozen=True, slots=True)
class LinearFactory:
    """From weights [o, i] and biases [o] as the checkpoint stores them.

    Attributes:
        kind: of linear layer.
        joins: whether layers of one input are made one matrix, which is multiplied faster; not where weights stay in
            their file.
        waits: whether weights that are stored in bf16 are multiplied as they lie once, and laid out when they are used
            again: then the first vector of a process does not wait for it.
        kind_gelu: the kind that GELU is part of; None for one after the other.
        rounds: whether the tokens of a pack are brought to a round number, because a kernel is kept for every number
            that is met; see :func:`steelyard.engines.torch.pack.filler`.
        dtype: what the layers read and give.
    """

    kind: Callable[[Tensor, Tensor | None], Linear]
    joins: bool = True
    waits: bool = False
    kind_gelu: Callable[[Tensor, Tensor | None], Linear] | None = None
    rounds: bool = True
    dtype: torch.dtype = torch.float32

    def __call__(self, weight: Tensor, bias: Tensor | None) -> Linear:
        """One layer."""
        if self._late(weight):
            return Late(StoredLinear(weight, bias), partial(self.kind, weight, bias))
        return self.kind(weight, bias)

    def gelu(self, weight: Tensor, bias: Tensor | None) -> Callable[[Tensor], Tensor]:
        """One layer and GELU of what it gives, float32[t, o]."""
        if self.kind_gelu is None:
            return partial(_then_gelu, self(weight, bias))
        if self._late(weight):
            return Late(partial(_then_gelu, StoredLinear(weight, bias)), partial(self.kind_gelu, weight, bias))
        return self.kind_gelu(weight, bias)

    def branches(self, weights: Sequence[Tensor], biases: Sequence[Tensor | None]) -> Branches:
        """Layers of one input; all of them have a bias or none has."""
        if self._late(*weights):
            early = replace(self, joins=False, kind=StoredLinear, waits=False).branches(weights, biases)
            return Late(early, partial(replace(self, waits=False).branches, weights, biases))
        if not self.joins:
            return partial(_each, [self.kind(weight, bias) for weight, bias in zip(weights, biases, strict=True)])
        given = [bias for bias in biases if bias is not None]
        joined = self.kind(torch.cat(list(weights)), torch.cat(given) if given else None)
        return partial(_parted, joined, [len(weight) for weight in weights])

    def _late(self, *weights: Tensor) -> bool:
        return self.waits and all(weight.dtype == torch.bfloat16 for weight in weights)


class Late(Generic[Found]):
    """One way of computing for the first call, another from the second on; both give the same but for rounding.

    Args:
        early: for the first call.
        make: gives the other; called once, whichever threads meet.
    """

    dtype = torch.float32

    def __init__(self, early: Callable[[Tensor], Found], make: Callable[[], Callable[[Tensor], Found]]) -> None:
        self._way, self._make, self._lock = early, make, Lock()
        self._calls = 0

    def __call__(self, x: Tensor) -> Found:
        """What the way of this call gives."""
        with self._lock:
            self._calls += 1
            if self._calls == 2:
                self._way = self._make()
                del self._make  # and with it the weights in their file
            way = self._way
        return way(x)


class PlainLinear:
    """Torch's own linear, weight kept as it is multiplied; the fallback of every other kind."""

    def __init__(self, weight: Tensor, bias: Tensor | None, dtype: torch.dtype, device: str = "cpu") -> None:
        self.dtype = dtype
        self._weight = weight.to(device, dtype, copy=True)
        self._bias = None if bias is None else bias.to(device, dtype, copy=True)

    def __call__(self, x: Tensor) -> Tensor:
        """[t, o] in ``dtype``."""
        return linear(x.to(self.dtype), self._weight, self._bias)


class PackedLinear:
    """oneDNN's linear with the weight laid out once for its kernels; most is gained on small batches.

    The two operators are private to torch: see :func:`packing_is_there`.
    """

    def __init__(self, weight: Tensor, bias: Tensor | None, dtype: torch.dtype) -> None:
        self.dtype = dtype
        self._weight = torch.ops.mkldnn._reorder_linear_weight(weight.to(dtype).contiguous())
        self._bias = None if bias is None else bias.to(dtype, copy=True)

    def __call__(self, x: Tensor) -> Tensor:
        """[t, o] in ``dtype``."""
        x = x.to(self.dtype)
        done: Tensor = torch.ops.mkldnn._linear_pointwise(x, self._weight, self._bias, "none", [], "")
        return done


class StoredLinear:
    """Weight kept in bf16 as the checkpoint has it, often still in the mapped file, and multiplied in fp32."""

    dtype = torch.float32

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        self._weight = weight.to(torch.bfloat16)
        self._bias = None if bias is None else bias.float()

    def __call__(self, x: Tensor) -> Tensor:
        """float32[t, o]."""
        return linear(x.float(), self._weight.float(), self._bias)


def maker(precision: Precision, machine: Machine, device: str = "cpu") -> LinearFactory:
    """The kind of linear layer for these numbers on this machine.

    Raises:
        UsageError: whole numbers are asked for on another device than the processor.
        MissingExtraError: llvmlite is not installed, and int16 needs it.
        EngineError: the processor or the system has no int16.
    """
    if device != "cpu" and precision in (Precision.INT8, Precision.INT16):
        raise UsageError(f"torch-{precision} runs on the processor alone, not on {device}; use bf16 or fp32 there")
    if precision is Precision.INT8:
        return LinearFactory(make_int8(machine))
    if precision is Precision.INT16:
        expect_kernels(machine.flags)
        return LinearFactory(Int16Linear, waits=True, kind_gelu=partial(Int16Linear, gelu=True), rounds=False)
    dtype = torch.bfloat16 if precision is Precision.BF16 else torch.float32
    if device != "cpu":
        return LinearFactory(partial(PlainLinear, dtype=dtype, device=device), rounds=False, dtype=dtype)
    if precision is Precision.BF16 and not machine.fast_bf16:
        return LinearFactory(StoredLinear, joins=False)
    if precision is Precision.FP32 and products_are_better(machine) and openmp_is_loaded():
        return LinearFactory(Fp32Linear, waits=True, kind_gelu=partial(Fp32Linear, gelu=True), rounds=False)
    if packing_is_there():
        return LinearFactory(partial(PackedLinear, dtype=dtype), waits=dtype == torch.float32, dtype=dtype)
    return LinearFactory(partial(PlainLinear, dtype=dtype), dtype=dtype)


def _then_gelu(layer: Linear, x: Tensor) -> Tensor:
    return gelu(layer(x))


def _each(layers: Sequence[Linear], x: Tensor) -> Sequence[Tensor]:
    return [layer(x) for layer in layers]


def _parted(joined: Linear, sizes: list[int], x: Tensor) -> Sequence[Tensor]:
    return torch.split(joined(x), sizes, dim=1)


def products_are_better(machine: Machine) -> bool:
    """Whether fp32 is multiplied by loops of our own: where they compile, and oneDNN has no wider registers."""
    return machine.kernels and "avx512f" not in machine.flags


def packing_is_there() -> bool:
    """Whether this torch has the private oneDNN operators of :class:`PackedLinear`."""
    return bool(torch.backends.mkldnn.is_available()) and all(hasattr(torch.ops.mkldnn, name) for name in _ONEDNN)
