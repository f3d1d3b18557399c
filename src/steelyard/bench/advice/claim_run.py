"""What a run must weigh for the claims that are asked, and the evidence that comes of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from steelyard.bench.advice.claims import CLAIMS
from steelyard.bench.evaluation.sweep import NONE, Axes, variants
from steelyard.errors import UsageError
from steelyard.retrieval.expression import Leaf, Node, Rerank
from steelyard.retrieval.vocabulary import recipe_of


def chosen(numbers: Sequence[int]) -> tuple[int, ...]:
    """The claims that are asked, all of them where none is named.

    Raises:
        UsageError: there is no such claim.
    """
    for number in numbers:
        if number not in CLAIMS:
            raise UsageError(f"there is no claim {number}; they are numbered from 1 to {len(CLAIMS)}")
    return tuple(dict.fromkeys(numbers)) or tuple(CLAIMS)


def needs(numbers: Iterable[int]) -> frozenset[str]:
    """What a run must have for these claims."""
    return frozenset(need for number in numbers for need in CLAIMS[number].needs)


def with_variants(
    systems: Sequence[Node], needed: frozenset[str], dimensions: Sequence[int], instructions: Sequence[str]
) -> tuple[Node, ...]:
    """The systems, and what the claims compare them with, each once.

    Args:
        systems: as the user names them.
        needed: of :func:`needs`.
        dimensions: at which models are cut, where they are smaller than the model's own.
        instructions: further ones to try, beside the model's own.
    """
    found = {str(n): n for n in systems}
    for node in systems:
        for variant in _of(node, needed, dimensions, instructions):
            found.setdefault(str(variant), variant)
    return tuple(found.values())


def costed(systems: Sequence[Node], weighed: Sequence[Node]) -> tuple[Node, ...]:
    """The systems whose costs are measured: those that are named, and what a named one reranks where it is weighed."""
    firsts = {str(n.first) for n in systems if isinstance(n, Rerank)}
    named = {str(n) for n in systems}
    return tuple(n for n in weighed if str(n) in named | firsts)


def _of(node: Node, needed: frozenset[str], dimensions: Sequence[int], instructions: Sequence[str]) -> tuple[Node, ...]:
    if isinstance(node, Rerank):
        return (node.first,) if "reranker" in needed else ()
    recipe = recipe_of(node) if isinstance(node, Leaf) else None
    if recipe is None or node.options:
        return ()
    instructed = "instructions" in needed and "{instruction}" in recipe.query_template
    cuts = [d for d in dimensions if d < recipe.dimension] if "dimensions" in needed else []
    texts = (NONE, *instructions) if instructed else ()
    return variants(node, Axes(dimensions=tuple(cuts), instructions=texts))[1:]
