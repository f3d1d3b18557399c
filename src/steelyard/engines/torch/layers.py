"""The parts that every trunk is made of.

Shapes: ``t`` tokens, ``h`` hidden, ``d`` size of a head. States stay in float32 between the matrices, whatever these
are multiplied in.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from steelyard.engines.checkpoint.shape import Rope, Shape
from steelyard.engines.torch.attention import KeyValue
from steelyard.engines.torch.pack import Pack
from steelyard.engines.torch.rows import PlainRows, Rows

SLICE = 4_096
"""Tokens that pass through a feed-forward part at once, so that its inner states stay small on long texts."""


class Trunk(Protocol):
    """A checkpoint from token ids to states, heads left out."""

    shape: Shape
    causal: bool

    def __call__(self, pack: Pack, rows: Tensor | None = None, prefix: list[KeyValue] | None = None) -> Tensor:
        """States behind the last norm.

        Args:
            pack: the batch.
            rows: int64[n], one token of each text whose state is wanted (the last one where the trunk is causal);
                None for all.
            prefix: for each layer, keys and values that stand before every text; causal trunks alone.

        Returns:
            float32[n, h], or float32[t, h] where ``rows`` is None.
        """


class Table:
    """An embedding table left in its mapped file; only the rows that are looked up are read."""

    def __init__(self, weight: Tensor, device: str = "cpu") -> None:
        self._weight = weight.to(device)

    def __call__(self, ids: Tensor) -> Tensor:
        """float32[t, h]."""
        return self._weight[ids].float()


@dataclass(frozen=True, slots=True)
class LayerNorm:
    """Mean and variance taken out, over the last axis.

    Attributes:
        weight: float32[h].
        bias: float32[h].
        eps: added to the variance.
        rows: how it is computed.
        dtype: what products read.
    """

    weight: Tensor
    bias: Tensor
    eps: float
    rows: Rows
    dtype: torch.dtype

    def __call__(self, x: Tensor, added: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Norm of x + added: float32[t, h], which is the new residual state, and in ``dtype``; x may be overwritten."""
        return self.rows.layer_norm(x, added, (self.weight, self.bias, self.eps), self.dtype)


@dataclass(frozen=True, slots=True)
class RMSNorm:
    """Root mean square taken out, over the last axis.

    Attributes:
        weight: float32[h].
        eps: added to the mean square.
        rows: how it is computed.
        dtype: what products read.
    """

    weight: Tensor
    eps: float
    rows: Rows
    dtype: torch.dtype

    def __call__(self, x: Tensor, added: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """x + added: float32[t, h], the new residual state, and its norm in ``dtype``; x may be overwritten."""
        return self.rows.rms_norm(x, added, (self.weight, self.eps), self.dtype)

    def last(self, x: Tensor, added: Tensor | None) -> Tensor:
        """Norm of x + added, float32[t, h]: of the states that a trunk gives."""
        return PlainRows().rms_norm(x, added, (self.weight, self.eps), torch.float32)[1]


def rotary(positions: Tensor, head: int, rope: Rope) -> tuple[Tensor, Tensor]:
    """Cosine and sine of every position: float32[t, 1, d / 2] each."""
    pairs = torch.arange(0, head, 2, dtype=torch.float32, device=positions.device) / head
    angles = positions.float()[:, None, None] * (1.0 / rope.theta**pairs / rope.divisor)
    return angles.cos(), angles.sin()


def in_slices(function: Callable[[Tensor], Tensor], x: Tensor, size: int = SLICE) -> Tensor:
    """``function`` over slices of the rows of x, put together again."""
    if len(x) <= size:
        return function(x)
    return torch.cat([function(part) for part in x.split(size)])
