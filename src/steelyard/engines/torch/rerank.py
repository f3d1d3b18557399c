"""Rerankers on packed torch: Qwen3-Reranker by the share of "yes", and sequence classifiers of one label.

Torch itself is imported when the first document is scored. Only a document is ever cut: a prompt whose query,
instruction and wrapping leave no room for one is refused.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from steelyard.engines.base import BaseReranker
from steelyard.engines.checkpoint.location import locate
from steelyard.engines.checkpoint.reading import Reading
from steelyard.engines.checkpoint.tokenizer import Ids
from steelyard.engines.lazy import Lazy
from steelyard.engines.plan import worth_sharing
from steelyard.engines.protocol import EngineInfo
from steelyard.engines.torch.config import TorchConfig, decide, describe
from steelyard.engines.torch.precision import Choice
from steelyard.errors import RecipeError, TextError
from steelyard.models.recipe import Recipe
from steelyard.types import Scores

if TYPE_CHECKING:
    from steelyard.engines.torch.runner import Runner


class TorchReranker(BaseReranker):
    """Probabilities that a document answers a query.

    Args:
        recipe: a reranker's recipe, of architecture ``qwen3`` with ``yes_id`` and ``no_id``, or ``xlm-roberta``.
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
        self._reading = Reading(recipe, self._folder)
        self._prompts: _Prompts = (_Chat if recipe.architecture == "qwen3" else _Pairs)(recipe, self._reading)
        self._judge: Lazy[_Judge] = Lazy(self._load)

    @property
    def info(self) -> EngineInfo:
        """Known without loading weights."""
        return self._info

    def token_ids(self, query: str, documents: Sequence[str], instruction: str | None = None) -> list[Ids]:
        """What the model reads for each document, cut to its limit.

        Raises:
            TextError: the query and what stands around it leave no room for a document.
            RecipeError: an instruction where the model has no place for one.
        """
        return self._prompts.build(query, documents, instruction)

    def close(self) -> None:
        """Frees the weights; the next call loads them again."""
        self._judge.drop()
        self._reading.drop()

    def _score(self, query: str, documents: Sequence[str], instruction: str | None) -> Scores:
        rows = self.token_ids(query, documents, instruction)
        shared = 0
        if self._recipe.architecture == "qwen3" and self._config.share_prefixes and len(rows) > 1:
            shared = worth_sharing(rows)
        return self._judge.get().score(rows, shared)

    def _load(self) -> _Judge:
        from steelyard.engines.torch import classifier
        from steelyard.engines.torch.runner import Runner

        runner = Runner(self._folder, self._recipe.architecture, self.choice.precision, self._config)
        if self._recipe.architecture == "qwen3":
            yes, no = self._recipe.yes_id, self._recipe.no_id
            head: Any = classifier.YesNo(runner.checkpoint, runner.shape, int(yes or 0), int(no or 0))
            return _Judge(runner, head, "last")
        return _Judge(runner, classifier.Classifier(runner.checkpoint, runner.shape), "cls")


@dataclass(frozen=True, slots=True)
class _Judge:
    runner: Runner
    head: Any
    pooling: Any

    def score(self, rows: list[Ids], shared: int) -> Scores:
        found: Scores = self.head(self.runner.pooled(rows, self.pooling, shared)).numpy()
        return found


class _Prompts(ABC):
    def __init__(self, recipe: Recipe, reading: Reading) -> None:
        self._recipe, self._reading = recipe, reading

    @abstractmethod
    def build(self, query: str, documents: Sequence[str], instruction: str | None) -> list[Ids]:
        """Ids of each prompt, at most the limit."""

    def _room(self, taken: int, query: str) -> None:
        limit = self._reading.limit
        if taken >= limit:
            raise TextError(
                f"{self._recipe.name}: the query and what stands around it take {taken} of {limit} tokens and leave no "
                f"room for a document; shorten the query {query[:40]!r}"
            )


class _Chat(_Prompts):
    """The rendered query, the document, and what closes the prompt; tokenised apart from each other as published."""

    def build(self, query: str, documents: Sequence[str], instruction: str | None) -> list[Ids]:
        head = self._recipe.render_query(query, instruction)
        before, _, behind = self._recipe.document_template.partition("{text}")
        vocabulary = self._reading.vocabulary
        closing = vocabulary.encode_bare([behind])[0]
        room = self._reading.limit - len(closing)
        self._room(len(vocabulary.encode_bare([head + before])[0]) + len(closing), query)
        opened = vocabulary.encode_bare([head + before + document for document in documents])
        return [ids[:room] + closing for ids in opened]


class _Pairs(_Prompts):
    """Query and document joined by the tokenizer's own post-processor."""

    def build(self, query: str, documents: Sequence[str], instruction: str | None) -> list[Ids]:
        if instruction:
            raise RecipeError(f"{self._recipe.name} takes no instruction; leave {instruction[:60]!r} out")
        vocabulary = self._reading.vocabulary
        self._room(len(vocabulary.encode_pairs(query, [""])[0]), query)
        return self._reading.cut(vocabulary.encode_pairs(query, documents))
