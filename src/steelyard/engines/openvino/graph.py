"""The parts of a transformer in OpenVINO's operations, over packed texts.

Shapes: ``n`` texts, ``t`` tokens of all of them end to end, ``l`` tokens of the longest, ``h`` hidden, ``q`` query
heads, ``k`` key heads, ``d`` size of a head, ``r`` rows that are wanted in the end, ``i`` inputs and ``o`` outputs.

Products run over the ``t`` tokens that there are; only attention is laid out as [n, l], through ``place``, and put back
through ``back``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import openvino as ov
from numpy.typing import NDArray
from openvino import opset13 as op

from steelyard.engines.openvino.mapped import Floats, Mapped

Node = Any
"""A node of OpenVINO's graph; its Python binding gives no useful type."""
TOP = 127
"""Largest magnitude that a weight is rounded to."""


@dataclass(frozen=True, slots=True)
class Inputs:
    """What a graph is fed.

    Attributes:
        x: float32[t, h], the looked-up embeddings.
        place: int64[n, l], for each place of the layout the token that stands there, padding anything.
        back: int64[t], for each token its place in the flattened layout.
        rows: int64[r], tokens whose states are wanted.
        rows_back: int64[r], the places of those.
        mask: float32[n, 1, 1, l], 0 where there is a token and far below it elsewhere; two-way attention alone.
        cos, sin: float32[t, 1, d / 2], rotary positions; Qwen3 alone.
    """

    x: Node
    place: Node
    back: Node
    rows: Node
    rows_back: Node
    mask: Node | None = None
    cos: Node | None = None
    sin: Node | None = None

    @classmethod
    def make(cls, hidden: int, rotary: int) -> Inputs:
        """Parameters of those names; ``rotary`` is the size of a head, 0 for two-way attention."""
        return cls(
            x=_parameter("x", [-1, hidden], np.float32),
            place=_parameter("place", [-1, -1], np.int64),
            back=_parameter("back", [-1], np.int64),
            rows=_parameter("rows", [-1], np.int64),
            rows_back=_parameter("rows_back", [-1], np.int64),
            mask=None if rotary else _parameter("mask", [-1, 1, 1, -1], np.float32),
            cos=_parameter("cos", [-1, 1, rotary // 2], np.float32) if rotary else None,
            sin=_parameter("sin", [-1, 1, rotary // 2], np.float32) if rotary else None,
        )

    def parameters(self) -> list[Node]:
        """Those that are there."""
        every = (self.x, self.place, self.back, self.rows, self.rows_back, self.mask, self.cos, self.sin)
        return [p for p in every if p is not None]


@dataclass(frozen=True, slots=True)
class Builder:
    """Makes parts out of a checkpoint's tensors.

    Attributes:
        checkpoint: the tensors.
        eps: added to the variance in norms.
        whole: keep weights in fp32 instead of int8.
    """

    checkpoint: Mapped
    eps: float
    whole: bool = False

    def linear(self, x: Node, *names: str, bias: bool = True) -> Node:
        """[t, o] of [t, i]; several names give their outputs side by side, by one product."""
        weight = np.concatenate([self.checkpoint.array(f"{n}.weight") for n in names])
        product = op.matmul(x, self._weight(weight), False, True)
        if not bias:
            return product
        return op.add(product, op.constant(np.concatenate([self.checkpoint.array(f"{n}.bias") for n in names])[None]))

    def layer_norm(self, x: Node, name: str) -> Node:
        """Mean and variance taken out of the last axis."""
        even = op.mvn(x, op.constant(np.array([-1])), normalize_variance=True, eps=self.eps, eps_mode="inside_sqrt")
        return op.add(op.multiply(even, self._vector(f"{name}.weight")), self._vector(f"{name}.bias"))

    def rms_norm(self, x: Node, name: str) -> Node:
        """The root of the mean square taken out of the last axis."""
        square = op.reduce_mean(op.power(x, _scalar(2.0)), op.constant(np.array([-1])), keep_dims=True)
        inverse = op.power(op.sqrt(op.add(square, _scalar(self.eps))), _scalar(-1.0))
        weight = self.checkpoint.array(f"{name}.weight")
        return op.multiply(op.multiply(x, inverse), op.constant(weight))

    def _vector(self, name: str) -> Node:
        return op.constant(self.checkpoint.array(name)[None])

    def _weight(self, weight: Floats) -> Node:
        if self.whole:
            return op.constant(weight)
        values, scale = quantise(weight)
        return op.multiply(op.convert(op.constant(values), np.float32), op.constant(scale))


def quantise(weight: Floats) -> tuple[NDArray[np.int8], Floats]:
    """int8[o, i] within 127 and float32[o, 1] whose product is nearly ``weight``; a row of zeros has scale 1."""
    scale = np.abs(weight).max(axis=1, keepdims=True) / TOP
    scale[scale == 0] = 1
    return np.rint(weight / scale).astype(np.int8), scale.astype(np.float32)


def split_heads(x: Node, heads: int, size: int) -> Node:
    """[t, heads, d] of [t, heads * d]."""
    return op.reshape(x, op.constant(np.array([0, heads, size])), special_zero=True)


def lay_out(x: Node, place: Node) -> Node:
    """[n, heads, l, d] of [t, heads, d]."""
    return op.transpose(op.gather(x, place, _axis(0)), op.constant(np.array([0, 2, 1, 3])))


def put_back(seen: Node, back: Node, width: int) -> Node:
    """[t, q * d] of [n, q, l, d]."""
    flat = op.reshape(
        op.transpose(seen, op.constant(np.array([0, 2, 1, 3]))), op.constant(np.array([-1, width])), False
    )
    return op.gather(flat, back, _axis(0))


def select(x: Node, rows: Node) -> Node:
    """The rows of x."""
    return op.gather(x, rows, _axis(0))


def part(x: Node, start: int, stop: int) -> Node:
    """x[:, start:stop]."""
    one = op.constant(np.array([1]))
    return op.slice(x, op.constant(np.array([start])), op.constant(np.array([stop])), one, one)


def rotate(x: Node, cos: Node, sin: Node, size: int) -> Node:
    """[t, heads, d] turned by its positions; the two halves of a head are the two coordinates."""
    half, one, axis = size // 2, op.constant(np.array([1])), op.constant(np.array([2]))
    left = op.slice(x, op.constant(np.array([0])), op.constant(np.array([half])), one, axis)
    right = op.slice(x, op.constant(np.array([half])), op.constant(np.array([size])), one, axis)
    turned = op.subtract(op.multiply(left, cos), op.multiply(right, sin))
    return op.concat([turned, op.add(op.multiply(right, cos), op.multiply(left, sin))], 2)


def widen(x: Node, heads: int, wanted: int) -> Node:
    """[t, wanted, d] of [t, heads, d], each head repeated for the query heads that share it."""
    if heads == wanted:
        return x
    return op.gather(x, op.constant(np.repeat(np.arange(heads), wanted // heads)), _axis(1))


def finish(output: Node, inputs: Inputs) -> ov.Model:
    """The graph with its one result."""
    return ov.Model([op.result(output)], inputs.parameters(), "steelyard")


def _parameter(name: str, shape: list[int], kind: type) -> Node:
    made = op.parameter(shape, kind, name=name)
    made.get_output_tensor(0).set_names({name})
    return made


def _axis(axis: int) -> Node:
    return op.constant(np.array(axis))


def _scalar(value: float) -> Node:
    return op.constant(np.float32(value))
