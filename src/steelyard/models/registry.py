"""The models that Steelyard knows by name: one TOML file each, in ``models/catalog`` or in the user's own catalogue."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from difflib import get_close_matches
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from steelyard.errors import RecipeError
from steelyard.files import write_atomic
from steelyard.models.recipe import Recipe

_SUFFIX = ".toml"
_COPY = re.compile(
    r"[-_.:@](gguf|ggml|onnx|mlx|awq|gptq|latest|(bf|fp|f)(8|16|32)|w\d+a\d+|(int|nf)\d|i?q\d[a-z0-9_]*|\d-?bits?)$"
)
"""Endings that name another form of the same model."""


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
        name = by_hub_name(name) or name
    if name not in files:
        near = get_close_matches(name, files, n=3, cutoff=0.4)
        hint = f"Did you mean {' or '.join(near)}? " if near else ""
        raise RecipeError(f"no model is called {name!r}. {hint}Known models: {', '.join(sorted(files))}")
    return _built_in_recipe(name) if name in _built_in() else _read(files[name], str(files[name]))


def by_hub_name(name: str) -> str | None:
    """The name here of a model that is called as on a hub or as in its paper: ``BAAI/bge-m3``, ``BGE-M3``.

    Args:
        name: in any case; None comes back where no recipe is called so.
    """
    if name in _files() or not (set(name) - set("abcdefghijklmnopqrstuvwxyz0123456789.-_")):
        return name if name in _files() else None
    asked = name.strip().casefold()
    for recipe in map(load_recipe, recipe_names()):
        hubs = [h for h in (recipe.sources.huggingface, recipe.sources.modelscope) if h]
        if asked in {n.casefold() for n in (recipe.name, recipe.title, *hubs, *(h.rpartition("/")[2] for h in hubs))}:
            return recipe.name
    return None


def recipe_called(name: str, kind: Literal["embedding", "reranker"] | None = None) -> Recipe | None:
    """The recipe that a server's name of a model means; None where none does.

    Args:
        name: as ``GET /v1/models`` lists it.
        kind: which kind is meant; None for any.
    """
    recipes = map(load_recipe, recipe_names())
    return next((r for r in recipes if kind in (None, r.kind) and is_called(name, r)), None)


def is_called(name: str, recipe: Recipe) -> bool:
    """Whether a server's name of a model means this recipe.

    Meant are the recipe's own name, its names on the hubs with or without their owner, Ollama's spelling of them
    (``qwen3-embedding:4b``), a folder of one of these names, and all of them with the ending of a quantised copy
    (``-GGUF``, ``:Q8_0``, ``-AWQ``).
    """
    if name.rstrip("/").rpartition("/")[2] == recipe.name:  # in small letters: Qwen3-4B is a language model
        return True
    hubs = (recipe.title, recipe.sources.huggingface, recipe.sources.modelscope)
    return _letters(_bare(name)) in {_letters(_bare(known)) for known in hubs if known}


def _bare(name: str) -> str:
    """The last part of a name or path, in small letters, without the endings of copies."""
    cached = re.search(r"models--[^/]*?--([^/]+)", name)
    last = cached[1] if cached else name.rstrip("/").rpartition("/")[2]
    while (shorter := _COPY.sub("", last.lower())) != last:
        last = shorter
    return last


def _letters(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name)


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


@cache
def _built_in_recipe(name: str) -> Recipe:
    """Read once: what came with the package does not change while it runs."""
    file = _built_in()[name]
    return _read(file, f"models/catalog/{file.name}")


def _read(file: Traversable, place: str) -> Recipe:
    return parse_recipe(file.read_text(encoding="utf-8"), place)


def _files() -> dict[str, Traversable]:
    own = user_catalog()
    mine = {f.stem: f for f in own.glob(f"*{_SUFFIX}")} if own.is_dir() else {}
    return {**mine, **_built_in()}


def _built_in() -> dict[str, Traversable]:
    folder = resources.files("steelyard.models").joinpath("catalog")
    return {f.name.removesuffix(_SUFFIX): f for f in folder.iterdir() if f.name.endswith(_SUFFIX)}
