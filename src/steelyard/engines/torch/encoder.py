"""Embedding models on packed torch. Torch itself is imported when the first text is encoded."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from steelyard.engines.base import BaseEncoder, distinct
from steelyard.engines.checkpoint.files import locate
from steelyard.engines.checkpoint.shape import read_shape
from steelyard.engines.checkpoint.vocabulary import Ids, Vocabulary
from steelyard.engines.lazy import Lazy
from steelyard.engines.plan import common_prefix
from steelyard.engines.protocol import EngineInfo
from steelyard.engines.render import margins, render
from steelyard.engines.torch.config import TorchConfig, decide, describe
from steelyard.engines.torch.precision import Choice
from steelyard.engines.vectors import normalised
from steelyard.errors import RecipeError
from steelyard.models.recipe import Recipe
from steelyard.types import Role, Vectors

if TYPE_CHECKING:
    from steelyard.engines.torch.heads import ColbertHead, SparseHead
    from steelyard.engines.torch.runner import Runner

_PROBES = ("一", "1", "a")
_SHORTEST_PREFIX = 8


class TorchEncoder(BaseEncoder):
    """Vectors of BERT, XLM-R, GTE and Qwen3 checkpoints; for BGE-M3 also its sparse and ColBERT heads.

    Args:
        recipe: an embedding recipe; its files are found by :func:`steelyard.engines.checkpoint.files.locate`.
        config: how to run.

    Raises:
        WeightsError: the files are not on this machine.
        MissingExtraError: torch is not installed.
        RecipeError: recipe and checkpoint contradict each other.
    """

    def __init__(self, recipe: Recipe, config: TorchConfig | None = None) -> None:
        self._recipe = recipe
        self._config = config or TorchConfig()
        self._folder = locate(recipe)
        self.choice: Choice = decide(recipe, self._config)
        self._info = describe(recipe, self._folder, self.choice, self._config)
        shape = read_shape(self._folder, recipe.architecture)
        self._limit = min(recipe.max_tokens or shape.max_tokens, shape.max_tokens)
        if shape.hidden != recipe.dimension:
            raise RecipeError(
                f"{self._folder}: states of {shape.hidden} numbers, but recipe {recipe.name} says {recipe.dimension}"
            )
        self._vocabulary = Lazy(lambda: Vocabulary(self._folder / "tokenizer.json", shape.vocabulary, recipe.eos_id))
        self._runner: Lazy[Runner] = Lazy(self._load)
        self._sparse: Lazy[SparseHead] = Lazy(lambda: _sparse_head(self._folder, shape.hidden))
        self._colbert: Lazy[ColbertHead] = Lazy(lambda: _colbert_head(self._folder, shape.hidden))

    @property
    def info(self) -> EngineInfo:
        """Known without loading weights."""
        return self._info

    def token_ids(self, texts: Sequence[str], role: Role, instruction: str | None = None) -> list[Ids]:
        """What the model reads of each text: template, special and end tokens included, cut to its limit."""
        vocabulary = self._vocabulary.get()
        return [vocabulary.cut(ids, self._limit) for ids in self._uncut(texts, role, instruction)]

    def count_tokens(self, texts: Sequence[str], role: Role, instruction: str | None = None) -> list[int]:
        """Tokens of each uncut text, template and special tokens included."""
        return [len(ids) for ids in self._uncut(texts, role, instruction)]

    def encode_tokens(self, texts: Sequence[str], role: Role) -> list[Vectors]:
        """For each text float32[tokens, dimension], L2-normalised; over-long texts are cut.

        Models with a ColBERT head give that head's vectors of all tokens behind the first, as published (the closing
        token is among them); others give the states of the tokens that hold a character of the text itself.
        """
        unique, position = distinct(texts)
        if not unique:
            return []
        self._report_overlong(unique, role, None)
        rows = self.token_ids(unique, role)
        if "colbert" in self._recipe.heads:
            found = [v[1:] for v in self._runner.get().states(rows, self._colbert.get())]
        else:
            found = self._own_states(unique, rows, role)
        return [found[i] for i in position]

    def encode_sparse(self, texts: Sequence[str], role: Role) -> list[dict[int, float]]:
        """For each text a weight above zero for each token id that matters; over-long texts are cut.

        Raises:
            RecipeError: the model has no sparse head.
        """
        from steelyard.engines.torch.heads import NOT_WORDS, heaviest

        if "sparse" not in self._recipe.heads:
            raise RecipeError(f"{self._recipe.name} has no sparse head; bge-m3 has one")
        unique, position = distinct(texts)
        if not unique:
            return []
        self._report_overlong(unique, role, None)
        rows = self.token_ids(unique, role)
        weights = self._runner.get().states(rows, self._sparse.get())
        left_out = self._vocabulary.get().ids_of(NOT_WORDS)
        found = [heaviest(ids, weight, left_out) for ids, weight in zip(rows, weights, strict=True)]
        return [found[i] for i in position]

    def close(self) -> None:
        """Frees the weights; the next call loads them again."""
        for part in (self._runner, self._vocabulary, self._sparse, self._colbert):
            part.drop()

    def _encode(self, texts: Sequence[str], role: Role, instruction: str | None) -> Vectors:
        rows = self.token_ids(texts, role, instruction)
        shared = self._shared(rows, role, instruction)
        found = self._runner.get().pooled(rows, self._recipe.pooling, shared, keep=True).numpy()
        return normalised(found) if self._recipe.normalise else found

    def _shared(self, rows: list[Ids], role: Role, instruction: str | None) -> int:
        """How many leading tokens are the instruction's, found beside probes so that it is the same in every call."""
        causal = self._recipe.architecture == "qwen3"
        if not causal or role is not Role.QUERY or not self._config.share_prefixes:
            return 0
        shared = common_prefix(rows + self._uncut(_PROBES, role, instruction))
        return shared if shared >= _SHORTEST_PREFIX else 0

    def _uncut(self, texts: Sequence[str], role: Role, instruction: str | None = None) -> list[Ids]:
        return self._vocabulary.get().encode(render(self._recipe, texts, role, instruction))

    def _own_states(self, texts: Sequence[str], rows: list[Ids], role: Role) -> list[Vectors]:
        vocabulary = self._vocabulary.get()
        masks = vocabulary.own(render(self._recipe, texts, role), *margins(self._recipe, role))
        states = self._runner.get().states(rows, lambda found: found)
        return [normalised(s[vocabulary.cut(m, self._limit)]) for s, m in zip(states, masks, strict=True)]

    def _load(self) -> Runner:
        from steelyard.engines.torch.runner import Runner

        return Runner(self._folder, self._recipe.architecture, self.choice.precision, self._config)


def _sparse_head(folder: Path, hidden: int) -> SparseHead:
    from steelyard.engines.torch.heads import SparseHead

    return SparseHead(folder, hidden)


def _colbert_head(folder: Path, hidden: int) -> ColbertHead:
    from steelyard.engines.torch.heads import ColbertHead

    return ColbertHead(folder, hidden)
