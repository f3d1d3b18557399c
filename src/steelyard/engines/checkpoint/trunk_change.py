"""One thing that an engine may do wrongly inside a trunk, so that it can be simulated. Torch is not imported."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Activation = Literal["right", "relu", "gelu-tanh", "silu", "gelu"]
Order = Literal["right", "causal", "two-way"]
SimulatedPooling = Literal[
    "cls", "mean", "last", "max", "min", "weighted", "no-specials", "second", "before-last", "first-last", "cls-mean"
]


@dataclass(frozen=True, slots=True)
class TrunkChange:
    """What is not as the checkpoint says; the defaults change nothing.

    Attributes:
        dropped: layers left out at the end; ``half`` of them where it is -1.
        skipped: a layer left out inside, counted from 0; None for none.
        activation: of the feed-forward part.
        shift: added to every position.
        positions: False where all tokens stand at one position.
        kind: row of the segment table; None where it is left out.
        embedding_norm: the norm behind the embeddings; without it for BERT and XLM-R alone.
        final_norm: the last norm.
        order: which tokens see which.
        scaled: whether products of queries and keys are divided by the root of the size of a head.
        biases: whether those of linear layers are added.
        theta: of rotary positions; None for the checkpoint's.
        head_norms: whether queries and keys are normalised where the architecture does it.
        eps: of the norms; None for the checkpoint's.
    """

    dropped: int = 0
    skipped: int | None = None
    activation: Activation = "right"
    shift: int = 0
    positions: bool = True
    kind: int | None = 0
    embedding_norm: bool = True
    final_norm: bool = True
    order: Order = "right"
    scaled: bool = True
    biases: bool = True
    theta: float | None = None
    head_norms: bool = True
    eps: float | None = None


UNCHANGED = TrunkChange()
