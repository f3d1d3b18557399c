"""Embedding models on OpenVINO, which is imported when the first text is encoded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from steelyard.engines.checkpoint.encoder import CheckpointEncoder
from steelyard.engines.checkpoint.tokenizer import Ids
from steelyard.engines.lazy import Lazy
from steelyard.engines.openvino.config import ARCHITECTURES, OpenVinoConfig, describe, folder_of
from steelyard.errors import RecipeError
from steelyard.models.recipe import Recipe
from steelyard.types import Role, Vectors

if TYPE_CHECKING:
    from steelyard.engines.openvino.compiled import Compiled


class OpenVinoEncoder(CheckpointEncoder):
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
        self._config = config or OpenVinoConfig()
        if recipe.architecture not in ARCHITECTURES:
            raise RecipeError(
                f"{recipe.name}: OpenVINO runs {', '.join(ARCHITECTURES)}, not {recipe.architecture}; use backend=torch"
            )
        folder = folder_of(recipe)
        super().__init__(recipe, folder, describe(recipe, folder, self._config))
        self._compiled: Lazy[Compiled] = Lazy(self._load)

    def close(self) -> None:
        """Frees the weights; the next call loads them again, from the kept graph."""
        self._compiled.drop()
        self._reading.drop()

    def _pooled(self, rows: list[Ids], role: Role, instruction: str | None) -> Vectors:
        return self._compiled.get().pooled(rows, self._recipe.pooling)

    def _states(self, rows: list[Ids]) -> list[Vectors]:
        return self._compiled.get().states(rows)

    def _colbert(self, texts: Sequence[str], role: Role) -> list[Vectors]:
        raise RecipeError(f"{self._recipe.name}: its ColBERT head runs on backend=torch, not on OpenVINO")

    def _load(self) -> Compiled:
        from steelyard.engines.openvino.compiled import Compiled

        return Compiled(self._folder, self._recipe.architecture or "", self._reading.shape, self._config)
