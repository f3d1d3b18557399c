"""BERT's forward pass in float32 numpy, texts packed end to end without padding.

Shapes: t tokens of all texts of a batch together, h hidden, a heads, w = h / a, c texts of equal length l. States lie
as float32[h, t], one column a token: a weight multiplies them as a checkpoint stores it, every head of every text is
a block that BLAS reads and writes in place, and OpenBLAS is faster at few tokens than the other way round.

BLAS spreads the large products over the cores by itself. What lies between them is cut into pieces that stay in a
core's cache, and is left to one thread: pieces last microseconds, and two threads took no less time beside BLAS's own,
which spin on the cores between two products.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from steelyard.engines.plan import Run, runs
from steelyard.types import Vectors

Ids = NDArray[np.int64]
_PIECE = 1 << 14  # values of an elementwise piece, which with two temporaries stays in a core's cache
_SCORES = 1 << 16  # attention scores of a piece
_ONE_CORE = 1 << 18  # OpenBLAS does a product of no more multiplications on the thread that asks for it
_COLUMNS = 128  # tokens normalised at a time


@dataclass(frozen=True)
class Norm:
    """LayerNorm: weight[h] and bias[h]."""

    weight: Vectors
    bias: Vectors
    eps: float

    def __call__(self, states: Vectors) -> None:
        """Normalises every column of float32[h, t] in place."""
        states -= states.mean(axis=0)
        deviation = np.einsum("ht,ht->t", states, states)
        deviation /= np.float32(len(states))
        deviation += np.float32(self.eps)
        states /= np.sqrt(deviation, out=deviation)
        states *= self.weight[:, None]
        states += self.bias[:, None]


@dataclass(frozen=True)
class Linear:
    """weight[o, i] as a checkpoint stores it, and bias[o]."""

    weight: Vectors
    bias: Vectors


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
        rows = self.words(np.concatenate(texts))
        rows += self.places[np.concatenate([np.arange(n) for n in lengths])]
        states = np.ascontiguousarray(rows.T)
        self.norm(states)
        forward = _Forward(states, runs(lengths), self.heads)
        for layer in self.layers:
            forward(layer)
        rows = np.ascontiguousarray(states.T)
        ends = np.cumsum(lengths)
        return [rows[end - length : end] for end, length in zip(ends, lengths, strict=True)]


class _Forward:
    """A batch on its way through the layers, in buffers that every layer uses again."""

    def __init__(self, states: Vectors, texts: Sequence[Run], heads: int) -> None:
        self._states = states
        self._texts = texts
        self._heads = heads
        self._added = np.empty_like(states)
        self._mixed = np.empty_like(states)
        self._buffer = np.empty(0, dtype=np.float32)

    def __call__(self, layer: Layer) -> None:
        """Replaces the states by those behind the layer."""
        qkv = self._product(layer.attend.weight, self._states)
        qkv += layer.attend.bias[:, None]
        for run in self._texts:
            self._attend(qkv, run)
        np.matmul(layer.attended.weight, self._mixed, out=self._added)
        self._add_and_norm(layer.attended.bias, layer.attended_norm)
        wide = self._product(layer.widen.weight, self._states)
        self._add_and_gelu(wide, layer.widen.bias)
        np.matmul(layer.narrow.weight, wide, out=self._added)
        self._add_and_norm(layer.narrow.bias, layer.norm)

    def _product(self, weight: Vectors, states: Vectors) -> Vectors:
        size = len(weight) * states.shape[1]
        if self._buffer.size < size:
            self._buffer = np.empty(size, dtype=np.float32)
        return np.matmul(weight, states, out=self._buffer[:size].reshape(len(weight), -1))

    def _add_and_gelu(self, states: Vectors, bias: Vectors) -> None:
        for rows in _pieces(len(states), max(1, _PIECE // states.shape[1])):
            piece = states[rows]
            piece += bias[rows, None]
            gelu(piece)

    def _add_and_norm(self, bias: Vectors, norm: Norm) -> None:
        """The states become the norm of themselves, what was added and a bias."""
        for columns in _pieces(self._states.shape[1], _COLUMNS):
            states = self._states[:, columns] + self._added[:, columns]  # side by side, which the columns are not
            states += bias[:, None]
            norm(states)
            self._states[:, columns] = states

    def _attend(self, qkv: Vectors, run: Run) -> None:
        """Mixes a run's tokens, each from the values of its own text."""
        blocks = qkv[:, run.start : run.stop].reshape(3, self._heads, -1, run.count, run.length)
        query, key, value = blocks.transpose(0, 3, 1, 2, 4)  # each float32[c, a, w, l]
        mixed = self._mixed[:, run.start : run.stop].reshape(self._heads, -1, run.count, run.length)
        out = mixed.transpose(2, 0, 1, 3)
        at_once = max(1, min(run.length, _ONE_CORE // (query.shape[2] * run.length)))  # queries
        texts = max(1, _SCORES // (self._heads * run.length * at_once))
        for c in _pieces(run.count, texts):
            for some in _pieces(run.length, at_once):
                _mix(query[c, ..., some], key[c], value[c], out[c, ..., some])


def _pieces(total: int, step: int) -> Iterator[slice]:
    return (slice(start, min(start + step, total)) for start in range(0, total, step))


def _mix(query: Vectors, key: Vectors, value: Vectors, out: Vectors) -> None:
    """Writes the means of float32[c, a, w, l] values for float32[c, a, w, q] queries."""
    scores = (query * np.float32(1 / math.sqrt(query.shape[-2]))).swapaxes(-1, -2) @ key
    scores -= scores.max(axis=-1, keepdims=True)
    np.exp(scores, out=scores)
    totals = scores @ np.ones(key.shape[-1], dtype=np.float32)  # numpy adds short rows slower than BLAS multiplies
    np.matmul(value, scores.swapaxes(-1, -2), out=out)
    out /= totals[..., None, :]


def gelu(states: Vectors) -> Vectors:
    """x Phi(x), in place: exact to float32, through erf after Abramowitz and Stegun 7.1.28 (error below 3e-7).

    With s = |x| / sqrt(2) and p(s) = 1 - erf(s) = (1 + a1 s + ... + a6 s^6)^-16, x Phi(x) = (x + |x| - |x| p(s)) / 2.
    """
    size = np.abs(states)
    tail = size * _TAIL[0]
    for constant in _TAIL[1:]:
        tail += constant
        tail *= size
    tail += np.float32(1)
    np.reciprocal(tail, out=tail)
    for _ in range(4):
        np.square(tail, out=tail)
    np.subtract(1, tail, out=tail)
    tail *= size
    states += tail
    states *= np.float32(0.5)
    return states


_TAIL = tuple(
    np.float32(constant / math.sqrt(2) ** power)
    for power, constant in zip(
        range(6, 0, -1),
        (0.0000430638, 0.0002765672, 0.0001520143, 0.0092705272, 0.0422820123, 0.0705230784),
        strict=True,
    )
)
"""Of the highest power first, for |x| instead of s."""
