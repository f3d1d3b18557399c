"""BERT, XLM-RoBERTa and Qwen3 as OpenVINO graphs.

The letters of shapes are those of :mod:`steelyard.engines.openvino.graph`.
"""

from __future__ import annotations

import openvino as ov
from openvino import opset13 as op

from steelyard.engines.checkpoint.layout import BERT_ANCHOR, QWEN3_ANCHOR, bert_shapes, qwen3_shapes
from steelyard.engines.checkpoint.shape import Shape
from steelyard.engines.openvino.graph import (
    Builder,
    Inputs,
    Node,
    finish,
    lay_out,
    part,
    put_back,
    rotate,
    select,
    split_heads,
    widen,
)
from steelyard.engines.openvino.mapped import Mapped


def build(checkpoint: Mapped, shape: Shape, architecture: str, *, whole: bool) -> ov.Model:
    """The graph of a trunk: float32[r, h] of :class:`~steelyard.engines.openvino.graph.Inputs`.

    Args:
        checkpoint: the tensors, checked against ``shape`` before any is read.
        shape: their sizes.
        architecture: ``bert``, ``xlm-roberta`` or ``qwen3``.
        whole: keep weights in fp32 instead of int8.

    Raises:
        WeightsError: a tensor is missing or has another shape.
    """
    qwen = architecture == "qwen3"
    root = checkpoint.root(QWEN3_ANCHOR if qwen else BERT_ANCHOR)
    names = qwen3_shapes(shape) if qwen else bert_shapes(shape)
    checkpoint.expect({root + name: size for name, size in names.items()})
    builder = Builder(checkpoint, shape.eps, whole)
    inputs = Inputs.make(shape.hidden, shape.head if qwen else 0)
    return (_qwen3 if qwen else _bert)(builder, shape, root, inputs)


def _bert(builder: Builder, shape: Shape, root: str, inputs: Inputs) -> ov.Model:
    x = builder.layer_norm(inputs.x, f"{root}embeddings.LayerNorm")
    for i in range(shape.layers):
        at = f"{root}encoder.layer.{i}."
        last = i == shape.layers - 1
        seen = _two_way(builder, shape, f"{at}attention.self.", x, inputs, last=last)
        x = select(x, inputs.rows) if last else x
        out = builder.linear(seen, f"{at}attention.output.dense")
        x = builder.layer_norm(op.add(x, out), f"{at}attention.output.LayerNorm")
        inner = op.gelu(builder.linear(x, f"{at}intermediate.dense"), "ERF")
        x = builder.layer_norm(op.add(x, builder.linear(inner, f"{at}output.dense")), f"{at}output.LayerNorm")
    return finish(x, inputs)


def _two_way(builder: Builder, shape: Shape, at: str, x: Node, inputs: Inputs, *, last: bool) -> Node:
    h = shape.hidden
    packed = builder.linear(x, f"{at}query", f"{at}key", f"{at}value")
    query, key, value = (
        lay_out(split_heads(part(packed, i * h, (i + 1) * h), shape.heads, shape.head), inputs.place) for i in range(3)
    )
    seen = op.scaled_dot_product_attention(query, key, value, inputs.mask)
    return put_back(seen, inputs.rows_back if last else inputs.back, h)


def _qwen3(builder: Builder, shape: Shape, root: str, inputs: Inputs) -> ov.Model:
    x = inputs.x
    for i in range(shape.layers):
        at = f"{root}layers.{i}."
        last = i == shape.layers - 1
        seen = _causal(builder, shape, at, builder.rms_norm(x, f"{at}input_layernorm"), inputs, last=last)
        x = select(x, inputs.rows) if last else x
        x = op.add(x, builder.linear(seen, f"{at}self_attn.o_proj", bias=False))
        normed = builder.rms_norm(x, f"{at}post_attention_layernorm")
        gate = op.swish(builder.linear(normed, f"{at}mlp.gate_proj", bias=False))
        up = builder.linear(normed, f"{at}mlp.up_proj", bias=False)
        x = op.add(x, builder.linear(op.multiply(gate, up), f"{at}mlp.down_proj", bias=False))
    return finish(builder.rms_norm(x, f"{root}norm"), inputs)


def _causal(builder: Builder, shape: Shape, at: str, normed: Node, inputs: Inputs, *, last: bool) -> Node:
    """Padding stands behind a text, where nothing of the text looks, so that there is no mask but the causal one."""
    size, at = shape.head, f"{at}self_attn."
    q, k = shape.heads * size, shape.key_heads * size
    packed = builder.linear(normed, f"{at}q_proj", f"{at}k_proj", f"{at}v_proj", bias=False)
    query = builder.rms_norm(split_heads(part(packed, 0, q), shape.heads, size), f"{at}q_norm")
    key = builder.rms_norm(split_heads(part(packed, q, q + k), shape.key_heads, size), f"{at}k_norm")
    value = split_heads(part(packed, q + k, q + 2 * k), shape.key_heads, size)
    query, key = (rotate(part_, inputs.cos, inputs.sin, size) for part_ in (query, key))
    key, value = (widen(part_, shape.key_heads, shape.heads) for part_ in (key, value))
    laid = [lay_out(part_, inputs.place) for part_ in (query, key, value)]
    seen = op.scaled_dot_product_attention(*laid, causal=True)
    return put_back(seen, inputs.rows_back if last else inputs.back, q)
