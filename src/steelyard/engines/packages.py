"""Optional packages: whether they are there, where their files lie, and what names the numbers they give."""

from __future__ import annotations

import importlib
from importlib import metadata, util
from pathlib import Path
from typing import Any

from steelyard.engines.fingerprint import fingerprint, recipe_values
from steelyard.errors import MissingExtraError, WeightsError, install_line
from steelyard.models.recipe import Recipe


def installed(module: str) -> bool:
    """Whether a top-level module can be imported; imports nothing."""
    return util.find_spec(module) is not None


def require(module: str, what: str, extra: str) -> Any:
    """The imported module.

    Raises:
        MissingExtraError: it is not installed; ``what`` says for the reader what needs it.
    """
    if not installed(module.partition(".")[0]):
        raise MissingExtraError(what, install_line(extra))
    return importlib.import_module(module)


def package_file(module: str, *parts: str) -> Path:
    """The path of a file inside an installed package, found without importing it.

    Raises:
        WeightsError: the package is there and the file is not.
    """
    spec = util.find_spec(module)
    folders = list(spec.submodule_search_locations or ()) if spec else []
    path = Path(folders[0] if folders else ".", *parts)
    if not folders or not path.is_file():
        raise WeightsError(f"package {module} lacks its file {'/'.join(parts)}; reinstall it")
    return path


def package_fingerprint(recipe: Recipe, backend: str, distributions: tuple[str, ...], files: tuple[Path, ...]) -> str:
    """Names the numbers that an engine gives, without reading weights.

    Made of what the recipe says about the computation, the versions of the packages that compute, and the
    names and sizes of the weight files.
    """
    what = {
        "recipe": recipe_values(recipe),
        "backend": backend,
        "versions": [f"{d}=={metadata.version(d)}" for d in distributions],
        "files": [f"{f.name}:{f.stat().st_size}" for f in files],
    }
    return fingerprint(recipe.name, backend, what)
