"""What all embedding engines that run a checkpoint share; a subclass runs its layers."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path

from steelyard.engines.base import BaseEncoder
from steelyard.engines.checkpoint.reading import Reading
from steelyard.engines.checkpoint.tokenizer import Ids
from steelyard.engines.protocol import EngineInfo
from steelyard.engines.vectors import normalised
from steelyard.models.recipe import Recipe
from steelyard.types import Role, Vectors


class CheckpointEncoder(BaseEncoder):
    """Vectors of texts and of their tokens from the states of a checkpoint's last layer.

    Args:
        recipe: an embedding recipe.
        folder: its files.
        info: what the engine says of itself.

    Raises:
        RecipeError: recipe and checkpoint contradict each other.
    """

    def __init__(self, recipe: Recipe, folder: Path, info: EngineInfo) -> None:
        self._recipe, self._folder, self._info = recipe, folder, info
        self._reading = Reading(recipe, folder)

    @property
    def info(self) -> EngineInfo:
        """Known without loading weights."""
        return self._info

    def token_ids(self, texts: Sequence[str], role: Role, instruction: str | None = None) -> list[Ids]:
        """What the model reads of each text: template, special and end tokens included, cut to its limit."""
        return self._reading.ids(texts, role, instruction)

    def count_tokens(self, texts: Sequence[str], role: Role, instruction: str | None = None) -> list[int]:
        """Tokens of each uncut text, template and special tokens included."""
        return [len(ids) for ids in self._reading.uncut(texts, role, instruction)]

    def encode_tokens(self, texts: Sequence[str], role: Role) -> list[Vectors]:
        """For each text float32[tokens, dimension], L2-normalised; over-long texts are cut.

        Models with a ColBERT head give that head's vectors of all tokens behind the first, as published (the closing
        token is among them); others give the states of the tokens that hold a character of the text itself.

        Raises:
            RecipeError: the model has a ColBERT head, and this engine does not run it.
        """
        head = self._colbert if "colbert" in self._recipe.heads else self._own_states
        return self._each(texts, role, lambda unique: head(unique, role))

    @abstractmethod
    def _pooled(self, rows: list[Ids], role: Role, instruction: str | None) -> Vectors:
        """float32[n, d] as pooled, not normalised."""

    @abstractmethod
    def _states(self, rows: list[Ids]) -> list[Vectors]:
        """float32[t, d] of every token for each row."""

    @abstractmethod
    def _colbert(self, texts: Sequence[str], role: Role) -> list[Vectors]:
        """The ColBERT head's vectors of distinct texts, or a refusal."""

    def _own_states(self, texts: Sequence[str], role: Role) -> list[Vectors]:
        states = self._states(self.token_ids(texts, role))
        return [normalised(s[own]) for s, own in zip(states, self._reading.own(texts, role), strict=True)]

    def _encode(self, texts: Sequence[str], role: Role, instruction: str | None) -> Vectors:
        found = self._pooled(self.token_ids(texts, role, instruction), role, instruction)
        return normalised(found) if self._recipe.normalise else found
