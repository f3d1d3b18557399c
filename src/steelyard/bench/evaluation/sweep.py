"""Sweeps around one system: what each dimension, precision, instruction, length, depth or weight does to it.

Every variant is a system of its own with an expression as its name, so a sweep's result can be compared, reported and
advised on like any other. They share one pass over the texts: whatever stands behind the encoder is computed from held
vectors, documents are not embedded again for another instruction, and only texts that a limit cuts are embedded again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace

from steelyard.bench.evaluation.against import by_query, mean, rules_of
from steelyard.bench.evaluation.result import Result
from steelyard.bench.evaluation.votes import Replacement, replacements
from steelyard.cost.storage import Precision, Storage, storage
from steelyard.errors import ExpressionError, UsageError
from steelyard.retrieval.expression import Fuse, Leaf, Node, Rerank, Value, instruction_of, leaves, parse
from steelyard.retrieval.resolve import Resolver
from steelyard.retrieval.system import Single, System
from steelyard.stats.comparing import ByQuery, compare_named
from steelyard.stats.difference import PairedDifference
from steelyard.stats.intervals import Interval
from steelyard.text.script import is_chinese

LADDER = (32, 64, 96, 128, 192, 256, 384, 512, 768, 1024, 1536, 2048, 2560, 3072, 4096)
NONE, DEFAULT = "none", "default"


@dataclass(frozen=True)
class Axes:
    """What is varied.

    Attributes:
        dimensions: crossed with ``precisions``; the native one is the system as it is.
        precisions: likewise; float32 is the system as it is.
        rescore: first hits rescored with full vectors: int8 and binary are then tried with and without.
        instructions: task texts of queries; ``none`` and ``default`` have their meaning of expressions.
        max_tokens: lengths at which texts are cut.
        tops: hits that are reranked.
        weights: share of the last part of a fusion of two; the first has the rest.
    """

    dimensions: tuple[int, ...] = ()
    precisions: tuple[Precision, ...] = ()
    rescore: int = 0
    instructions: tuple[str, ...] = ()
    max_tokens: tuple[int, ...] = ()
    tops: tuple[int, ...] = ()
    weights: tuple[float, ...] = ()


@dataclass(frozen=True)
class Row:
    """One variant beside the system that is swept.

    Attributes:
        name: its expression.
        figure: the judged measure.
        replacement: whether it may take the base's place, by every measure that votes; None for the base itself.
        storage: of a million documents; None where the system is more than one encoder.
    """

    name: str
    figure: Interval
    replacement: Replacement | None
    storage: Storage | None

    @property
    def against(self) -> PairedDifference | None:
        """Its difference from the base by the judged measure; None for the base itself."""
        return self.replacement.votes[0] if self.replacement else None


def variants(base: System, axes: Axes) -> tuple[System, ...]:
    """The base and every variant, each once, the base first; deeper reranking before shallower, as it is reused.

    Raises:
        UsageError: an axis that the system does not have.
        ExpressionError: a value that does not fit.
    """
    resolver = Resolver()
    found = {base.name: base}
    for node in _all(base, axes, resolver):
        system = resolver.resolve(node, str(node))
        found.setdefault(system.name, system)
    return tuple(found.values())


def ladder(base: System) -> tuple[int, ...]:
    """The usual dimensions below a model's own, and its own.

    Raises:
        UsageError: the system has no recipe that says what its own is.
    """
    recipes = [m.here for m in base.recalling if m.here]
    if len(recipes) != 1:
        raise UsageError(f"{base} is not one known model: say which dimensions, e.g. --dims 64,128,256")
    native, least = recipes[0].dimension, recipes[0].min_dimension
    return (*(d for d in LADDER if max(least, 1) <= d < native), native)


def rows(result: Result, base: str, measure: str, margin: float | None = None) -> tuple[Row, ...]:
    """Every system of a sweep's result, in its order, compared with the base."""
    names = [s.name for s in result.weighed]
    found, known = replacements(result, base, names, measure=measure, margin=margin), Resolver().known
    return tuple(Row(n, mean(result, n, measure), found.get(n), storage_of(known(n))) for n in names)


def smallest(found: Sequence[Row]) -> Row | None:
    """The least storage among the variants that are no worse by all that votes; None where none is smaller."""
    base = next(r for r in found if r.replacement is None)
    if base.storage is None:
        return None
    whole = base.storage.bytes_per_million
    allowed = [r for r in found if r.replacement and r.replacement.allowed]
    sizes = {r.name: r.storage.bytes_per_million for r in allowed if r.storage}
    fits = [r for r in found if sizes.get(r.name, whole) < whole]
    return min(fits, key=lambda r: (sizes[r.name], -r.figure.estimate), default=None)


