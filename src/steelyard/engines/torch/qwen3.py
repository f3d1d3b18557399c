"""The Qwen3 decoder over packed texts, with a prefix that all of them may share.

Shapes: ``n`` texts, ``t`` tokens of a pack, ``h`` hidden, ``f`` inner, ``q`` query heads, ``k`` key heads, ``d`` size
of a head, ``p`` tokens of the prefix.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor
from torch.nn.functional import silu

from steelyard.engines.checkpoint.layout import QWEN3_ANCHOR, qwen3_shapes
from steelyard.engines.checkpoint.shape import Rope, Shape
from steelyard.engines.torch.attention import Attend, KeyValue, attend
from steelyard.engines.torch.layers import RMSNorm, Table, in_slices, rotary, rotate
from steelyard.engines.torch.linear import Branches, Linear, MakeLinear
from steelyard.engines.torch.pack import Pack, pack
from steelyard.engines.torch.weights import Checkpoint

Turn = tuple[Tensor, Tensor]


@dataclass(frozen=True, slots=True)
class _Layer:
    norm: RMSNorm
    inputs: Branches  # queries, keys and values
    query_norm: RMSNorm
    key_norm: RMSNorm
    out: Linear
    inner_norm: RMSNorm
    inner: Branches  # the gate, and what is gated
    down: Linear
    head: int

    def split(self, x: Tensor, turn: Turn, rows: Tensor | None) -> tuple[Tensor, KeyValue]:
        """Queries of the wanted rows, keys and values of all."""
        query, key, value = (part.unflatten(1, (-1, self.head)) for part in self.inputs(self.norm(x)))
        key = rotate(self.key_norm(key), *turn).to(value.dtype)
        if rows is not None:
            query, turn = query[rows], (turn[0][rows], turn[1][rows])
        return rotate(self.query_norm(query), *turn).to(value.dtype), KeyValue(key, value)

    def finish(self, x: Tensor, seen: Tensor) -> Tensor:
        x = x + self.out(seen)
        return x + in_slices(self._inner, self.inner_norm(x))

    def _inner(self, x: Tensor) -> Tensor:
        gate, up = self.inner(x)
        return self.down(silu(gate).mul_(up))


class Qwen3:
    """The trunk; see :class:`steelyard.engines.torch.layers.Trunk`.

    Args:
        checkpoint: the tensors.
        shape: their sizes.
        make: the kind of linear layer.
        device: where norms and tables go.
        attention: how it is computed.

    Raises:
        WeightsError: a tensor is missing or has another shape.
    """

    causal = True

    def __init__(
        self, checkpoint: Checkpoint, shape: Shape, make: MakeLinear, device: str = "cpu", attention: Attend = attend
    ) -> None:
        root = checkpoint.root(QWEN3_ANCHOR)
        checkpoint.expect({root + name: size for name, size in qwen3_shapes(shape).items()})
        self.shape = shape
        self._rope = shape.rope or Rope(1_000_000.0)
        self._device = device
        self._attend = attention
        self._words = Table(checkpoint.tensor(root + QWEN3_ANCHOR), device)
        reader = _Reader(checkpoint, make, shape, device)
        self._layers = [reader.layer(f"{root}layers.{i}.") for i in range(shape.layers)]
        self._norm = reader.norm(f"{root}norm")

    def __call__(self, pack: Pack, rows: Tensor | None = None, prefix: list[KeyValue] | None = None) -> Tensor:
        """See :class:`steelyard.engines.torch.layers.Trunk`."""
        turn = rotary(pack.positions, self.shape.head, self._rope)
        x = self._words(pack.ids)
        for i, layer in enumerate(self._layers):
            wanted = rows if i == self.shape.layers - 1 else None
            query, own = layer.split(x, turn, wanted)
            before = prefix[i] if prefix else None
            seen = self._attend(query, own.key, own.value, pack.runs, causal=True, prefix=before)
            x = layer.finish(x if wanted is None else x[wanted], seen)
        return self._norm(x)

    def prefix(self, ids: list[int]) -> list[KeyValue]:
        """Keys and values of every layer for tokens that stand before every text.

        The last layer's are had without running its other parts.
        """
        alone = pack([ids], device=self._device)
        turn = rotary(alone.positions, self.shape.head, self._rope)
        x = self._words(alone.ids)
        found = []
        for i, layer in enumerate(self._layers):
            query, own = layer.split(x, turn, None)
            found.append(own)
            if i < self.shape.layers - 1:
                x = layer.finish(x, self._attend(query, own.key, own.value, alone.runs, causal=True))
        return found


@dataclass(frozen=True, slots=True)
class _Reader:
    checkpoint: Checkpoint
    make: MakeLinear
    shape: Shape
    device: str

    def linear(self, name: str) -> Linear:
        return self.make(self.checkpoint.tensor(f"{name}.weight"), None)

    def branches(self, names: Sequence[str]) -> Branches:
        return self.make.branches([self.checkpoint.tensor(f"{name}.weight") for name in names], [None] * len(names))

    def norm(self, name: str) -> RMSNorm:
        return RMSNorm(self.checkpoint.copy(f"{name}.weight", self.device), self.shape.eps)

    def layer(self, at: str) -> _Layer:
        return _Layer(
            norm=self.norm(f"{at}input_layernorm"),
            inputs=self.branches([f"{at}self_attn.{name}_proj" for name in "qkv"]),
            query_norm=self.norm(f"{at}self_attn.q_norm"),
            key_norm=self.norm(f"{at}self_attn.k_norm"),
            out=self.linear(f"{at}self_attn.o_proj"),
            inner_norm=self.norm(f"{at}post_attention_layernorm"),
            inner=self.branches([f"{at}mlp.{name}_proj" for name in ("gate", "up")]),
            down=self.linear(f"{at}mlp.down_proj"),
            head=self.shape.head,
        )
