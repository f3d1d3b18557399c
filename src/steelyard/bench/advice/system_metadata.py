"""What is known of a system besides its quality: its recipes' facts and its measured costs, ready to be compared."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from steelyard.bench.evaluation.result import SystemRecord
from steelyard.bench.evaluation.sweep import storage_of
from steelyard.cost.figure import ROUNDS, Figure
from steelyard.cost.record import CostRecord
from steelyard.models.recipe import Published, Recipe
from steelyard.retrieval.expression import Node
from steelyard.retrieval.resolve import Resolver
from steelyard.retrieval.system import Fused, Lexical, Reranked, Single, System
from steelyard.wording.words import say


@dataclass(frozen=True)
class SystemMetadata:
    """One system.

    Attributes:
        system: resolved; None for a name that is no expression, as in a published table.
        recipes: of its models, left to right.
        unknown: parts that no recipe describes, as endpoints without one.
        costs: as measured; None where they were not.
        dimension: of its vectors, the largest where there are several kinds; 0 for a lexical system, None if not known.
        storage_gb: of a million documents' vectors, those kept for rescoring included; None if not known.
    """

    name: str
    system: System | None
    recipes: tuple[Recipe, ...]
    unknown: tuple[str, ...]
    costs: CostRecord | None
    dimension: int | None
    storage_gb: float | None

    @property
    def node(self) -> Node | None:
        """Its expression."""
        return self.system.node if self.system else None

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


def facts_of(system: SystemRecord, resolver: Resolver | None = None) -> SystemMetadata:
    """What is known of a system of a result.

    Args:
        system: one of the result's.
        resolver: of the whole result, so that no recipe is read twice; a new one when None.
    """
    known = (resolver or Resolver()).known(system.name)
    models = known.models if known else ()
    recipes = tuple(m.recipe for m in models if m.recipe)
    unknown = tuple(str(m.leaf) for m in models if not m.recipe) if known else (system.name,)
    dimension, stored = _vectors(known, system.costs)
    return SystemMetadata(system.name, known, recipes, unknown, system.costs, dimension, stored)


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


def _vectors(system: System | None, costs: CostRecord | None) -> tuple[int | None, float | None]:
    """Dimension and gigabytes a million documents; fused parts add up, a reranker keeps no vectors."""
    measured = costs.dimension if costs else 0
    if system is None:
        return measured or None, None
    if isinstance(system, Reranked):
        return _vectors(system.first, None)
    if isinstance(system, Fused):
        parts = [_vectors(p, None) for p in system.fused]
        dimensions = [d for d, _ in parts if d is not None]
        sizes = [s for _, s in parts if s is not None]
        whole = len(sizes) == len(parts)
        return (max(dimensions), sum(sizes)) if whole and dimensions else (None, None)
    if isinstance(system, Single) and isinstance(system.part, Lexical):
        return 0, 0.0
    own = storage_of(system, measured)
    if own is None:
        return None, None
    return own.dimension, (own.bytes_per_million + own.rescore_bytes_per_million) / 1e9
