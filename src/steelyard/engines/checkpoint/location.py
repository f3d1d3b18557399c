"""Where a recipe's files are on this machine. Torch is imported only to convert a pickle."""

from __future__ import annotations

from pathlib import Path

from steelyard.engines.checkpoint.files import PICKLE
from steelyard.errors import WeightsError
from steelyard.models.hub import find
from steelyard.models.recipe import Recipe


def locate(recipe: Recipe) -> Path:
    """The folder that holds a recipe's files on this machine.

    Raises:
        WeightsError: it is nowhere; says how to get it.
    """
    if recipe.sources.folder:
        return Path(recipe.sources.folder)
    folder = find(recipe)
    if folder:
        return _readable(folder)
    raise WeightsError(
        f"the weights of {recipe.name} are not on this machine. Get them with: steelyard models pull {recipe.name}"
    )


def _readable(folder: Path) -> Path:
    """A pulled model whose publisher ships a pickle alone, such as BGE-M3, is converted once, tensors only."""
    if (folder / PICKLE).is_file() and not any(folder.glob("*.safetensors")):
        from steelyard.engines.checkpoint.pickled import convert  # torch, which the light install lacks

        convert(folder)
    return folder
