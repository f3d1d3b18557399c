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
from steelyard.engines.checkpoint.vocabulary import Ids

NOT_WORDS = ("<s>", "</s>", "<pad>", "<unk>")
"""Tokens that get no weight."""


class SparseHead:
    """``sparse_linear.pt``: how much a token matters for finding its text.

    Args:
        folder: holds the file.
        hidden: numbers of a state.

    Raises:
        WeightsError: the file is missing, hostile or of other shapes.
    """

    def __init__(self, folder: Path, hidden: int) -> None:
        state = load_pickled(folder / "sparse_linear.pt", {"weight": (1, hidden), "bias": (1,)})
        self._weight, self._bias = state["weight"], state["bias"]

    def __call__(self, states: Tensor) -> Tensor:
        """float32[t, 1], never below zero."""
        return relu(linear(states.cpu(), self._weight, self._bias))


class ColbertHead:
    """``colbert_linear.pt``: a vector of every token, L2-normalised.

    Args:
        folder: holds the file.
        hidden: numbers of a state.

    Raises:
        WeightsError: the file is missing, hostile or of other shapes.
    """

    def __init__(self, folder: Path, hidden: int) -> None:
        state = load_pickled(folder / "colbert_linear.pt", {"weight": (hidden, hidden), "bias": (hidden,)})
        self._weight, self._bias = state["weight"], state["bias"]

    def __call__(self, states: Tensor) -> Tensor:
        """float32[t, h], each of length one."""
        return normalize(linear(states.cpu(), self._weight, self._bias), dim=-1)


def heaviest(ids: Ids, weights: NDArray[np.float32], left_out: set[int]) -> dict[int, float]:
    """For each token id the largest of its weights, where above zero."""
    found: dict[int, float] = {}
    for token, weight in zip(ids, weights.ravel().tolist(), strict=True):
        if token not in left_out and weight > found.get(token, 0.0):
            found[token] = weight
    return found
