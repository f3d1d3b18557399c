"""Templates put on texts, in one place for every engine."""

from __future__ import annotations

from collections.abc import Sequence

from steelyard.errors import RecipeError
from steelyard.models.recipe import Recipe
from steelyard.types import Role


def check_instruction(recipe: Recipe, role: Role, instruction: str | None) -> None:
    """Refuses an instruction that the model has no place for; documents take none and ignore it.

    Raises:
        RecipeError: naming the model and the mend.
    """
    if instruction and role is Role.QUERY and "{instruction}" not in recipe.query_template:
        raise RecipeError(f"{recipe.name} takes no instruction; leave {instruction[:60]!r} out")


def render(recipe: Recipe, texts: Sequence[str], role: Role, instruction: str | None = None) -> list[str]:
    """The texts as the model is to read them.

    Args:
        recipe: whose templates are put on.
        texts: clean texts.
        role: which side they stand on.
        instruction: None for the recipe's default, "" for none; see :meth:`Recipe.render_query`.
    """
    check_instruction(recipe, role, instruction)
    if role is Role.QUERY:
        return [recipe.render_query(t, instruction) for t in texts]
    return [recipe.render_document(t) for t in texts]


def margins(recipe: Recipe, role: Role, instruction: str | None = None) -> tuple[int, int]:
    """How many characters the template puts before and behind a text."""
    mark = "\x00"
    rendered = render(recipe, [mark], role, instruction)[0]
    before, _, behind = rendered.partition(mark)
    return len(before), len(behind)
