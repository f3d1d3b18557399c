"""What trunks are made with: a checkpoint's tensors by name, as the layers, norms and tables that compute with them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from torch import Tensor

from steelyard.engines.checkpoint.shape import Shape
from steelyard.engines.torch.attention import Attend, attend
from steelyard.engines.torch.layers import LayerNorm, RMSNorm, Table
from steelyard.engines.torch.linear import Branches, Linear, LinearFactory
from steelyard.engines.torch.rows import PlainRows, Rows
from steelyard.engines.torch.weights import Checkpoint


@dataclass(frozen=True, slots=True)
class LayerFactory:
    """Every method raises WeightsError where a file cannot be read any more.

    Attributes:
        checkpoint: the tensors.
        shape: their sizes.
        make: the kind of linear layer.
        device: where norms and tables go.
        attend: how attention is computed.
        rows: how norms, rotary positions and gates are computed.
    """

    checkpoint: Checkpoint
    shape: Shape
    make: LinearFactory
    device: str = "cpu"
    attend: Attend = attend
    rows: Rows = field(default_factory=PlainRows)

    def table(self, name: str) -> Table:
        """An embedding table."""
        return Table(self.checkpoint.tensor(name), self.device)

    def copy(self, name: str) -> Tensor:
        """float32, on the device; for what is small."""
        return self.checkpoint.copy(name, self.device)

    def layer_norm(self, name: str) -> LayerNorm:
        """With weight and bias."""
        weight, bias = self.copy(f"{name}.weight"), self.copy(f"{name}.bias")
        return LayerNorm(weight, bias, self.shape.eps, self.rows, self.make.dtype)

    def rms_norm(self, name: str) -> RMSNorm:
        """With a weight alone."""
        return RMSNorm(self.copy(f"{name}.weight"), self.shape.eps, self.rows, self.make.dtype)

    def linear(self, name: str, *, bias: bool = True) -> Linear:
        """One layer."""
        return self.make(*self._tensors(name, bias))

    def linear_gelu(self, name: str) -> Callable[[Tensor], Tensor]:
        """One layer with a bias, and GELU of what it gives."""
        return self.make.gelu(*self._tensors(name, True))

    def branches(self, names: Sequence[str], *, bias: bool = True) -> Branches:
        """Layers of one input."""
        weights, biases = zip(*(self._tensors(name, bias) for name in names), strict=True)
        return self.make.branches(weights, biases)

    def chunks(self, name: str, count: int, *, bias: bool = True) -> Branches:
        """Layers of one input that the checkpoint keeps as one."""
        weight, one = self._tensors(name, bias)
        return self.make.branches(weight.chunk(count), [None] * count if one is None else one.chunk(count))

    def _tensors(self, name: str, bias: bool) -> tuple[Tensor, Tensor | None]:
        tensor = self.checkpoint.tensor
        return tensor(f"{name}.weight"), tensor(f"{name}.bias") if bias else None
