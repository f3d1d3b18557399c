"""Texts to token ids through a ``tokenizer.json``, knowing which tokens are the text's own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steelyard.engines.checkpoint.tokenizer import open_tokenizer
from steelyard.engines.lazy import Lazy
from steelyard.engines.render import margins, render
from steelyard.models.recipe import Recipe
from steelyard.types import Role


@dataclass(frozen=True, slots=True)
class Tokens:
    """One text in tokens, template and special tokens included, nothing cut.

    Attributes:
        ids: int64[t].
        own: bool[t]; True where a token holds at least one character of the text itself, so neither a
            special token nor one of the template.
    """

    ids: NDArray[np.int64]
    own: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.ids)

    def cut(self, limit: int) -> Tokens:
        """The first tokens and the last one, which closes the input, at most ``limit`` in all."""
        if len(self.ids) <= limit:
            return self
        keep = np.r_[0 : limit - 1, len(self.ids) - 1]
        return Tokens(self.ids[keep], self.own[keep])


class Tokeniser:
    """A ``tokenizer.json`` with a recipe's templates; read at the first text.

    Args:
        recipe: whose templates are put on.
        path: the file.
    """

    def __init__(self, recipe: Recipe, path: Path) -> None:
        self._recipe = recipe
        self._tokenizer: Lazy[Any] = Lazy(lambda: open_tokenizer(path, f"the tokenizer of {recipe.name}", "builtin"))

    def __call__(self, texts: Sequence[str], role: Role, instruction: str | None = None) -> list[Tokens]:
        """Tokens of every text, in order."""
        tokenizer = self._tokenizer.get()
        before, behind = margins(self._recipe, role, instruction)
        rendered = render(self._recipe, texts, role, instruction)
        return [_tokens(tokenizer.encode(text), before, len(text) - behind) for text in rendered]

    def drop(self) -> None:
        """Frees the vocabulary; the next call reads it again."""
        self._tokenizer.drop()


def _tokens(encoding: Any, start: int, end: int) -> Tokens:
    spans = np.asarray(encoding.offsets, dtype=np.int64).reshape(-1, 2)
    special = np.asarray(encoding.special_tokens_mask, dtype=np.bool_)
    own = ~special & (spans[:, 1] > start) & (spans[:, 0] < end)
    return Tokens(np.asarray(encoding.ids, dtype=np.int64), own)
