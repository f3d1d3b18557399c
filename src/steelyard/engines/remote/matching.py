"""Which recipe's templates are sent to an endpoint: the one that is named, or the one that the model's name means.

OpenAI's API has no place for templates. A Qwen3-Embedding that is asked without its instruction ranks markedly worse,
and nothing fails; so what is sent is always said, and kept in the result.
"""

from __future__ import annotations

from dataclasses import dataclass

from steelyard.models.recipe import Recipe
from steelyard.models.registry import load_recipe, recipe_called

NONE = "none"
"""``[recipe=none]``: texts are sent as they are."""


@dataclass(frozen=True, slots=True)
class EndpointRecipe:
    """What is sent to an endpoint.

    Attributes:
        recipe: whose templates are put on; None for none.
        said: why, where nobody said it; empty where it was asked for.
    """

    recipe: Recipe | None
    said: str = ""


def endpoint_recipe(model: str, asked: str | None) -> EndpointRecipe:
    """The recipe for an embedding model of an endpoint.

    Args:
        model: its name on the server.
        asked: a recipe's name or ``none``; None where nothing was said.

    Raises:
        RecipeError: no recipe is called ``asked``.
    """
    if asked == NONE:
        return EndpointRecipe(None)
    if asked is not None:
        return EndpointRecipe(load_recipe(asked))
    recipe = recipe_called(model, "embedding")
    if recipe is None:
        return EndpointRecipe(
            None,
            "no recipe has this name, so NO template is sent; name one where the model takes one, as in "
            "[recipe=qwen3-4b], or write [recipe=none]",
        )
    said = f"its name means the recipe {recipe.name}, whose templates are put on; [recipe=none] sends texts as they are"
    return EndpointRecipe(recipe, said)
