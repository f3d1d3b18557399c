"""Which side a text stands on when the request does not say.

Clients that follow a model's own guide put the template on by themselves (``query: ...``, ``Instruct: ...``). Such a
text is taken apart again, so that the engine's template gives exactly what the client wrote and none is doubled.
"""

from __future__ import annotations

from steelyard.models.recipe import Recipe
from steelyard.types import Role


def read_template(recipe: Recipe, text: str) -> tuple[Role, str | None, str] | None:
    """(role, instruction, bare text) of a text that carries one of the recipe's templates; None for a bare one.

    Rendering what is returned gives ``text`` again, character for character.
    """
    if "{instruction}" in recipe.query_template:
        parts = _split(recipe.query_template, text)
        if parts is not None:
            instruction, bare = parts
            return Role.QUERY, instruction, bare
        if recipe.query_template.startswith("{"):
            return None
    for role, template in ((Role.QUERY, recipe.query_template), (Role.DOCUMENT, recipe.document_template)):
        before, _, behind = template.partition("{text}")
        marked = bool(before) and "{" not in before
        if marked and text.startswith(before) and text.endswith(behind) and len(text) > len(before) + len(behind):
            return role, None, text[len(before) : len(text) - len(behind)]
    return None


def _split(template: str, text: str) -> tuple[str, str] | None:
    """(instruction, text) where ``template`` is ``A{instruction}B{text}C`` and A and B are there."""
    first, _, rest = template.partition("{instruction}")
    middle, mark, last = rest.partition("{text}")
    if not (first and middle and mark) or not text.startswith(first) or not text.endswith(last):
        return None
    body = text[len(first) : len(text) - len(last)]
    instruction, found, bare = body.partition(middle)
    return (instruction, bare) if found and instruction and bare else None
