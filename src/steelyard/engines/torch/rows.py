"""What stands between the products, token by token: norms with the sum before them, rotary positions, gates and GELU.

Shapes: ``t`` tokens, ``h`` hidden, ``q`` heads, ``d`` size of a head, ``f`` inner. Residual states are float32;
``dtype`` is what products read and give.
"""

from __future__ import annotations

from typing import Literal, Protocol

import torch
from torch import Tensor
from torch.nn.functional import gelu, layer_norm, rms_norm, silu

Turn = tuple[Tensor, Tensor]
"""Cosine and sine of every position: float32[t, 1, d / 2] each."""
Activation = Literal["silu", "gelu"]


class Rows(Protocol):
    """A way of computing it; arguments may be overwritten, so what is given back is to be used."""

    def layer_norm(
        self, x: Tensor, added: Tensor | None, norm: tuple[Tensor, Tensor, float], dtype: torch.dtype
    ) -> tuple[Tensor, Tensor]:
        """The norm of x + added: float32[t, h], and the same in ``dtype``.

        Args:
            x: float32[t, h], contiguous.
            added: [t, h] in ``dtype``; None for nothing.
            norm: weight float32[h], bias float32[h], and what is added to the variance.
            dtype: what products read.
        """

    def rms_norm(
        self, x: Tensor, added: Tensor | None, norm: tuple[Tensor, float], dtype: torch.dtype
    ) -> tuple[Tensor, Tensor]:
        """x + added: float32[t, h], and its norm in ``dtype``; arguments as of :meth:`layer_norm`, without a bias."""

    def rotate(self, x: Tensor, turn: Turn, norm: tuple[Tensor, float] | None = None) -> Tensor:
        """[t, q, d] turned by its positions, normed by root mean square before where there is a norm."""

    def gated(self, gate: Tensor, other: Tensor, activation: Activation) -> Tensor:
        """activation(gate) * other, [t, f] of two of them."""

    def gelu(self, x: Tensor) -> Tensor:
        """GELU of [t, f]."""


class PlainRows:
    """By torch's own operators, on any device; see :class:`Rows`."""

    def layer_norm(
        self, x: Tensor, added: Tensor | None, norm: tuple[Tensor, Tensor, float], dtype: torch.dtype
    ) -> tuple[Tensor, Tensor]:
        """See :class:`Rows`."""
        weight, bias, eps = norm
        found = layer_norm(x if added is None else x + added, weight.shape, weight, bias, eps)
        return found, found.to(dtype)

    def rms_norm(
        self, x: Tensor, added: Tensor | None, norm: tuple[Tensor, float], dtype: torch.dtype
    ) -> tuple[Tensor, Tensor]:
        """See :class:`Rows`."""
        weight, eps = norm
        x = x if added is None else x + added
        return x, rms_norm(x, weight.shape, weight, eps).to(dtype)

    def rotate(self, x: Tensor, turn: Turn, norm: tuple[Tensor, float] | None = None) -> Tensor:
        """See :class:`Rows`."""
        wide = x.float()
        if norm is not None:
            weight, eps = norm
            wide = rms_norm(wide, weight.shape, weight, eps)
        (left, right), (cos, sin) = wide.chunk(2, dim=-1), turn
        return torch.cat((left * cos - right * sin, right * cos + left * sin), dim=-1).to(x.dtype)

    def gated(self, gate: Tensor, other: Tensor, activation: Activation) -> Tensor:
        """See :class:`Rows`."""
        return (silu if activation == "silu" else gelu)(gate).mul_(other)

    def gelu(self, x: Tensor) -> Tensor:
        """See :class:`Rows`."""
        return gelu(x)
