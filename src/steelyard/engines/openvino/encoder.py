"""Embedding models on OpenVINO, which is imported when the first text is encoded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from steelyard.engines.base import BaseEncoder, distinct
from steelyard.engines.checkpoint.shape import read_shape
from steelyard.engines.checkpoint.vocabulary import Ids, Vocabulary
from steelyard.engines.lazy import Lazy
from steelyard.engines.openvino.config import ARCHITECTURES, OpenVinoConfig, describe, folder_of
from steelyard.engines.protocol import EngineInfo
from steelyard.engines.render import margins, render
from steelyard.engines.vectors import normalised
from steelyard.errors import RecipeError
from steelyard.models.recipe import Recipe
from steelyard.types import Role, Vectors

if TYPE_CHECKING:
    from steelyard.engines.openvino.compiled import Compiled


class OpenVinoEncoder(BaseEncoder):
    """Vectors of BERT, XLM-R and Qwen3 checkpoints, weights in int8 unless ``config`` says otherwise.

    Args:
        recipe: an embedding recipe; a local folder, or pulled before.
        config: how to run.

    Raises:
        WeightsError: the files are not on this machine.
        MissingExtraError: openvino is not installed.
        RecipeError: another architecture, or recipe and checkpoint contradict each other.
    """

    def __init__(self, recipe: Recipe, config: OpenVinoConfig | None = None) -> None:
        self._recipe = recipe
        self._config = config or OpenVinoConfig()
        if recipe.architecture not in ARCHITECTURES:
            raise RecipeError(
                f"{recipe.name}: OpenVINO runs {', '.join(ARCHITECTURES)}, not {recipe.architecture}; use backend=torch"
            )
        self._folder = folder_of(recipe)
        self._info = describe(recipe, self._folder, self._config)
        self._shape = read_shape(self._folder, recipe.architecture)
        self._limit = min(recipe.max_tokens or self._shape.max_tokens, self._shape.max_tokens)
        if self._shape.hidden != recipe.dimension:
            raise RecipeError(
                f"{self._folder}: states of {self._shape.hidden} numbers, but recipe {recipe.name} says "
                f"{recipe.dimension}"
            )
        rows = self._shape.vocabulary
        self._vocabulary = Lazy(lambda: Vocabulary(self._folder / "tokenizer.json", rows, recipe.eos_id))
        self._compiled: Lazy[Compiled] = Lazy(self._load)

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
        """For each text float32[tokens, dimension] of the tokens that hold a character of it, L2-normalised.

        Raises:
            RecipeError: the model has a ColBERT head, which this engine does not run.
        """
        if "colbert" in self._recipe.heads:
            raise RecipeError(f"{self._recipe.name}: its ColBERT head runs on backend=torch, not on OpenVINO")
        unique, position = distinct(texts)
        if not unique:
            return []
        self._report_overlong(unique, role, None)
        vocabulary = self._vocabulary.get()
        masks = vocabulary.own(render(self._recipe, unique, role), *margins(self._recipe, role))
        states = self._compiled.get().states(self.token_ids(unique, role))
        found = [normalised(s[vocabulary.cut(m, self._limit)]) for s, m in zip(states, masks, strict=True)]
        return [found[i] for i in position]

    def close(self) -> None:
        """Frees the weights; the next call loads them again, from the kept graph."""
        self._compiled.drop()
        self._vocabulary.drop()

    def _encode(self, texts: Sequence[str], role: Role, instruction: str | None) -> Vectors:
        found = self._compiled.get().pooled(self.token_ids(texts, role, instruction), self._recipe.pooling)
        return normalised(found) if self._recipe.normalise else found

    def _uncut(self, texts: Sequence[str], role: Role, instruction: str | None = None) -> list[Ids]:
        return self._vocabulary.get().encode(render(self._recipe, texts, role, instruction))

    def _load(self) -> Compiled:
        from steelyard.engines.openvino.compiled import Compiled

        return Compiled(self._folder, self._recipe.architecture or "", self._shape, self._config)
