"""Systems that differ in one number only, as curves: read back from their names."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from steelyard.errors import SteelyardError
from steelyard.models.registry import load_recipe
from steelyard.retrieval.expression import Fuse, Leaf, Node, Options, Rerank, parse, single_options
from steelyard.retrieval.options import DENSE
from steelyard.stats.intervals import Interval

DIMENSION = "dim"


@dataclass(frozen=True, slots=True)
class Spot:
    """One system of a curve."""

    value: float
    system: str
    figure: Interval


@dataclass(frozen=True, slots=True)
class Curve:
    """The systems that are the same but for one option.

    Attributes:
        family: the system with that option left out.
        spots: by rising value, at least two.
    """

    family: str
    spots: tuple[Spot, ...]


@dataclass(frozen=True, slots=True)
class Sweep:
    """The curves over one option, such as ``dim``."""

    option: str
    curves: tuple[Curve, ...]


def sweeps(figures: Mapping[str, Interval]) -> tuple[Sweep, ...]:
    """Finds the sweeps among systems.

    A model without ``dim`` joins the curve of its own sweep at its native dimension. Names that are no expressions,
    such as those of published tables, are left out.

    Args:
        figures: system -> figure, best first.
    """
    found: dict[str, dict[str, dict[float, Spot]]] = defaultdict(lambda: defaultdict(dict))
    for name, figure in figures.items():
        for option, value, family in _places(name):
            found[option][family].setdefault(value, Spot(value, name, figure))
    made = []
    for option, families in sorted(found.items()):
        curves = [_curve(f, spots) for f, spots in families.items() if len(spots) > 1]
        swept = [c for c in curves if any(_is_given(s.system, option) for s in c.spots)]
        if swept:
            made.append(Sweep(option, tuple(swept)))
    return tuple(made)


def _curve(family: str, spots: Mapping[float, Spot]) -> Curve:
    return Curve(family, tuple(spots[v] for v in sorted(spots)))


def _is_given(name: str, option: str) -> bool:
    return any(found == option for found, _ in _numbers(parse(name)))


def _places(name: str) -> Iterator[tuple[str, float, str]]:
    """Option, value and family of every curve that a system may stand on."""
    try:
        node = parse(name)
    except SteelyardError:
        return
    numbers = _numbers(node)
    for option, value in numbers:
        if sum(found == option for found, _ in numbers) == 1:
            yield option, value, str(_without(node, option))
    native = _native_dimension(node)
    if native and all(option != DIMENSION for option, _ in numbers):
        yield DIMENSION, native, str(node)


def _native_dimension(node: Node) -> int:
    if not isinstance(node, Leaf) or node.scheme or single_options(node).get("head", DENSE) != DENSE:
        return 0
    try:
        return load_recipe(node.name).dimension
    except SteelyardError:
        return 0


def _numbers(node: Node) -> list[tuple[str, float]]:
    own = [(key, float(v[0])) for key, v in node.options if len(v) == 1 and not isinstance(v[0], str)]
    if isinstance(node, Fuse):
        return own + [n for part in node.parts for n in _numbers(part)]
    if isinstance(node, Rerank):
        return own + _numbers(node.first) + _numbers(node.reranker)
    return own


def _without(node: Node, option: str) -> Node:
    if isinstance(node, Leaf):
        return replace(node, options=_left(node.options, option))
    if isinstance(node, Fuse):
        return Fuse(tuple(_without(p, option) for p in node.parts), _left(node.options, option))
    reranker = replace(node.reranker, options=_left(node.reranker.options, option))
    return Rerank(_without(node.first, option), reranker, _left(node.options, option))


def _left(options: Options, option: str) -> Options:
    return tuple((k, v) for k, v in options if k != option)