def chinese_against_english(result: Result, measure: str) -> PairedDifference | None:
    """Instructions with Chinese characters against those without, each side averaged query by query.

    Returns:
        None where the result does not have both.
    """
    sides: dict[str, list[ByQuery]] = {"zh": [], "en": []}
    for system in result.weighed:
        text = instruction_in(system.name)
        if text not in (None, NONE, DEFAULT, ""):
            sides["zh" if is_chinese(str(text)) else "en"].append(by_query(result, system.name, measure))
    if not sides["zh"] or not sides["en"]:
        return None
    values = {f"{side} instructions": _averaged(group) for side, group in sides.items()}
    pair = ("zh instructions", "en instructions")
    return compare_named(values, [pair], measure, rules_of(result, measure))[0]


def instruction_in(name: str) -> str | None:
    """The instruction that a system's name gives; None where it gives none, or is no expression."""
    try:
        return instruction_of(parse(name))
    except ExpressionError:
        return None


def storage_of(system: System | None, dimension: int = 0) -> Storage | None:
    """What a million documents take in a system that is one encoder of one vector a text.

    Args:
        system: None where it is not known.
        dimension: of its vectors where neither expression nor recipe says it.

    Returns:
        None for any other system, and where the dimension is not known.
    """
    model = system.encoder if isinstance(system, Single) else None
    if not isinstance(system, Single) or model is None:
        return None
    asked = system.vectors
    kept = asked.dimension or (model.here.dimension if model.here else dimension)
    return storage(kept, asked.precision, rescored=asked.rescore > 0) if kept else None


def _all(system: System, axes: Axes, resolver: Resolver) -> Iterator[Node]:
    yield from _grid(system, axes, resolver)
    base = system.node
    own = () if instruction_of(base) else (DEFAULT,)  # without one of its own the base is that variant
    instructions = tuple(i for i in axes.instructions if i not in own)
    for key, values in (("instruction", instructions), ("max_tokens", axes.max_tokens)):
        for value in values:
            yield _set(base, key, value, resolver)
    for top in sorted(axes.tops, reverse=True):
        yield _set(base, "top", top, resolver)
    for weight in axes.weights:
        yield _weighted(base, weight)


def _grid(system: System, axes: Axes, resolver: Resolver) -> Iterator[Node]:
    base = system.node
    natives = {m.here.dimension for m in system.recalling if m.here}
    for dimension in axes.dimensions or (0,):
        cut = base if not dimension or dimension in natives else _set(base, "dim", dimension, resolver)
        for precision in axes.precisions or ("float32",):
            kept = cut if precision == "float32" else _set(cut, "precision", precision, resolver)
            yield kept
            if axes.rescore and precision != "float32":
                yield _set(kept, "rescore", axes.rescore, resolver)


def _set(node: Node, key: str, value: Value, resolver: Resolver) -> Node:
    """The node with an option on every leaf that takes it.

    Raises:
        UsageError: no leaf takes it.
    """
    takes = {leaf for leaf in leaves(node) if key in resolver.options(leaf)}
    if not takes:
        raise UsageError(f"{node} has no part that takes {key}")
    return _on_leaves(node, takes, key, value)


def _on_leaves(node: Node, takes: AbstractSet[Leaf], key: str, value: Value) -> Node:
    if isinstance(node, Leaf):
        if node not in takes:
            return node
        return replace(node, options=tuple(sorted({**dict(node.options), key: (value,)}.items())))
    if isinstance(node, Fuse):
        return replace(node, parts=tuple(_on_leaves(p, takes, key, value) for p in node.parts))
    reranker = _on_leaves(node.reranker, takes, key, value)
    if not isinstance(reranker, Leaf):
        raise TypeError("a reranker is a leaf")
    return Rerank(_on_leaves(node.first, takes, key, value), reranker, node.options)


def _weighted(node: Node, weight: float) -> Node:
    if isinstance(node, Rerank):
        return replace(node, first=_weighted(node.first, weight))
    if not isinstance(node, Fuse) or len(node.parts) != 2 or not 0 <= weight <= 1:
        raise UsageError(
            f"weights between 0 and 1 are for a fusion of two parts, as in bm25 + e5-small, not for {node}"
        )
    shares = (round(1 - weight, 10), weight)
    parts = tuple(
        replace(p, options=tuple(sorted({**dict(p.options), "weight": (share,)}.items())))
        for p, share in zip(node.parts, shares, strict=True)
    )
    return replace(node, parts=parts)


def _averaged(group: Sequence[ByQuery]) -> ByQuery:
    return {q: sum(v[q] for v in group) / len(group) for q in group[0]}
