"""Embedding models on packed torch. Torch itself is imported when the first text is encoded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from steelyard.engines.checkpoint.encoder import CheckpointEncoder
from steelyard.engines.checkpoint.location import locate
from steelyard.engines.checkpoint.tokenizer import Ids
from steelyard.engines.lazy import Lazy
from steelyard.engines.plan import worth_sharing
from steelyard.engines.torch.config import TorchConfig, decide, describe
from steelyard.engines.torch.precision import Choice
from steelyard.errors import RecipeError
from steelyard.models.recipe import Recipe
from steelyard.types import Role, Vectors

if TYPE_CHECKING:
    from steelyard.engines.torch.heads import ColbertHead, SparseHead
    from steelyard.engines.torch.runner import Runner

_PROBES = ("一", "1", "a")


class TorchEncoder(CheckpointEncoder):
    """Vectors of BERT, XLM-R, GTE and Qwen3 checkpoints; for BGE-M3 also its sparse and ColBERT heads.

    Args:
        recipe: an embedding recipe; its files are found by :func:`steelyard.engines.checkpoint.location.locate`.
        config: how to run.

    Raises:
        WeightsError: the files are not on this machine.
        MissingExtraError: torch is not installed.
        RecipeError: recipe and checkpoint contradict each other.
    """

    def __init__(self, recipe: Recipe, config: TorchConfig | None = None) -> None:
        self._config = config or TorchConfig()
        folder = locate(recipe)
        self.choice: Choice = decide(recipe, self._config)
        super().__init__(recipe, folder, describe(recipe, folder, self.choice, self._config))
        hidden = self._reading.shape.hidden
        self._runner: Lazy[Runner] = Lazy(self._load)
        self._sparse: Lazy[SparseHead] = Lazy(lambda: _heads().SparseHead(folder, hidden))
        self._vectors: Lazy[ColbertHead] = Lazy(lambda: _heads().ColbertHead(folder, hidden))

    def encode_sparse(self, texts: Sequence[str], role: Role) -> list[dict[int, float]]:
        """For each text a weight above zero for each token id that matters; over-long texts are cut.

        Raises:
            RecipeError: the model has no sparse head.
        """
        if "sparse" not in self._recipe.heads:
            raise RecipeError(f"{self._recipe.name} has no sparse head; bge-m3 has one")
        return self._each(texts, role, lambda unique: self._weights(unique, role))

    def close(self) -> None:
        """Frees the weights; the next call loads them again."""
        for part in (self._runner, self._reading, self._sparse, self._vectors):
            part.drop()

    def _pooled(self, rows: list[Ids], role: Role, instruction: str | None) -> Vectors:
        shared = self._shared(rows, role, instruction)
        found: Vectors = self._runner.get().pooled(rows, self._recipe.pooling, shared, keep=True).numpy()
        return found

    def _states(self, rows: list[Ids]) -> list[Vectors]:
        return self._runner.get().states(rows, lambda found: found)

    def _colbert(self, texts: Sequence[str], role: Role) -> list[Vectors]:
        return [v[1:] for v in self._runner.get().states(self.token_ids(texts, role), self._vectors.get())]

    def _weights(self, texts: Sequence[str], role: Role) -> list[dict[int, float]]:
        from steelyard.engines.torch.heads import NOT_WORDS, heaviest

        rows = self.token_ids(texts, role)
        weights = self._runner.get().states(rows, self._sparse.get())
        left_out = self._reading.vocabulary.ids_of(NOT_WORDS)
        return [heaviest(ids, weight, left_out) for ids, weight in zip(rows, weights, strict=True)]

    def _shared(self, rows: list[Ids], role: Role, instruction: str | None) -> int:
        """How many leading tokens are the instruction's, found beside probes so that it is the same in every call."""
        causal = self._recipe.architecture == "qwen3"
        if not causal or role is not Role.QUERY or not self._config.share_prefixes:
            return 0
        return worth_sharing(rows + self._reading.uncut(_PROBES, role, instruction))

    def _load(self) -> Runner:
        from steelyard.engines.torch.runner import Runner

        return Runner(self._folder, self._recipe.architecture, self.choice.precision, self._config)


def _heads() -> Any:
    from steelyard.engines.torch import heads

    return heads
