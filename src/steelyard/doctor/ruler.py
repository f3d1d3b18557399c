"""How far vectors are from the right ones, in bits of the weights that would bring them so far.

Rounding weights to one bit less quadruples the lost part of a vector (its mean centred cosine's distance from 1), so
loss = constant x 4^-bits. The constant is a property of the model: it is measured by running the reference with its
weights rounded to six bits, and taken from models that were measured where it cannot be.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

MEASURED_AT = 6
"""Bits at which a reference measures its constant: far above the noise of fp32, far below what breaks a model."""
THUMB = 30.0
"""Between the 22 of multilingual-e5-small and the 40 of a tiny Qwen3."""


@dataclass(frozen=True, slots=True)
class Ruler:
    """Turns loss into bits.

    Attributes:
        constant: loss at no bits at all.
        measured: on this model, not on others.
    """

    constant: float = THUMB
    measured: bool = False

    def bits(self, loss: float) -> float:
        """Bits a weight that lose so much."""
        return float(np.log2(self.constant / max(loss, 1e-15)) / 2)

    def loss(self, bits: float) -> float:
        """What so many bits lose."""
        return float(self.constant * 4.0**-bits)


def measured(loss: float) -> Ruler:
    """The ruler of a model that loses so much at :data:`MEASURED_AT` bits."""
    return Ruler(loss * 4.0**MEASURED_AT, measured=True)
