"""What linear layers on products of our own share: filled up to whole panels of outputs and to whole steps of inputs.

Shapes: ``t`` tokens, ``i`` inputs, ``o`` outputs.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor
from torch.nn.functional import pad

from steelyard.engines.torch.kernels.ir import PANEL

ROWS = 8 * PANEL
"""Outputs that are laid out at a time, so that what is in between stays in the cache."""


class PanelLinear(ABC):
    """A subclass lays the weight out when it is made, and multiplies.

    Args:
        weight: [o, i].
        bias: [o].
        step: inputs are filled up with zeros to a multiple of this.
        gelu: whether GELU follows.
    """

    dtype = torch.float32

    def __init__(self, weight: Tensor, bias: Tensor | None, step: int, *, gelu: bool) -> None:
        self._gelu = gelu
        self._outputs, inputs = weight.shape
        self._short = -inputs % step
        missing = -self._outputs % PANEL
        self._bias = torch.zeros(self._outputs + missing)
        if bias is not None:
            self._bias[: self._outputs] = bias
        self._lay_out(pad(weight, (0, self._short, 0, missing)) if missing or self._short else weight)

    @abstractmethod
    def _lay_out(self, weight: Tensor) -> None:
        """Keeps a weight whose outputs are whole panels and whose inputs are whole steps."""

    @abstractmethod
    def _multiply(self, x: Tensor) -> Tensor:
        """float32[t, whole panels of outputs] of contiguous float32[t, whole steps of inputs]."""

    def __call__(self, x: Tensor) -> Tensor:
        """float32[t, o]."""
        x = pad(x.float(), (0, self._short)) if self._short else x.float()
        done = self._multiply(x.contiguous())
        return done if len(self._bias) == self._outputs else done[:, : self._outputs]
