"""What a run must weigh for the claims that are asked, and the evidence that comes of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from steelyard.bench.advice.claims import Claims
from steelyard.bench.evaluation.sweep import NONE, Axes, variants
from steelyard.errors import UsageError
from steelyard.retrieval.system import Reranked, Single, System


def chosen(numbers: Sequence[int], claims: Claims) -> tuple[int, ...]:
    """The claims that are asked, all of them where none is named.

    Raises:
        UsageError: there is no such claim.
    """
    for number in numbers:
        if number not in claims:
            raise UsageError(f"there is no claim {number}; they are numbered from 1 to {len(claims)}")
    return tuple(dict.fromkeys(numbers)) or tuple(claims)


def needs(numbers: Iterable[int], claims: Claims) -> frozenset[str]:
    """What a run must have for these claims."""
    return frozenset(need for number in numbers for need in claims[number].needs)


def with_variants(
    systems: Sequence[System], needed: frozenset[str], dimensions: Sequence[int], instructions: Sequence[str]
) -> tuple[System, ...]:
    """The systems, and what the claims compare them with, each once.

    Args:
        systems: as the user names them.
        needed: of :func:`needs`.
        dimensions: at which models are cut, where they are smaller than the model's own.
        instructions: further ones to try, beside the model's own.
    """
    found = {s.name: s for s in systems}
    for system in systems:
        for variant in _of(system, needed, dimensions, instructions):
            found.setdefault(variant.name, variant)
    return tuple(found.values())


def costed(systems: Sequence[System], weighed: Sequence[System]) -> tuple[System, ...]:
    """The systems whose costs are measured: those that are named, and what a named one reranks where it is weighed."""
    firsts = {s.first.name for s in systems if isinstance(s, Reranked)}
    named = {s.name for s in systems}
    return tuple(s for s in weighed if s.name in named | firsts)


def _of(
    system: System, needed: frozenset[str], dimensions: Sequence[int], instructions: Sequence[str]
) -> tuple[System, ...]:
    if isinstance(system, Reranked):
        return (system.first,) if "reranker" in needed else ()
    model = system.encoder if isinstance(system, Single) else None
    recipe = model.here if model else None
    if recipe is None or system.node.options:
        return ()
    instructed = "instructions" in needed and "{instruction}" in recipe.query_template
    cuts = [d for d in dimensions if d < recipe.dimension] if "dimensions" in needed else []
    texts = (NONE, *instructions) if instructed else ()
    return variants(system, Axes(dimensions=tuple(cuts), instructions=texts))[1:]
