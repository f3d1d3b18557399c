"""The GTE encoder (``model_type: new``) over packed texts: BERT with rotary positions and a gated feed-forward part.

Shapes: ``n`` texts, ``t`` tokens of a pack, ``h`` hidden, ``f`` inner, ``q`` heads, ``d`` size of a head.
The published checkpoints name custom code for it; none of that code is needed or run.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from steelyard.engines.checkpoint.shape import Rope, Shape
from steelyard.engines.torch.attention import Attend, KeyValue
from steelyard.engines.torch.layer_factory import LayerFactory
from steelyard.engines.torch.layers import LayerNorm, in_slices, rotary
from steelyard.engines.torch.linear import Branches, Linear
from steelyard.engines.torch.pack import Pack
from steelyard.engines.torch.rows import Rows, Turn

ANCHOR = "embeddings.word_embeddings.weight"
_TYPES = "embeddings.token_type_embeddings.weight"


@dataclass(frozen=True, slots=True)
class _Layer:
    inputs: Branches  # queries, keys and values
    out: Linear
    attention_norm: LayerNorm
    inner: Branches  # what is gated, and the gate
    down: Linear
    norm: LayerNorm
    heads: int
    attend: Attend
    rows: Rows

    def __call__(self, x: Tensor, read: Tensor, turn: Turn, pack: Pack, rows: Tensor | None) -> tuple[Tensor, Tensor]:
        """The next residual states and what the next products read, from those before."""
        query, key, value = (part.unflatten(1, (self.heads, -1)) for part in self.inputs(read))
        wanted, wanted_turn = x, turn
        if rows is not None:
            query, wanted, wanted_turn = query[rows], x[rows], (turn[0][rows], turn[1][rows])
        query, key = self.rows.rotate(query, wanted_turn), self.rows.rotate(key, turn)
        seen = self.attend(query, key, value, pack.runs, causal=False)
        wanted, read = self.attention_norm(wanted, self.out(seen))
        return self.norm(wanted, in_slices(self._inner, read))

    def _inner(self, x: Tensor) -> Tensor:
        up, gate = self.inner(x)
        return self.down(self.rows.gated(gate, up, "gelu"))


class Gte:
    """The trunk; see :class:`steelyard.engines.torch.layers.Trunk`.

    Args:
        parts: what it is made with.

    Raises:
        WeightsError: a tensor is missing or has another shape.
    """

    causal = False

    def __init__(self, parts: LayerFactory) -> None:
        checkpoint, shape = parts.checkpoint, parts.shape
        root = checkpoint.root(ANCHOR)
        checkpoint.expect({root + name: size for name, size in tensor_shapes(shape).items()})
        self.shape = shape
        self._rope = shape.rope or Rope(160_000.0)
        self._words = parts.table(root + ANCHOR)
        self._type = parts.copy(root + _TYPES)[0] if shape.types else None
        self._norm = parts.layer_norm(f"{root}embeddings.LayerNorm")
        self._layers = [_layer(parts, f"{root}encoder.layer.{i}.") for i in range(shape.layers)]

    def __call__(self, pack: Pack, rows: Tensor | None = None, prefix: list[KeyValue] | None = None) -> Tensor:
        """See :class:`steelyard.engines.torch.layers.Trunk`; a prefix is never given."""
        turn = rotary(pack.positions, self.shape.head, self._rope)
        words = self._words(pack.ids)
        x, read = self._norm(words if self._type is None else words + self._type)
        for layer in self._layers[:-1]:
            x, read = layer(x, read, turn, pack, None)
        return self._layers[-1](x, read, turn, pack, rows)[0]


def tensor_shapes(shape: Shape) -> dict[str, tuple[int, ...]]:
    """Every tensor of the trunk by its name behind the root."""
    h, f = shape.hidden, shape.inner
    found: dict[str, tuple[int, ...]] = {ANCHOR: (shape.vocabulary, h)}
    if shape.types:
        found[_TYPES] = (shape.types, h)
    norms = ["embeddings.LayerNorm"]
    for i in range(shape.layers):
        at = f"encoder.layer.{i}."
        found |= {f"{at}attention.qkv_proj.weight": (3 * h, h), f"{at}attention.qkv_proj.bias": (3 * h,)}
        found |= {f"{at}attention.o_proj.weight": (h, h), f"{at}attention.o_proj.bias": (h,)}
        found |= {f"{at}mlp.up_gate_proj.weight": (2 * f, h)}
        found |= {f"{at}mlp.down_proj.weight": (h, f), f"{at}mlp.down_proj.bias": (h,)}
        norms += [f"{at}attn_ln", f"{at}mlp_ln"]
    return found | {f"{name}.{part}": (h,) for name in norms for part in ("weight", "bias")}


def _layer(parts: LayerFactory, at: str) -> _Layer:
    return _Layer(
        inputs=parts.chunks(f"{at}attention.qkv_proj", 3),
        out=parts.linear(f"{at}attention.o_proj"),
        attention_norm=parts.layer_norm(f"{at}attn_ln"),
        inner=parts.chunks(f"{at}mlp.up_gate_proj", 2, bias=False),
        down=parts.linear(f"{at}mlp.down_proj"),
        norm=parts.layer_norm(f"{at}mlp_ln"),
        heads=parts.shape.heads,
        attend=parts.attend,
        rows=parts.rows,
    )
