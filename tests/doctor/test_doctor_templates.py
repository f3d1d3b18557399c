"""What a server's counts of tokens and its two sides tell of the templates it puts on, without right vectors."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from steelyard.doctor.case import Case
from steelyard.doctor.target import Answer, Templates
from steelyard.doctor.templates import check_sides, check_silent_side, check_token_count
from steelyard.models.recipe import Recipe
from steelyard.models.registry import load_recipe
from steelyard.types import Role

Write = Callable[[Recipe, str, Role], str]


def right(recipe: Recipe, text: str, role: Role) -> str:
    return recipe.render_query(text) if role is Role.QUERY else recipe.render_document(text)


def twice(recipe: Recipe, text: str, role: Role) -> str:
    return right(recipe, right(recipe, text, role), role)


def bare(_: Recipe, text: str, __: Role) -> str:
    return text


def once(recipe: Recipe, text: str, role: Role) -> str:
    """Takes a written template for its own, as steelyard's own server does."""
    empty = right(recipe, "", role)
    return text if empty and text.startswith(empty) else right(recipe, text, role)


def as_queries(recipe: Recipe, text: str, _: Role) -> str:
    return recipe.render_query(text)


class Counting:
    """Vectors are drawn by the text that would be read; words and marks are tokens."""

    name = "counting"

    def __init__(
        self, recipe: Recipe, write: Write, templates: Templates = "server", silent: Any = Role.DOCUMENT
    ) -> None:
        self._recipe, self._write, self.templates, self._silent = recipe, write, templates, silent
        self._wrapping = 1 if recipe.architecture == "qwen3" else 2

    def embed(self, texts: Sequence[str], role: Role | None, dimensions: int | None = None) -> Answer:
        read = [self._write(self._recipe, t, role or self._silent) for t in texts]
        rows = np.stack([np.random.default_rng([*t.encode()]).standard_normal(8) for t in read]).astype(np.float32)
        tokens = sum(len(re.findall(r"\w+|[^\w\s]", t)) + self._wrapping for t in read)
        return Answer(rows, tuple(range(len(texts))), tokens)


def faults(case: Case) -> list[str]:
    found = [*check_token_count(case), *check_sides(case), *check_silent_side(case)]
    return sorted({f.fault.value for f in found})


@pytest.mark.parametrize(
    ("write", "e5", "qwen3"),
    [
        (right, [], []),
        (once, [], []),
        (bare, ["template-missing"], ["instruction-missing"]),
        (twice, ["template-doubled"], ["instruction-doubled"]),
        (as_queries, ["template-missing"], ["instruction-missing"]),
    ],
)
def test_a_server_that_puts_templates_on(write: Write, e5: list[str], qwen3: list[str]) -> None:
    for name, wanted in (("e5-small", e5), ("qwen3-0.6b", qwen3)):
        recipe = load_recipe(name)
        assert faults(Case(Counting(recipe, write), recipe)) == wanted, name


def test_a_text_that_says_no_side_should_not_be_a_query() -> None:
    recipe = load_recipe("e5-small")
    assert faults(Case(Counting(recipe, right, silent=Role.QUERY), recipe)) == ["template-wrong"]
    assert faults(Case(Counting(recipe, once, "client", Role.QUERY), recipe)) == ["template-wrong"]
    assert faults(Case(Counting(recipe, once, "client"), recipe)) == []
    assert faults(Case(Counting(recipe, bare, "client"), recipe)) == []


def test_a_model_without_templates_has_none_to_miss() -> None:
    recipe = load_recipe("minilm-en")
    assert faults(Case(Counting(recipe, bare), recipe)) == []
