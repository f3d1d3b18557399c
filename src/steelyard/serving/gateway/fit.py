"""Texts that are longer than a model reads, found and cut here, because upstreams cut in silence or refuse."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from steelyard.engines.checkpoint.tokenizer import open_tokenizer
from steelyard.engines.lazy import Lazy
from steelyard.engines.render import render
from steelyard.errors import TextError
from steelyard.models.recipe import Recipe
from steelyard.serving.failures import ItemFailure
from steelyard.types import Role

_TOKENS_A_CHARACTER = 4  # as the engines reckon: what cannot be too long even so is not counted


@dataclass(frozen=True, slots=True)
class Fitted:
    """Finished texts, and the places of those that were cut."""

    texts: list[str]
    cut: tuple[int, ...] = ()


class Fitter:
    """Counts with the model's own tokenizer.

    Args:
        recipe: whose templates and length hold; its ``max_tokens`` is above 0.
        tokenizer: the ``tokenizer.json`` of its checkpoint, read at the first text that may be too long.
    """

    def __init__(self, recipe: Recipe, tokenizer: Path) -> None:
        self._recipe = recipe
        self._tokenizer: Lazy[Any] = Lazy(lambda: self._open(tokenizer))

    def fit(self, texts: Sequence[str], role: Role, instruction: str | None, *, truncate: bool) -> Fitted:
        """Templates put on, and what is too long cut so that the template and the end stay whole.

        Args:
            texts: clean and bare.
            role: which template.
            instruction: None for the recipe's own.
            truncate: cut; otherwise a text that is too long is refused.

        Raises:
            ItemFailure: with a TextError, when a text is too long and nothing is to be cut.
        """
        finished, limit = render(self._recipe, texts, role, instruction), self._recipe.max_tokens
        cut = []
        for i, text in enumerate(finished):
            if len(text) * _TOKENS_A_CHARACTER < limit or (count := self._count(text)) <= limit:
                continue
            if not truncate:
                said = f"has {count} tokens and the model reads {limit}; shorten it, or send truncate: true"
                raise ItemFailure(i, TextError(said))
            finished[i] = self._cut(texts[i], role, instruction)
            cut.append(i)
        return Fitted(finished, tuple(cut))

    def _cut(self, text: str, role: Role, instruction: str | None) -> str:
        """The longest beginning of a bare text that fits, by halving; a beginning has no more tokens than the whole."""
        low, high = 0, len(text)
        while high - low > 1:
            middle = (low + high) // 2
            fits = self._count(self._finished(text[:middle], role, instruction)) <= self._recipe.max_tokens
            low, high = (middle, high) if fits else (low, middle)
        return self._finished(text[:low], role, instruction)

    def _finished(self, text: str, role: Role, instruction: str | None) -> str:
        return render(self._recipe, [text], role, instruction)[0]

    def _count(self, text: str) -> int:
        return len(self._tokenizer.get().encode(text).ids)

    def _open(self, path: Path) -> Any:
        return open_tokenizer(path, f"counting tokens of {self._recipe.name}", "builtin")
