"""The sizes of a trunk, read from ``config.json``; what the engines would compute differently is refused here.

Torch is not imported.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from steelyard.errors import RecipeError
from steelyard.models.folder import MOST_TOKENS
from steelyard.models.foreign import Fields, read_json

MOST_LAYERS = 1024


@dataclass(frozen=True, slots=True)
class Rope:
    """Rotary positions: ``theta ** (-2i / d) / divisor`` for the i-th pair of a head of d numbers."""

    theta: float
    divisor: float = 1.0


@dataclass(frozen=True, slots=True)
class Shape:
    """Sizes that all families have.

    Attributes:
        hidden: numbers of a token's state.
        layers: how many.
        heads: query heads.
        key_heads: key and value heads; fewer than ``heads`` where they are shared.
        head: numbers of a head.
        inner: numbers inside the feed-forward part.
        vocabulary: rows of the embedding table.
        max_tokens: the longest text that positions reach.
        eps: added to the variance in norms.
        first_position: position id of a text's first token.
        types: rows of the segment table; 0 without one.
        rope: rotary positions; None for learned ones.
    """

    hidden: int
    layers: int
    heads: int
    key_heads: int
    head: int
    inner: int
    vocabulary: int
    max_tokens: int
    eps: float
    first_position: int = 0
    types: int = 0
    rope: Rope | None = None


def read_shape(folder: Path, architecture: str) -> Shape:
    """The shape of the checkpoint in a folder.

    Args:
        folder: holds ``config.json``.
        architecture: what the recipe says: ``bert``, ``xlm-roberta``, ``new`` or ``qwen3``.

    Raises:
        RecipeError: ``config.json`` is missing, is of another architecture, lacks a field, or asks for something that
            the engines do not compute; names the field.
    """
    config = Config(folder / "config.json")
    config.must("model_type", {"new": ("new", "gte")}.get(architecture, (architecture,)))
    readers = {"bert": _bert, "xlm-roberta": _bert, "new": _gte, "qwen3": _qwen3}
    if architecture not in readers:
        raise RecipeError(f"{folder}: the engines here run {', '.join(readers)}, not {architecture}")
    return readers[architecture](config)


class Config(Fields):
    """``config.json`` with errors that name the file and the field."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, read_json(path))

    def size(self, key: str, default: int | None = None, high: int = 1 << 20) -> int:
        """A whole number of at least one."""
        return self.whole(key, 1, high, default)

    def must(self, key: str, allowed: tuple[Any, ...]) -> None:
        """Refuses a value that would be computed differently; an absent one is taken for the first allowed."""
        value = self.get(key, allowed[0])
        if value not in allowed:
            some = " or ".join(map(repr, allowed))
            raise RecipeError(f"{self.path}: {key} is {str(value)[:80]!r}; the engines here run {some}")

    def rope(self, theta: float, head: int) -> Rope:
        """Rotary positions in the spelling of transformers 5 (``rope_parameters``) or of earlier ones."""
        spelt = "rope_parameters" if self.get("rope_parameters") else "rope_scaling"
        given = self.object(spelt)
        theta = given.number("rope_theta", self.number("rope_theta", theta))
        kind = given.text("rope_type") or given.text("type") or "default"
        if kind == "ntk":
            factor = given.number("factor", high=1e6)
            return Rope(theta * factor, factor ** (2 / head))
        if kind != "default":
            raise RecipeError(f"{self.path}: rotary positions of type {kind[:80]!r} are not run; default and ntk are")
        return Rope(theta)


def _two_way(config: Config) -> Shape:
    """What BERT, XLM-R and GTE spell alike."""
    config.must("hidden_act", ("gelu",))
    hidden, heads = config.size("hidden_size", high=65_536), config.size("num_attention_heads", high=65_536)
    if hidden % heads:
        raise config.wrong("num_attention_heads", f"a divisor of hidden_size, which is {hidden}")
    return Shape(
        hidden=hidden,
        layers=config.size("num_hidden_layers", high=MOST_LAYERS),
        heads=heads,
        key_heads=heads,
        head=hidden // heads,
        inner=config.size("intermediate_size"),
        vocabulary=config.size("vocab_size", high=MOST_TOKENS),
        max_tokens=config.size("max_position_embeddings", high=MOST_TOKENS),
        eps=config.number("layer_norm_eps", 1e-12),
    )


def _bert(config: Config) -> Shape:
    config.must("position_embedding_type", ("absolute",))
    shape = _two_way(config)
    first = 0 if config.get("model_type") == "bert" else config.size("pad_token_id", 1) + 1
    reach = shape.max_tokens - first
    if reach < 3:
        raise config.wrong("max_position_embeddings", f"at least 3 more than the first position, {first}")
    return replace(shape, max_tokens=reach, first_position=first, types=config.size("type_vocab_size"))


def _gte(config: Config) -> Shape:
    config.must("position_embedding_type", ("rope",))
    config.must("layer_norm_type", ("layer_norm",))
    config.must("logn_attention_scale", (False,))
    shape = _two_way(config)
    return replace(shape, types=config.whole("type_vocab_size", 0, 65_536, 0), rope=config.rope(160_000.0, shape.head))


def _qwen3(config: Config) -> Shape:
    config.must("hidden_act", ("silu",))
    config.must("attention_bias", (False,))
    config.must("use_sliding_window", (False,))
    hidden, heads = config.size("hidden_size", high=65_536), config.size("num_attention_heads", high=65_536)
    key_heads, head = config.size("num_key_value_heads", heads), config.size("head_dim", 128, high=65_536)
    if heads % key_heads:
        raise config.wrong("num_key_value_heads", f"a divisor of num_attention_heads, which is {heads}")
    if head % 2:
        raise config.wrong("head_dim", "even")
    return Shape(
        hidden=hidden,
        layers=config.size("num_hidden_layers", high=MOST_LAYERS),
        heads=heads,
        key_heads=key_heads,
        head=head,
        inner=config.size("intermediate_size"),
        vocabulary=config.size("vocab_size", high=MOST_TOKENS),
        max_tokens=config.size("max_position_embeddings", high=MOST_TOKENS),
        eps=config.number("rms_norm_eps", 1e-6),
        rope=config.rope(1_000_000.0, head),
    )
