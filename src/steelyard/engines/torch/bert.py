"""BERT and XLM-RoBERTa over packed texts.

Shapes: ``n`` texts, ``t`` tokens of a pack, ``h`` hidden, ``q`` heads, ``d`` size of a head.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from steelyard.engines.checkpoint.layout import BERT_ANCHOR, bert_shapes
from steelyard.engines.torch.attention import Attend, KeyValue
from steelyard.engines.torch.layer_factory import LayerFactory
from steelyard.engines.torch.layers import LayerNorm, in_slices
from steelyard.engines.torch.linear import Branches, Linear
from steelyard.engines.torch.pack import Pack


@dataclass(frozen=True, slots=True)
class _Layer:
    inputs: Branches  # queries, keys and values
    out: Linear
    attention_norm: LayerNorm
    inner: Callable[[Tensor], Tensor]  # the first matrix of the feed-forward part, and GELU
    down: Linear
    norm: LayerNorm
    heads: int
    attend: Attend

    def __call__(self, x: Tensor, read: Tensor, pack: Pack, rows: Tensor | None) -> tuple[Tensor, Tensor]:
        """The next residual states and what the next products read, from those before."""
        query, key, value = (part.unflatten(1, (self.heads, -1)) for part in self.inputs(read))
        wanted, query = (x, query) if rows is None else (x[rows], query[rows])
        seen = self.attend(query, key, value, pack.runs, causal=False)
        wanted, read = self.attention_norm(wanted, self.out(seen))
        return self.norm(wanted, in_slices(lambda part: self.down(self.inner(part)), read))


class Bert:
    """The trunk; see :class:`steelyard.engines.torch.layers.Trunk`.

    Args:
        parts: what it is made with.

    Raises:
        WeightsError: a tensor is missing or has another shape.
    """

    causal = False

    def __init__(self, parts: LayerFactory) -> None:
        checkpoint, shape = parts.checkpoint, parts.shape
        root = checkpoint.root(BERT_ANCHOR)
        checkpoint.expect({root + name: size for name, size in bert_shapes(shape).items()})
        self.shape = shape
        self._words = parts.table(root + BERT_ANCHOR)
        self._places = parts.copy(f"{root}embeddings.position_embeddings.weight")
        self._type = parts.copy(f"{root}embeddings.token_type_embeddings.weight")[0]
        self._norm = parts.layer_norm(f"{root}embeddings.LayerNorm")
        self._layers = [_layer(parts, f"{root}encoder.layer.{i}.") for i in range(shape.layers)]

    def __call__(self, pack: Pack, rows: Tensor | None = None, prefix: list[KeyValue] | None = None) -> Tensor:
        """See :class:`steelyard.engines.torch.layers.Trunk`; a prefix is never given."""
        places = self._places[pack.positions + self.shape.first_position]
        x, read = self._norm(self._words(pack.ids) + places + self._type)
        for layer in self._layers[:-1]:
            x, read = layer(x, read, pack, None)
        return self._layers[-1](x, read, pack, rows)[0]


def _layer(parts: LayerFactory, at: str) -> _Layer:
    return _Layer(
        inputs=parts.branches([f"{at}attention.self.{name}" for name in ("query", "key", "value")]),
        out=parts.linear(f"{at}attention.output.dense"),
        attention_norm=parts.layer_norm(f"{at}attention.output.LayerNorm"),
        inner=parts.linear_gelu(f"{at}intermediate.dense"),
        down=parts.linear(f"{at}output.dense"),
        norm=parts.layer_norm(f"{at}output.LayerNorm"),
        heads=parts.shape.heads,
        attend=parts.attend,
    )
