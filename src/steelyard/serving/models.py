"""From names on a command line to models with their engines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from steelyard.engines.load import open_encoder, open_reranker, open_token_encoder
from steelyard.engines.maxsim import MaxSimReranker
from steelyard.engines.packages import installed, package_file
from steelyard.engines.protocol import Encoder, Reranker
from steelyard.errors import UsageError
from steelyard.models.folder import recipe_at
from steelyard.models.hub import find
from steelyard.models.recipe import Recipe
from steelyard.models.registry import load_recipe
from steelyard.serving.local_service import Loaded
from steelyard.serving.tokens import Codec, ModelCodec, NoCodec, TiktokenCodec

MAXSIM = "maxsim-"
_MAXSIM_SPELT = "maxsim:"
_PACKAGED = {"e5-small": ("semantra_multilingual", "assets", "multilingual-e5-small", "tokenizer.json")}
"""Recipes whose engine keeps its tokenizer to itself, and a package that has the same one."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A model as it was asked for: ``RECIPE`` or ``RECIPE=NAME``.

    A recipe is a known name, a checkpoint's folder, or ``maxsim:RECIPE``: late interaction of that model's token
    vectors, as a reranker.

    Attributes:
        recipe: what it is.
        name: its other name: under which it is served too, or under which an upstream knows it; None for none.
    """

    recipe: Recipe
    name: str | None = None

    @classmethod
    def read(cls, spec: str) -> Wanted:
        """Reads ``RECIPE`` or ``RECIPE=NAME``.

        Raises:
            RecipeError: no such recipe, or a folder that is no checkpoint.
            UsageError: an empty name.
        """
        recipe, equals, name = spec.partition("=")
        if equals and not name.strip():
            raise UsageError(f"{spec!r}: write RECIPE=NAME, or the recipe alone")
        return cls(_recipe(recipe.strip()), name.strip() or None)


def open_models(wanted: Sequence[Wanted], backend: str | None, token_arrays: str) -> dict[str, Loaded]:
    """Models by every name under which they are served; weights not loaded.

    Args:
        wanted: what to serve.
        backend: None for the best that is installed.
        token_arrays: ``model``, ``refuse``, or an encoding of tiktoken.

    Raises:
        UsageError: a name twice, or a model that does not run here.
        MissingExtraError: with the line that installs what is missing.
    """
    models: dict[str, Loaded] = {}
    for one in wanted:
        loaded = Loaded(one.recipe, _engine(one.recipe, backend), codec_of(one.recipe, token_arrays))
        for name in filter(None, (one.recipe.name, one.name)):
            if name in models:
                raise UsageError(f"{name!r} is asked for twice; give one of them another name, RECIPE=NAME")
            models[name] = loaded
    return models


def codec_of(recipe: Recipe, choice: str) -> Codec:
    """What reads the token arrays of a model."""
    if choice == "refuse":
        return NoCodec("this server takes no token arrays")
    if choice != "model":
        return TiktokenCodec(choice)
    path = tokenizer_of(recipe)
    return ModelCodec(path, recipe.name) if path else NoCodec(f"the tokenizer of {recipe.name} is not at hand here")


def _engine(recipe: Recipe, backend: str | None) -> Encoder | Reranker:
    if recipe.name.startswith(MAXSIM):
        return MaxSimReranker(open_token_encoder(_recipe(recipe.name.removeprefix(MAXSIM)), backend))
    return open_reranker(recipe, backend) if recipe.kind == "reranker" else open_encoder(recipe, backend)


def _recipe(name: str) -> Recipe:
    if name.startswith(_MAXSIM_SPELT):
        inner = load_recipe(name.removeprefix(_MAXSIM_SPELT))
        bare = {"query_template": "{text}", "instruction": None, "kind": "reranker", "dimension": 0}
        return inner.model_copy(update={"name": f"{MAXSIM}{inner.name}", **bare})
    return recipe_at(name)


def tokenizer_of(recipe: Recipe) -> Path | None:
    """The ``tokenizer.json`` of a recipe on this machine: in its folder, in what was pulled, or in a package."""
    folder = Path(recipe.sources.folder) if recipe.sources.folder else find(recipe)
    path = folder / "tokenizer.json" if folder else None
    if path is not None and path.is_file():
        return path
    packaged = _PACKAGED.get(recipe.name)
    return package_file(*packaged) if packaged and installed(packaged[0]) else None
