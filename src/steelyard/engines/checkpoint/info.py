"""What an engine says of itself before it loads a checkpoint, and what its numbers are called."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import metadata

from steelyard.engines.fingerprint import fingerprint, recipe_values
from steelyard.engines.packages import installed
from steelyard.engines.protocol import EngineInfo
from steelyard.errors import MissingExtraError, install_line
from steelyard.models.recipe import Recipe


def describe(recipe: Recipe, backend: str, packages: tuple[str, ...], made_of: Mapping[str, object]) -> EngineInfo:
    """The engine's name, sizes and fingerprint.

    Args:
        recipe: what is run.
        backend: what computes, such as ``torch-bf16``.
        packages: whose versions the numbers depend on.
        made_of: what else they depend on, as JSON: weights, tokenizer, precision.
    """
    what = {
        "recipe": recipe_values(recipe, checkpoint=True),
        "versions": [f"{p}=={metadata.version(p)}" for p in packages],
        **made_of,
    }
    return EngineInfo(
        recipe.name, backend, recipe.dimension, recipe.max_tokens, fingerprint(recipe.name, backend, what)
    )


def expect_packages(packages: tuple[str, ...], engine: str, extra: str) -> None:
    """Refuses to go on where a package is not installed.

    Raises:
        MissingExtraError: with the line that installs it.
    """
    missing = [p for p in packages if not installed(p)]
    if missing:
        raise MissingExtraError(f"{engine} ({', '.join(missing)})", install_line(extra))
