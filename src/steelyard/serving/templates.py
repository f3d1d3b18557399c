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
    default = recipe.query_template.replace("{instruction}", recipe.instruction or "")
    for role, template in ((Role.QUERY, default), (Role.DOCUMENT, recipe.document_template)):
        before, _, behind = template.partition("{text}")
        if before and text.startswith(before) and text.endswith(behind) and len(text) > len(before) + len(behind):
            return role, None, text[len(before) : len(text) - len(behind)]
    parts = _split(recipe.query_template, text)
    return (Role.QUERY, *parts) if parts else None


def _split(template: str, text: str) -> tuple[str, str] | None:
    """(instruction, text) where ``template`` is ``A{instruction}B{text}C`` and A and B are there."""
    first, _, rest = template.partition("{instruction}")
    middle, mark, last = rest.partition("{text}")
    if not (first and middle and mark) or not text.startswith(first) or not text.endswith(last):
        return None
    body = text[len(first) : len(text) - len(last)]
    instruction, found, bare = body.partition(middle)
    return (instruction, bare) if found and instruction and bare else None
