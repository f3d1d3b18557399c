"""A template that is on a text already is recognised, and what is read gives the text again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steelyard.engines.render import render
from steelyard.models.recipe import Recipe
from steelyard.models.registry import load_recipe, recipe_names
from steelyard.serving.templates import read_template
from steelyard.types import Role

EMBEDDERS = [r for r in map(load_recipe, recipe_names()) if r.kind == "embedding"]
bare = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)


@given(
    st.sampled_from(EMBEDDERS), st.one_of(bare, bare.map("query: {}".format), bare.map("Instruct: a\nQuery:{}".format))
)
def test_what_is_read_renders_to_the_same_text(recipe: Recipe, text: str) -> None:
    found = read_template(recipe, text)
    if found is not None:
        role, instruction, inner = found
        assert render(recipe, [inner], role, instruction) == [text]
        assert inner


@given(st.sampled_from(EMBEDDERS), bare, bare.filter(lambda t: "\nQuery:" not in t and "\n" not in t))
def test_what_is_rendered_is_read(recipe: Recipe, text: str, task: str) -> None:
    free = not recipe.query_template.startswith("{") and "{instruction}" in recipe.query_template
    for asked in (None, task) if free else (None,):
        query = render(recipe, [text], Role.QUERY, asked)[0]
        if query != text:
            assert read_template(recipe, query) == (Role.QUERY, asked, text)
    document = render(recipe, [text], Role.DOCUMENT)[0]
    if document != text:
        assert read_template(recipe, document) == (Role.DOCUMENT, None, text)


@pytest.mark.parametrize(
    ("model", "text", "found"),
    [
        ("e5-small", "query: 谁", (Role.QUERY, None, "谁")),
        ("e5-small", "passage: query: 谁", (Role.DOCUMENT, None, "query: 谁")),
        ("e5-small", "query:谁", None),
        ("e5-small", "query: ", None),
        ("qwen3-0.6b", "Instruct: find\nQuery:谁", (Role.QUERY, "find", "谁")),
        ("qwen3-0.6b", "Instruct: find", None),
        ("bge-small-zh-v1.5", "为这个句子生成表示以用于检索相关文章：谁", (Role.QUERY, None, "谁")),
        ("qwen3-0.6b", "谁", None),
        ("bge-m3", "query: 谁", None),
    ],
)
def test_examples(model: str, text: str, found: object) -> None:
    assert read_template(load_recipe(model), text) == found
