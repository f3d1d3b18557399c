"""BGE-M3's two further heads: a weight for every token id, and a vector for every token.

Shapes: ``t`` tokens, ``h`` hidden.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import linear, normalize, relu

from steelyard.engines.checkpoint.pickled import load_pickled
from steelyard.engines.checkpoint.tokenizer import Ids

NOT_WORDS = ("<s>", "</s>", "<pad>", "<unk>")
"""Tokens that get no weight."""


class _Head:
    """One linear layer, of a file of its own.

    Args:
        folder: holds the file.
        hidden: numbers of a state.

    Raises:
        WeightsError: the file is missing, hostile or of other shapes.
    """

    file: str

    def __init__(self, folder: Path, hidden: int) -> None:
        outputs = self._outputs(hidden)
        state = load_pickled(folder / self.file, {"weight": (outputs, hidden), "bias": (outputs,)})
        self._weight, self._bias = state["weight"], state["bias"]

    def _outputs(self, hidden: int) -> int:
        return hidden

    def _linear(self, states: Tensor) -> Tensor:
        return linear(states.cpu(), self._weight, self._bias)


class SparseHead(_Head):
    """How much a token matters for finding its text."""

    file = "sparse_linear.pt"

    def __call__(self, states: Tensor) -> Tensor:
        """float32[t, 1], never below zero."""
        return relu(self._linear(states))

    def _outputs(self, hidden: int) -> int:
        return 1


class ColbertHead(_Head):
    """A vector of every token, L2-normalised."""

    file = "colbert_linear.pt"

    def __call__(self, states: Tensor) -> Tensor:
        """float32[t, h], each of length one."""
        return normalize(self._linear(states), dim=-1)


def heaviest(ids: Ids, weights: NDArray[np.float32], left_out: set[int]) -> dict[int, float]:
    """For each token id the largest of its weights, where above zero."""
    found: dict[int, float] = {}
    for token, weight in zip(ids, weights.ravel().tolist(), strict=True):
        if token not in left_out and weight > found.get(token, 0.0):
            found[token] = weight
    return found
