"""Plain trunks of BERT, XLM-R and Qwen3, one text at a time in fp32, that can be run wrongly on purpose.

Slow and small: the doctor runs a dozen short texts through them to name what a server does. Shapes: ``t`` tokens of a
text, ``h`` hidden, ``q`` heads, ``d`` numbers of a head.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from steelyard.engines.checkpoint.layout import BERT_ANCHOR, QWEN3_ANCHOR
from steelyard.engines.checkpoint.shape import Rope, read_shape
from steelyard.engines.checkpoint.tokenizer import Ids
from steelyard.engines.checkpoint.trunk_change import SimulatedPooling, TrunkChange
from steelyard.engines.torch.layers import rotary
from steelyard.engines.torch.rows import PlainRows
from steelyard.engines.torch.weights import Checkpoint
from steelyard.types import Vectors

SIMULATED = ("bert", "xlm-roberta", "qwen3")
_ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "gelu": functional.gelu,
    "gelu-tanh": lambda x: functional.gelu(x, approximate="tanh"),
    "relu": functional.relu,
    "silu": functional.silu,
}


class Simulator:
    """A checkpoint that runs as one is told.

    Args:
        folder: the checkpoint.
        architecture: one of :data:`SIMULATED`.

    Raises:
        RecipeError: ``config.json`` does not fit.
        WeightsError: the weights cannot be read.
    """

    def __init__(self, folder: Path, architecture: str) -> None:
        self._shape = read_shape(folder, architecture)
        self._checkpoint = Checkpoint(folder)
        self._is_bert = architecture != "qwen3"
        self._root = self._checkpoint.root(BERT_ANCHOR if self._is_bert else QWEN3_ANCHOR)
        self._words = self._get("embeddings.word_embeddings" if self._is_bert else "embed_tokens")

    @torch.inference_mode()
    def pooled(self, rows: Sequence[Ids], pooling: SimulatedPooling, change: TrunkChange) -> Vectors:
        """float32[n, h]: one state a text, not normalised."""
        run = self._bert if self._is_bert else self._qwen3
        found = []
        for ids in rows:
            states = run(torch.tensor(ids), change)
            found.append(pool(states, pooling).float().numpy())
        return np.stack(found)

    def _get(self, name: str, part: str = "weight") -> Tensor:
        return self._checkpoint.tensor(f"{self._root}{name}.{part}")

    def _linear(self, x: Tensor, name: str, *, biased: bool) -> Tensor:
        bias = self._get(name, "bias").float() if biased else None
        return functional.linear(x, self._get(name).float(), bias)

    def _layers(self, change: TrunkChange) -> list[int]:
        count = self._shape.layers
        left = count // 2 if change.dropped < 0 else max(1, count - change.dropped)
        return [i for i in range(left) if i != change.skipped]

    def _bert(self, ids: Tensor, change: TrunkChange) -> list[Tensor]:
        shape = self._shape
        reach = shape.max_tokens + shape.first_position
        places = torch.arange(len(ids)) if change.positions else torch.zeros(len(ids), dtype=torch.long)
        places = (places + shape.first_position + change.shift).clamp(0, reach - 1)
        x = self._words[ids].float() + self._get("embeddings.position_embeddings")[places].float()
        kinds = self._get("embeddings.token_type_embeddings").float()
        if change.kind is not None:
            x = x + kinds[min(change.kind, len(kinds) - 1)]
        states = [self._layer_norm(x, "embeddings.LayerNorm", change) if change.embedding_norm else x]
        for i in self._layers(change):
            states.append(self._bert_layer(states[-1], f"encoder.layer.{i}.", change))
        return states

    def _bert_layer(self, x: Tensor, at: str, change: TrunkChange) -> Tensor:
        parts = [self._linear(x, f"{at}attention.self.{n}", biased=change.biases) for n in ("query", "key", "value")]
        query, key, value = (p.unflatten(1, (self._shape.heads, -1)).transpose(0, 1) for p in parts)
        seen = _attend(query, key, value, causal=change.order == "causal", scaled=change.scaled)
        out = self._linear(seen, f"{at}attention.output.dense", biased=change.biases)
        x = self._layer_norm(x + out, f"{at}attention.output.LayerNorm", change)
        inner = self._linear(x, f"{at}intermediate.dense", biased=change.biases)
        act = _ACTIVATIONS["gelu" if change.activation == "right" else change.activation]
        down = self._linear(act(inner), f"{at}output.dense", biased=change.biases)
        return self._layer_norm(x + down, f"{at}output.LayerNorm", change)

    def _layer_norm(self, x: Tensor, name: str, change: TrunkChange) -> Tensor:
        weight, bias = self._get(name).float(), self._get(name, "bias").float()
        return functional.layer_norm(x, x.shape[-1:], weight, bias, change.eps or self._shape.eps)

    def _qwen3(self, ids: Tensor, change: TrunkChange) -> list[Tensor]:
        shape = self._shape
        right = shape.rope or Rope(1_000_000.0)
        rope = right if change.theta is None else Rope(change.theta, right.divisor)
        places = torch.arange(len(ids)) if change.positions else torch.zeros(len(ids), dtype=torch.long)
        turn = rotary(places + max(0, change.shift), shape.head, rope)
        states = [self._words[ids].float()]
        for i in self._layers(change):
            states.append(self._qwen3_layer(states[-1], f"layers.{i}.", turn, change))
        if change.final_norm:
            states[-1] = self._rms(states[-1], "norm", change)
        return states

    def _qwen3_layer(self, x: Tensor, at: str, turn: tuple[Tensor, Tensor], change: TrunkChange) -> Tensor:
        shape, normed = self._shape, self._rms(x, f"{at}input_layernorm", change)
        parts = [self._linear(normed, f"{at}self_attn.{n}_proj", biased=False) for n in "qkv"]
        query, key, value = (p.unflatten(1, (-1, shape.head)) for p in parts)
        if change.head_norms:
            query = self._rms(query, f"{at}self_attn.q_norm", change)
            key = self._rms(key, f"{at}self_attn.k_norm", change)
        query, key = (PlainRows().rotate(part, turn) for part in (query, key))
        times = shape.heads // shape.key_heads
        key, value = key.repeat_interleave(times, 1), value.repeat_interleave(times, 1)
        heads = (p.transpose(0, 1) for p in (query, key, value))
        seen = _attend(*heads, causal=change.order != "two-way", scaled=change.scaled)
        x = x + self._linear(seen, f"{at}self_attn.o_proj", biased=False)
        normed = self._rms(x, f"{at}post_attention_layernorm", change)
        act = _ACTIVATIONS["silu" if change.activation == "right" else change.activation]
        gate = act(self._linear(normed, f"{at}mlp.gate_proj", biased=False))
        return x + self._linear(
            gate * self._linear(normed, f"{at}mlp.up_proj", biased=False), f"{at}mlp.down_proj", biased=False
        )

    def _rms(self, x: Tensor, name: str, change: TrunkChange) -> Tensor:
        return functional.rms_norm(x, x.shape[-1:], self._get(name).float(), change.eps or self._shape.eps)


def _attend(query: Tensor, key: Tensor, value: Tensor, *, causal: bool, scaled: bool) -> Tensor:
    """float32[t, q * d] of float32[q, t, d]."""
    scale = None if scaled else 1.0
    seen = functional.scaled_dot_product_attention(query[None], key[None], value[None], is_causal=causal, scale=scale)
    return seen[0].transpose(0, 1).flatten(1)


def pool(layers: Sequence[Tensor], pooling: SimulatedPooling) -> Tensor:
    """float32[h] of the states behind every layer, float32[t, h] each."""
    states = layers[-1]
    inner = states[1:-1] if len(states) > 2 else states
    weights = torch.arange(1, len(states) + 1).float()[:, None]
    ways: dict[SimulatedPooling, Callable[[], Tensor]] = {
        "cls": lambda: states[0],
        "mean": lambda: states.mean(0),
        "last": lambda: states[-1],
        "max": lambda: states.amax(0),
        "min": lambda: states.amin(0),
        "weighted": lambda: (states * weights).sum(0) / weights.sum(),
        "no-specials": lambda: inner.mean(0),
        "second": lambda: states[min(1, len(states) - 1)],
        "before-last": lambda: states[max(0, len(states) - 2)],
        "first-last": lambda: (layers[1] + states).mean(0),
        "cls-mean": lambda: states[0] + states.mean(0),
    }
    return ways[pooling]()
