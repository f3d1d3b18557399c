"""What a model reads of a text, whatever computes behind it: its template, its tokenizer and its limit."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from steelyard.engines.checkpoint.shape import read_shape
from steelyard.engines.checkpoint.tokenizer import Ids, Tokenizer
from steelyard.engines.lazy import Lazy
from steelyard.engines.render import margins, render
from steelyard.errors import RecipeError
from steelyard.models.recipe import Recipe
from steelyard.types import Role

_KEPT = 256
"""Texts of a call whose ids are kept for the next one."""


class Reading:
    """A recipe's templates on the texts, the checkpoint's tokenizer behind them, cut to what the model reads.

    Args:
        recipe: of an embedding model or a reranker.
        folder: holds ``config.json``, and ``tokenizer.json``, which is read at the first text.

    Attributes:
        shape: the checkpoint's sizes.
        limit: tokens of the longest text that is read whole, by the recipe and by the checkpoint's positions.

    Raises:
        RecipeError: recipe and checkpoint contradict each other.
    """

    def __init__(self, recipe: Recipe, folder: Path) -> None:
        self._recipe = recipe
        self.shape = shape = read_shape(folder, recipe.architecture)
        self.limit = min(recipe.max_tokens or shape.max_tokens, shape.max_tokens)
        if recipe.kind == "embedding" and shape.hidden != recipe.dimension:
            raise RecipeError(
                f"{folder}: states of {shape.hidden} numbers, but recipe {recipe.name} says {recipe.dimension}"
            )
        path = folder / "tokenizer.json"
        self._vocabulary = Lazy(lambda: Tokenizer(path, shape.vocabulary, recipe.eos_id))
        self._last: tuple[list[str], list[Ids]] = [], []

    @property
    def vocabulary(self) -> Tokenizer:
        """The tokenizer.

        Raises:
            WeightsError: it is missing, or belongs to another model.
        """
        return self._vocabulary.get()

    def uncut(self, texts: Sequence[str], role: Role, instruction: str | None = None) -> list[Ids]:
        """Ids of each whole text, not to be changed: template, special and end tokens included.

        Those of the last call are kept, for a caller counts tokens before the same texts are encoded.
        """
        rendered = render(self._recipe, texts, role, instruction)
        if (last := self._last)[0] == rendered:
            return last[1]
        rows = self.vocabulary.encode(rendered)
        if len(rendered) <= _KEPT:
            self._last = rendered, rows
        return rows

    def ids(self, texts: Sequence[str], role: Role, instruction: str | None = None) -> list[Ids]:
        """The same cut to the limit: what the model is given."""
        return self.cut(self.uncut(texts, role, instruction))

    def own(self, texts: Sequence[str], role: Role) -> list[list[bool]]:
        """For each of :meth:`ids` whether it holds a character of the text itself."""
        rendered = render(self._recipe, texts, role)
        masks = self.vocabulary.own(rendered, *margins(self._recipe, role))
        return [self.vocabulary.cut(mask, self.limit) for mask in masks]

    def cut(self, rows: Sequence[Ids]) -> list[Ids]:
        """Each at most the limit: the end of a text goes, what closes it stays."""
        return [self.vocabulary.cut(row, self.limit) for row in rows]

    def drop(self) -> None:
        """Frees the tokenizer; the next text reads it again."""
        self._vocabulary.drop()
        self._last = [], []
