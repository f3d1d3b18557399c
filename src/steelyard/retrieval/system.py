"""A system as it will run: recipes, typed options and engine names in place of text. Nothing is loaded.

:mod:`steelyard.retrieval.resolve` makes these values from an expression, once; everything after that is given them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from steelyard.engines.load import Gives
from steelyard.models.recipe import Recipe
from steelyard.retrieval.expression import Fuse, Leaf, Node, Rerank
from steelyard.retrieval.protocol import Retriever
from steelyard.retrieval.quantised import Precision


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A server of somebody else.

    Attributes:
        name: of the model, as the server calls it.
        url: base URL of its API.
        batch: texts a request.
        concurrency: requests under way at once.
    """

    name: str
    url: str
    batch: int = 64
    concurrency: int = 8


@dataclass(frozen=True, slots=True)
class Lexical:
    """BM25 and its two constants."""

    k1: float = 1.5
    b: float = 0.75


@dataclass(frozen=True, slots=True)
class Model:
    """A model that encodes or scores.

    Attributes:
        leaf: as it was written.
        gives: what is asked of it.
        engine: the backend that computes, as ``torch-bf16``; ``openai`` or ``rerank`` for an endpoint.
        recipe: of the model; of an endpoint the one whose templates are put on before sending, if any.
        asked: the backend that the expression names; None where that was left to us.
        endpoint: where it answers; None for a model that runs here.
        said: what a reader must know of the recipe that was taken for an endpoint; empty where it was asked for.
    """

    leaf: Leaf
    gives: Gives
    engine: str
    recipe: Recipe | None
    asked: str | None = None
    endpoint: Endpoint | None = None
    said: str = ""

    @property
    def here(self) -> Recipe | None:
        """The recipe of a model that runs on this machine; None for an endpoint."""
        return None if self.endpoint else self.recipe

    @property
    def key(self) -> tuple[object, ...]:
        """The same for all parts that one engine serves in the same way."""
        of = (self.recipe.name, self.recipe.sources.folder) if self.recipe else None
        return (self.leaf.scheme, self.leaf.name, self.gives, of, self.engine, self.asked, self.endpoint)


@dataclass(frozen=True, slots=True)
class Vectors:
    """What is asked of a dense model's vectors.

    Attributes:
        dimension: leading dimensions that are kept; None keeps all.
        precision: of the values that are searched.
        rescore: first hits put in the order of their float32 vectors, where the precision is less.
        instruction: task text of queries; None for the recipe's own, empty for none.
        instructed: whether the expression says anything of instructions.
        max_tokens: texts are cut to so many; None leaves that to the model.
        windows: over-long texts are read in windows and not cut.
    """

    dimension: int | None = None
    precision: Precision = "float32"
    rescore: int = 0
    instruction: str | None = None
    instructed: bool = False
    max_tokens: int | None = None
    windows: bool = False


class System:
    """What is weighed. It prints as you would type it, and what you type builds it."""

    __slots__ = ()
    node: Node

    @property
    def name(self) -> str:
        """The canonical expression."""
        return str(self.node)

    def __str__(self) -> str:
        return self.name

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r})"

    @property
    def parts(self) -> tuple[Lexical | Model, ...]:
        """BM25 and models, left to right."""
        return tuple(_parts(self))

    @property
    def models(self) -> tuple[Model, ...]:
        """The models alone, left to right."""
        return tuple(p for p in self.parts if isinstance(p, Model))

    @property
    def recalling(self) -> tuple[Model, ...]:
        """The models that stand before ``>>``."""
        return tuple(_recalling(self))


@dataclass(frozen=True, slots=True, repr=False)
class Single(System):
    """One method of recall."""

    node: Leaf
    part: Lexical | Model
    vectors: Vectors = Vectors()

    @property
    def encoder(self) -> Model | None:
        """The model, where the system is one vector a text and nothing else."""
        return self.part if isinstance(self.part, Model) and self.part.gives == "vectors" else None


@dataclass(frozen=True, slots=True, repr=False)
class Fused(System):
    """Several systems whose rankings become one.

    Attributes:
        weights: one a part; all None for reciprocal ranks.
        depth: hits taken from every part.
        rrf_k: the constant of reciprocal rank fusion.
    """

    node: Fuse
    fused: tuple[System, ...]
    weights: tuple[float | None, ...]
    depth: int = 100
    rrf_k: int = 60


@dataclass(frozen=True, slots=True, repr=False)
class Reranked(System):
    """A system whose first hits a reranker puts in a new order.

    Attributes:
        top: hits that are reranked.
        task: instruction of the reranker; None for its own, empty for none.
    """

    node: Rerank
    first: System
    reranker: Model
    top: int = 50
    task: str | None = None


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Given(System):
    """A system that Python gave and no expression names: an encoder object, a function, a run.

    Attributes:
        label: what results call it.
        retriever: what indexes and searches.
    """

    label: str
    retriever: Retriever

    @property
    def name(self) -> str:
        """The label."""
        return self.label


def _parts(system: System) -> Iterator[Lexical | Model]:
    if isinstance(system, Single):
        yield system.part
    elif isinstance(system, Fused):
        for part in system.fused:
            yield from _parts(part)
    elif isinstance(system, Reranked):
        yield from _parts(system.first)
        yield system.reranker


def _recalling(system: System) -> Iterator[Model]:
    if isinstance(system, Single) and isinstance(system.part, Model):
        yield system.part
    elif isinstance(system, Fused):
        for part in system.fused:
            yield from _recalling(part)
    elif isinstance(system, Reranked):
        yield from _recalling(system.first)
