"""BERT's forward pass in float32 numpy, texts packed end to end without padding.

Shapes: t tokens of all texts of a batch together, h hidden, a heads, w = h / a, c texts of equal length l.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from steelyard.engines.plan import runs
from steelyard.types import Vectors

Ids = NDArray[np.int64]
_GELU_ROWS = 64  # so that the temporaries of one piece stay in a core's cache


@dataclass(frozen=True)
class Norm:
    """LayerNorm: weight[h] and bias[h]."""

    weight: Vectors
    bias: Vectors
    eps: float

    def __call__(self, states: Vectors) -> Vectors:
        """Normalises float32[t, h] in place and returns it."""
        states -= states.mean(axis=1, keepdims=True)
        variance = np.einsum("th,th->t", states, states) / states.shape[1]
        states *= (1 / np.sqrt(variance + self.eps))[:, None]
        states *= self.weight
        states += self.bias
        return states


@dataclass(frozen=True)
class Linear:
    """weight[o, i] as a checkpoint stores it, and bias[o]."""

    weight: Vectors
    bias: Vectors

    def __call__(self, states: Vectors) -> Vectors:
        """float32[t, o] of float32[t, i]."""
        out: Vectors = states @ self.weight.T
        out += self.bias
        return out


@dataclass(frozen=True)
class Layer:
    """One encoder layer; queries, keys and values are one linear of [3h, h]."""

    attend: Linear
    attended: Linear
    attended_norm: Norm
    widen: Linear
    narrow: Linear
    norm: Norm


@dataclass(frozen=True)
class Bert:
    """A BERT encoder; the tokens' embeddings may stay on disk.

    Attributes:
        words: token ids[t] -> float32[t, h], a new array.
        places: float32[positions, h], the embedding of token type 0 added.
        norm: of the embeddings.
        layers: in order.
        heads: attention heads.
    """

    words: Callable[[Ids], Vectors]
    places: Vectors
    norm: Norm
    layers: tuple[Layer, ...]
    heads: int

    def __call__(self, texts: Sequence[Ids]) -> list[Vectors]:
        """float32[length, h] for each text of at least one token and no more than there are positions."""
        lengths = [len(ids) for ids in texts]
        states = self.words(np.concatenate(texts))
        states += self.places[np.concatenate([np.arange(n) for n in lengths])]
        states = self.norm(states)
        for layer in self.layers:
            mixed = self._attention(layer.attend(states), lengths)
            states = layer.attended_norm(layer.attended(mixed) + states)
            states = layer.norm(layer.narrow(gelu(layer.widen(states))) + states)
        ends = np.cumsum(lengths)
        return [states[end - length : end] for end, length in zip(ends, lengths, strict=True)]

    def _attention(self, qkv: Vectors, lengths: Sequence[int]) -> Vectors:
        """float32[t, h]: every token a mean of the values of its own text."""
        out = np.empty((len(qkv), qkv.shape[1] // 3), dtype=np.float32)
        for run in runs(lengths):
            rows = qkv[run.start : run.stop].reshape(run.count, run.length, 3, self.heads, -1)
            query, key, value = rows.transpose(2, 0, 3, 1, 4)  # each float32[c, a, l, w]
            weights = (query * np.float32(1 / math.sqrt(query.shape[-1]))) @ key.transpose(0, 1, 3, 2)
            weights -= weights.max(axis=-1, keepdims=True)
            np.exp(weights, out=weights)
            weights /= weights.sum(axis=-1, keepdims=True)
            out[run.start : run.stop] = (weights @ value).transpose(0, 2, 1, 3).reshape(run.stop - run.start, -1)
        return out


def gelu(states: Vectors) -> Vectors:
    """x Phi(x), in place: exact to float32, through erf after Abramowitz and Stegun 7.1.26 (error below 1.5e-7).

    With z = |x| / sqrt(2) and p(z) = 1 - erf(z), x Phi(x) = max(x, 0) - |x| p(z) / 2.
    """
    for start in range(0, len(states), _GELU_ROWS):
        x = states[start : start + _GELU_ROWS]
        size = np.abs(x)
        t = 1 / (1 + np.float32(0.3275911 / math.sqrt(2)) * size)
        tail = np.float32(1.061405429) * t
        for constant in (-1.453152027, 1.421413741, -0.284496736, 0.254829592):
            tail += np.float32(constant)
            tail *= t
        tail *= np.exp(size * size * np.float32(-0.5))
        tail *= size
        tail *= np.float32(0.5)
        np.maximum(x, 0, out=x)
        x -= tail
    return states
