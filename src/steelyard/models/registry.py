"""The models that Steelyard knows by name: one TOML file each in ``models/catalog``."""

from __future__ import annotations

import tomllib
from difflib import get_close_matches
from importlib import resources
from importlib.resources.abc import Traversable

from pydantic import ValidationError

from steelyard.errors import RecipeError
from steelyard.models.recipe import Recipe

_SUFFIX = ".toml"


def recipe_names() -> tuple[str, ...]:
    """Every name in the catalogue, sorted; reads no file."""
    return tuple(sorted(f.name.removesuffix(_SUFFIX) for f in _catalog().iterdir() if f.name.endswith(_SUFFIX)))


def load_recipe(name: str) -> Recipe:
    """The recipe of a model in the catalogue.

    Raises:
        RecipeError: the catalogue has no such name (the message gives the nearest ones), or its file is wrong.
    """
    names = recipe_names()
    if name not in names:
        near = get_close_matches(name, names, n=3, cutoff=0.4)
        hint = f"Did you mean {' or '.join(near)}? " if near else ""
        raise RecipeError(f"no model is called {name!r}. {hint}Known models: {', '.join(names)}")
    file = _catalog() / f"{name}{_SUFFIX}"
    return parse_recipe(file.read_text(encoding="utf-8"), f"models/catalog/{file.name}")


def parse_recipe(source: str, place: str) -> Recipe:
    """A recipe from TOML text.

    Args:
        source: the text.
        place: what to call it in an error, usually a path.

    Raises:
        RecipeError: not TOML, or not a recipe; names the place and the fields that are wrong.
    """
    try:
        return Recipe.model_validate(tomllib.loads(source))
    except tomllib.TOMLDecodeError as wrong:
        raise RecipeError(f"{place}: not TOML: {wrong}") from None
    except ValidationError as wrong:
        faults = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'recipe'}: {e['msg']}" for e in wrong.errors())
        raise RecipeError(f"{place}: not a recipe: {faults}") from None


def _catalog() -> Traversable:
    return resources.files("steelyard.models").joinpath("catalog")
