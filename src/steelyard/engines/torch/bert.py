"""BERT and XLM-RoBERTa over packed texts.

Shapes: ``n`` texts, ``t`` tokens of a pack, ``h`` hidden, ``q`` heads, ``d`` size of a head.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from torch import Tensor

from steelyard.engines.checkpoint.layout import BERT_ANCHOR, bert_shapes
from steelyard.engines.checkpoint.shape import Shape
from steelyard.engines.torch.attention import Attend, KeyValue, attend
from steelyard.engines.torch.layers import LayerNorm, Table, in_slices
from steelyard.engines.torch.linear import Branches, Linear, MakeLinear
from steelyard.engines.torch.pack import Pack
from steelyard.engines.torch.weights import Checkpoint


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

    def __call__(self, x: Tensor, pack: Pack, rows: Tensor | None) -> Tensor:
        query, key, value = (part.unflatten(1, (self.heads, -1)) for part in self.inputs(x))
        wanted, query = (x, query) if rows is None else (x[rows], query[rows])
        seen = self.attend(query, key, value, pack.runs, causal=False)
        wanted = self.attention_norm(wanted + self.out(seen))
        return self.norm(wanted + in_slices(lambda part: self.down(self.inner(part)), wanted))


class Bert:
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

    causal = False

    def __init__(
        self, checkpoint: Checkpoint, shape: Shape, make: MakeLinear, device: str = "cpu", attention: Attend = attend
    ) -> None:
        root = checkpoint.root(BERT_ANCHOR)
        checkpoint.expect({root + name: size for name, size in bert_shapes(shape).items()})
        self.shape = shape
        self._words = Table(checkpoint.tensor(root + BERT_ANCHOR), device)
        self._places = checkpoint.copy(f"{root}embeddings.position_embeddings.weight", device)
        self._type = checkpoint.copy(f"{root}embeddings.token_type_embeddings.weight", device)[0]
        reader = _Reader(checkpoint, make, shape, device, attention)
        self._norm = reader.norm(f"{root}embeddings.LayerNorm")
        self._layers = [reader.layer(f"{root}encoder.layer.{i}.") for i in range(shape.layers)]

    def __call__(self, pack: Pack, rows: Tensor | None = None, prefix: list[KeyValue] | None = None) -> Tensor:
        """See :class:`steelyard.engines.torch.layers.Trunk`; a prefix is never given."""
        places = self._places[pack.positions + self.shape.first_position]
        x = self._norm(self._words(pack.ids) + places + self._type)
        for layer in self._layers[:-1]:
            x = layer(x, pack, None)
        return self._layers[-1](x, pack, rows)


@dataclass(frozen=True, slots=True)
class _Reader:
    checkpoint: Checkpoint
    make: MakeLinear
    shape: Shape
    device: str
    attend: Attend

    def linear(self, name: str) -> Linear:
        return self.make(*self.tensors(name))

    def tensors(self, name: str) -> tuple[Tensor, Tensor]:
        return self.checkpoint.tensor(f"{name}.weight"), self.checkpoint.tensor(f"{name}.bias")

    def branches(self, names: Sequence[str]) -> Branches:
        weights, biases = ([self.checkpoint.tensor(f"{n}.{part}") for n in names] for part in ("weight", "bias"))
        return self.make.branches(weights, biases)

    def norm(self, name: str) -> LayerNorm:
        weight, bias = (self.checkpoint.copy(f"{name}.{part}", self.device) for part in ("weight", "bias"))
        return LayerNorm(weight, bias, self.shape.eps)

    def layer(self, at: str) -> _Layer:
        return _Layer(
            inputs=self.branches([f"{at}attention.self.{name}" for name in ("query", "key", "value")]),
            out=self.linear(f"{at}attention.output.dense"),
            attention_norm=self.norm(f"{at}attention.output.LayerNorm"),
            inner=self.make.gelu(*self.tensors(f"{at}intermediate.dense")),
            down=self.linear(f"{at}output.dense"),
            norm=self.norm(f"{at}output.LayerNorm"),
            heads=self.shape.heads,
            attend=self.attend,
        )
