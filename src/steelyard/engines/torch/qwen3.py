"""The Qwen3 decoder over packed texts, with a prefix that all of them may share.

Shapes: ``n`` texts, ``t`` tokens of a pack, ``h`` hidden, ``f`` inner, ``q`` query heads, ``k`` key heads, ``d`` size
of a head, ``p`` tokens of the prefix.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from steelyard.engines.checkpoint.layout import QWEN3_ANCHOR, qwen3_shapes
from steelyard.engines.checkpoint.shape import Rope
from steelyard.engines.torch.attention import KeyValue
from steelyard.engines.torch.layer_factory import LayerFactory
from steelyard.engines.torch.layers import RMSNorm, in_slices, rotary
from steelyard.engines.torch.linear import Branches, Linear
from steelyard.engines.torch.pack import Pack, pack
from steelyard.engines.torch.rows import Rows, Turn


@dataclass(frozen=True, slots=True)
class _Layer:
    norm: RMSNorm
    inputs: Branches  # queries, keys and values
    query_norm: tuple[Tensor, float]
    key_norm: tuple[Tensor, float]
    out: Linear
    inner_norm: RMSNorm
    inner: Branches  # the gate, and what is gated
    down: Linear
    head: int
    rows: Rows

    def split(self, read: Tensor, turn: Turn, rows: Tensor | None) -> tuple[Tensor, KeyValue]:
        """Queries of the wanted rows, keys and values of all, from what products read."""
        query, key, value = (part.unflatten(1, (-1, self.head)) for part in self.inputs(read))
        key = self.rows.rotate(key, turn, self.key_norm)
        if rows is not None:
            query, turn = query[rows], (turn[0][rows], turn[1][rows])
        return self.rows.rotate(query, turn, self.query_norm), KeyValue(key, value)

    def finish(self, x: Tensor, seen: Tensor) -> tuple[Tensor, Tensor]:
        """The residual states behind attention, and what is still to be added to them."""
        x, read = self.inner_norm(x, self.out(seen))
        return x, in_slices(self._inner, read)

    def _inner(self, x: Tensor) -> Tensor:
        gate, up = self.inner(x)
        return self.down(self.rows.gated(gate, up, "silu"))


class Qwen3:
    """The trunk; see :class:`steelyard.engines.torch.layers.Trunk`.

    Args:
        parts: what it is made with.

    Raises:
        WeightsError: a tensor is missing or has another shape.
    """

    causal = True

    def __init__(self, parts: LayerFactory) -> None:
        checkpoint, shape = parts.checkpoint, parts.shape
        root = checkpoint.root(QWEN3_ANCHOR)
        checkpoint.expect({root + name: size for name, size in qwen3_shapes(shape).items()})
        self.shape = shape
        self._rope = shape.rope or Rope(1_000_000.0)
        self._device = parts.device
        self._attend = parts.attend
        self._words = parts.table(root + QWEN3_ANCHOR)
        self._layers = [_layer(parts, f"{root}layers.{i}.") for i in range(shape.layers)]
        self._norm = parts.rms_norm(f"{root}norm")

    def __call__(self, pack: Pack, rows: Tensor | None = None, prefix: list[KeyValue] | None = None) -> Tensor:
        """See :class:`steelyard.engines.torch.layers.Trunk`."""
        turn = rotary(pack.positions, self.shape.head, self._rope)
        x, added = self._words(pack.ids), None
        for i, layer in enumerate(self._layers):
            wanted = rows if i == self.shape.layers - 1 else None
            x, read = layer.norm(x, added)
            query, own = layer.split(read, turn, wanted)
            before = prefix[i] if prefix else None
            seen = self._attend(query, own.key, own.value, pack.runs, causal=True, prefix=before)
            x, added = layer.finish(x if wanted is None else x[wanted], seen)
        return self._norm.last(x, added)

    def prefix(self, ids: list[int]) -> list[KeyValue]:
        """Keys and values of every layer for tokens that stand before every text.

        The last layer's are had without running its other parts.
        """
        alone = pack([ids], device=self._device)
        turn = rotary(alone.positions, self.shape.head, self._rope)
        x, added = self._words(alone.ids), None
        found = []
        for i, layer in enumerate(self._layers):
            x, read = layer.norm(x, added)
            query, own = layer.split(read, turn, None)
            found.append(KeyValue(own.key.contiguous(), own.value.contiguous()))  # without the queries beside them
            if i < self.shape.layers - 1:
                x, added = layer.finish(x, self._attend(query, own.key, own.value, alone.runs, causal=True))
        return found


def _layer(parts: LayerFactory, at: str) -> _Layer:
    query, key = ((parts.copy(f"{at}self_attn.{name}_norm.weight"), parts.shape.eps) for name in "qk")
    return _Layer(
        norm=parts.rms_norm(f"{at}input_layernorm"),
        inputs=parts.branches([f"{at}self_attn.{name}_proj" for name in "qkv"], bias=False),
        query_norm=query,
        key_norm=key,
        out=parts.linear(f"{at}self_attn.o_proj", bias=False),
        inner_norm=parts.rms_norm(f"{at}post_attention_layernorm"),
        inner=parts.branches([f"{at}mlp.{name}_proj" for name in ("gate", "up")], bias=False),
        down=parts.linear(f"{at}mlp.down_proj", bias=False),
        head=parts.shape.head,
        rows=parts.rows,
    )
