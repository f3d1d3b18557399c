"""What is in a checkpoint, name by name and shape by shape, for every engine that reads one. Torch is not imported."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from steelyard.engines.checkpoint.files import weight_files
from steelyard.engines.checkpoint.shape import Shape
from steelyard.engines.packages import require
from steelyard.errors import WeightsError

BERT_ANCHOR = "embeddings.word_embeddings.weight"
QWEN3_ANCHOR = "embed_tokens.weight"
Shapes = dict[str, tuple[int, ...]]


class Layout:
    """The names and shapes of the tensors of a folder, in one file or in shards.

    Args:
        folder: holds ``model.safetensors`` or its index.

    Raises:
        WeightsError: no safetensors there, a shard is missing, or a file is truncated or corrupt.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._shapes: Shapes = {}
        self._files: dict[str, Path] = {}
        for path in weight_files(folder):
            for name, shape in _read_shapes(path):
                self._files[name], self._shapes[name] = path, shape

    def __contains__(self, name: object) -> bool:
        return name in self._files

    def root(self, anchor: str) -> str:
        """What stands before the names of the trunk, such as ``model.`` or ``bert.``; found by one tensor's name.

        Raises:
            WeightsError: no tensor ends with ``anchor``.
        """
        found = sorted((n for n in self._files if n == anchor or n.endswith(f".{anchor}")), key=len)
        if not found:
            some = ", ".join(sorted(self._files)[:3])
            raise WeightsError(
                f"{self._folder}: no tensor {anchor!r}, so this is another architecture than the recipe says; "
                f"it holds {some}, ..."
            )
        return found[0].removesuffix(anchor)

    def expect(self, shapes: Mapping[str, tuple[int, ...]]) -> None:
        """Refuses a checkpoint that lacks tensors or has them in other shapes, before anything is loaded.

        Raises:
            WeightsError: naming the first few.
        """
        missing = [name for name in shapes if name not in self._shapes]
        if missing:
            raise WeightsError(
                f"{self._folder}: {len(missing)} tensors are missing: {', '.join(missing[:3])}. Download it again; if "
                "that does not help, config.json belongs to another checkpoint"
            )
        wrong = [n for n, shape in shapes.items() if self._shapes[n] != shape]
        if wrong:
            faults = "; ".join(f"{n} is {self._shapes[n]}, expected {shapes[n]}" for n in wrong[:3])
            raise WeightsError(f"{self._folder}: config.json and weights disagree: {faults}")


def bert_shapes(shape: Shape) -> Shapes:
    """Every tensor of a BERT or XLM-R trunk by its name behind the root."""
    h, f = shape.hidden, shape.inner
    found: Shapes = {
        BERT_ANCHOR: (shape.vocabulary, h),
        "embeddings.position_embeddings.weight": (shape.max_tokens + shape.first_position, h),
        "embeddings.token_type_embeddings.weight": (shape.types, h),
        **_norm_shape("embeddings.LayerNorm", h),
    }
    for i in range(shape.layers):
        at = f"encoder.layer.{i}."
        for name in ("attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense"):
            found |= _linear_shape(at + name, h, h)
        found |= _linear_shape(f"{at}intermediate.dense", f, h) | _linear_shape(f"{at}output.dense", h, f)
        found |= _norm_shape(f"{at}attention.output.LayerNorm", h) | _norm_shape(f"{at}output.LayerNorm", h)
    return found


def qwen3_shapes(shape: Shape) -> Shapes:
    """Every tensor of a Qwen3 trunk by its name behind the root."""
    h, f, d = shape.hidden, shape.inner, shape.head
    found: Shapes = {QWEN3_ANCHOR: (shape.vocabulary, h), "norm.weight": (h,)}
    layer: Shapes = {
        "input_layernorm": (h,),
        "post_attention_layernorm": (h,),
        "self_attn.q_proj": (shape.heads * d, h),
        "self_attn.k_proj": (shape.key_heads * d, h),
        "self_attn.v_proj": (shape.key_heads * d, h),
        "self_attn.o_proj": (h, shape.heads * d),
        "self_attn.q_norm": (d,),
        "self_attn.k_norm": (d,),
        "mlp.gate_proj": (f, h),
        "mlp.up_proj": (f, h),
        "mlp.down_proj": (h, f),
    }
    return found | {f"layers.{i}.{n}.weight": s for i in range(shape.layers) for n, s in layer.items()}


def _linear_shape(name: str, outputs: int, inputs: int) -> Shapes:
    return {f"{name}.weight": (outputs, inputs), f"{name}.bias": (outputs,)}


def _norm_shape(name: str, size: int) -> Shapes:
    return {f"{name}.weight": (size,), f"{name}.bias": (size,)}


def _read_shapes(path: Path) -> list[tuple[str, tuple[int, ...]]]:
    package = require("safetensors", "reading a checkpoint", "torch")
    try:
        with package.safe_open(path, framework="np") as file:
            return [(name, tuple(file.get_slice(name).get_shape())) for name in file.keys()]  # noqa: SIM118
    except (package.SafetensorError, OSError) as wrong:
        raise WeightsError(f"{path}: truncated or corrupt ({wrong}); delete it and download the model again") from None
