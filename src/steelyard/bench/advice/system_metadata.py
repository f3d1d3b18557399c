"""What is known of a system besides its quality: its recipes' facts and its measured costs, ready to be compared."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from steelyard.bench.evaluation.result import SystemRecord
from steelyard.bench.evaluation.sweep import storage_of
from steelyard.cost.figure import ROUNDS, Figure
from steelyard.cost.record import CostRecord
from steelyard.engines.remote.matching import endpoint_recipe
from steelyard.errors import SteelyardError
from steelyard.models.recipe import Published, Recipe
from steelyard.retrieval.expression import Fuse, Leaf, Node, Rerank, leaves, parse, single_options
from steelyard.retrieval.vocabulary import BM25, MAXSIM, MAXSIM_MODEL, check, late_recipe, recipe_of
from steelyard.wording.words import say


@dataclass(frozen=True)
class SystemMetadata:
    """One system.

    Attributes:
        node: its expression; None for a name that is none, as in a published table.
        recipes: of its models, left to right.
        unknown: parts that no recipe describes, as endpoints without one.
        costs: as measured; None where they were not.
        dimension: of its vectors, the largest where there are several kinds; 0 for a lexical system, None if not known.
        storage_gb: of a million documents' vectors, those kept for rescoring included; None if not known.
    """

    name: str
    node: Node | None
    recipes: tuple[Recipe, ...]
    unknown: tuple[str, ...]
    costs: CostRecord | None
    dimension: int | None
    storage_gb: float | None

    @property
    def licences(self) -> tuple[str, ...]:
        """Of its models, each once."""
        return tuple(dict.fromkeys(r.licence for r in self.recipes))

    @property
    def parameters(self) -> int | None:
        """Of all its models; None where one is not known."""
        return None if self.unknown else sum(r.parameters for r in self.recipes)

    @property
    def takes_instruction(self) -> bool:
        """Whether a model of it reads an instruction."""
        return any("{instruction}" in r.query_template for r in self.recipes)

    @property
    def published(self) -> tuple[tuple[str, Published], ...]:
        """Model and score, for every score that somebody else measured."""
        return tuple((r.name, p) for r in self.recipes for p in r.published)

    def lacks(self, languages: tuple[str, ...]) -> tuple[str, ...]:
        """The languages that one of its models does not know."""
        return tuple(i for i in languages if any(i not in r.languages for r in self.recipes))


def facts_of(system: SystemRecord) -> SystemMetadata:
    """What is known of a system of a result."""
    node = _parsed(system.name)
    parts = list(leaves(node)) if node else []
    recipes = [r for leaf in parts if (r := _recipe(leaf))]
    unknown = tuple(str(leaf) for leaf in parts if not _is_known(leaf)) if node else (system.name,)
    dimension, stored = _vectors(node, system.costs)
    return SystemMetadata(system.name, node, tuple(recipes), unknown, system.costs, dimension, stored)


def exactly(value: float) -> Figure:
    """A figure without noise, because it is computed."""
    return Figure(value=value, low=value, high=value, rounds=ROUNDS)


@dataclass(frozen=True)
class Cost:
    """One kind of cost; its words are ``costs.KEY``, ``narrow.KEY`` and ``amount.KEY`` of the wording.

    Attributes:
        key: names it in scenarios, CSV and wording.
        read: the figure; None where it is not known.
        more: whether more of it is better.
        listed: whether tables of costs have it.
        drawn: whether the page draws it.
    """

    key: str
    read: Callable[[SystemMetadata], Figure | None]
    more: bool = False
    listed: bool = True
    drawn: bool = True

    @property
    def title(self) -> str:
        """Its name in a sentence, with the unit."""
        return say(f"amount.{self.key}")


def _measured(
    read: Callable[[CostRecord], Figure | None], factor: float = 1.0
) -> Callable[[SystemMetadata], Figure | None]:
    def reader(facts: SystemMetadata) -> Figure | None:
        found = read(facts.costs) if facts.costs else None
        return found.times(factor) if found else None

    return reader


def _storage(facts: SystemMetadata) -> Figure | None:
    return None if facts.storage_gb is None else exactly(facts.storage_gb)


_KINDS = (
    Cost("load_s", _measured(lambda c: c.load_seconds)),
    Cost("cold_load_s", _measured(lambda c: c.cold_load_seconds), drawn=False),
    Cost("process_gb", _measured(lambda c: c.peak_rss_bytes, 1e-9)),
    Cost("gpu_gb", _measured(lambda c: c.gpu_bytes, 1e-9)),
    Cost("memory_gb", _measured(lambda c: c.gpu_bytes or c.peak_rss_bytes, 1e-9), listed=False),
    Cost("p50_ms", _measured(lambda c: c.query.p50 if c.query else None)),
    Cost("p95_ms", _measured(lambda c: c.query.p95 if c.query else None)),
    Cost("p99_ms", _measured(lambda c: c.query.p99 if c.query else None), drawn=False),
    Cost("texts_per_second", _measured(lambda c: c.texts_per_second), more=True),
    Cost("storage_gb", _storage),
    Cost("million_texts", _measured(lambda c: c.bill.million_texts if c.bill else None)),
    Cost("million_tokens", _measured(lambda c: c.bill.million_tokens if c.bill else None)),
)
COSTS: Mapping[str, Cost] = {cost.key: cost for cost in _KINDS}
"""Every kind of cost, in the order tables show them; a further one is an entry here and its words."""


def _parsed(name: str) -> Node | None:
    """The expression of a system; ``BGE-M3`` of a published table is the model of that name in small letters."""
    for source in (name, name.casefold()):
        try:
            node = parse(source)
            check(node, source)
        except SteelyardError:
            continue
        return node
    return None


def _recipe(leaf: Leaf) -> Recipe | None:
    if leaf.scheme == MAXSIM:
        return late_recipe(leaf)
    options = single_options(leaf)
    if leaf.scheme == "openai":
        asked = options.get("recipe")
        return endpoint_recipe(leaf.name, None if asked is None else str(asked)).recipe
    if leaf.name == MAXSIM and not leaf.scheme:
        return recipe_of(Leaf(str(options.get("model", MAXSIM_MODEL))))
    return recipe_of(leaf)


def _is_known(leaf: Leaf) -> bool:
    return (leaf.name == BM25 and not leaf.scheme) or _recipe(leaf) is not None


def _vectors(node: Node | None, costs: CostRecord | None) -> tuple[int | None, float | None]:
    """Dimension and gigabytes a million documents; fused parts add up, a reranker keeps no vectors."""
    if node is None:
        return (costs.dimension, None) if costs and costs.dimension else (None, None)
    if isinstance(node, Rerank):
        return _vectors(node.first, None)
    if isinstance(node, Fuse):
        parts = [_vectors(p, None) for p in node.parts]
        dimensions = [d for d, _ in parts if d is not None]
        sizes = [s for _, s in parts if s is not None]
        whole = len(sizes) == len(parts)
        return (max(dimensions), sum(sizes)) if whole and dimensions else (None, None)
    if node.name == BM25 and not node.scheme:
        return 0, 0.0
    own = storage_of(node) or storage_of(_with_dimension(node, costs))
    if own is None:
        return None, None
    return own.dimension, (own.bytes_per_million + own.rescore_bytes_per_million) / 1e9


def _with_dimension(node: Leaf, costs: CostRecord | None) -> Node:
    if not costs or not costs.dimension:
        return node
    return Leaf(node.name, node.scheme, node.url, (("dim", (costs.dimension,)), *node.options))
