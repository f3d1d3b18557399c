"""The models that Steelyard knows by name: one TOML file each, in ``models/catalog`` or in the user's own catalogue."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from difflib import get_close_matches
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

from pydantic import ValidationError

from steelyard.errors import RecipeError
from steelyard.files import write_atomic
from steelyard.models.recipe import Recipe

_SUFFIX = ".toml"


def recipe_names() -> tuple[str, ...]:
    """Every name in the catalogue and among the user's own, sorted; reads no file."""
    return tuple(sorted(_files()))


def load_recipe(name: str) -> Recipe:
    """The recipe of a model in the catalogue, or of one that the user added.

    Raises:
        RecipeError: there is no such name (the message gives the nearest ones), or its file is wrong.
    """
    files = _files()
    if name not in files:
        near = get_close_matches(name, files, n=3, cutoff=0.4)
        hint = f"Did you mean {' or '.join(near)}? " if near else ""
        raise RecipeError(f"no model is called {name!r}. {hint}Known models: {', '.join(sorted(files))}")
    file = files[name]
    place = str(file) if name not in _built_in() else f"models/catalog/{file.name}"
    return parse_recipe(file.read_text(encoding="utf-8"), place)


def add_recipe(source: Path, folder: Path | None = None) -> Recipe:
    """Takes a recipe into the user's own catalogue, under its own name.

    Args:
        source: a TOML file as those of the catalogue.
        folder: the user's catalogue; :func:`user_catalog` when None.

    Raises:
        RecipeError: not a recipe, or its name is one of the built-in ones.
    """
    try:
        text = source.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as wrong:
        raise RecipeError(f"{source} cannot be read as a recipe: {wrong}") from wrong
    recipe = parse_recipe(text, str(source))
    if recipe.name in _built_in():
        raise RecipeError(f"{source}: {recipe.name!r} is built in; give your recipe another name")
    own = folder or user_catalog()
    own.mkdir(parents=True, exist_ok=True)
    write_atomic(own / f"{recipe.name}{_SUFFIX}", text)
    return recipe


def user_catalog(environment: Mapping[str, str] | None = None) -> Path:
    """``$STEELYARD_MODELS``, else ``$XDG_CONFIG_HOME/steelyard/models``, else ``~/.config/steelyard/models``."""
    env = os.environ if environment is None else environment
    own = env.get("STEELYARD_MODELS")
    return Path(own) if own else Path(env.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "steelyard" / "models"


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


def _files() -> dict[str, Traversable]:
    own = user_catalog()
    mine = {f.stem: f for f in own.glob(f"*{_SUFFIX}")} if own.is_dir() else {}
    return {**mine, **_built_in()}


def _built_in() -> dict[str, Traversable]:
    folder = resources.files("steelyard.models").joinpath("catalog")
    return {f.name.removesuffix(_SUFFIX): f for f in folder.iterdir() if f.name.endswith(_SUFFIX)}
