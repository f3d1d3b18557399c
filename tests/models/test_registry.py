import pytest

from steelyard.errors import RecipeError
from steelyard.models.registry import load_recipe, parse_recipe, recipe_names


def test_every_file_is_a_recipe_under_its_own_name():
    names = recipe_names()
    assert {"e5-small", "use-multilingual", "minilm-en"} <= set(names)
    assert names == tuple(sorted(names))
    assert [load_recipe(name).name for name in names] == list(names)


def test_an_unknown_name_gets_the_nearest():
    with pytest.raises(RecipeError, match="Did you mean e5-small") as caught:
        load_recipe("e5small")
    assert "use-multilingual" in str(caught.value)


@pytest.mark.parametrize("name", ["../recipe", "e5-small.toml", "", "catalog/e5-small"])
def test_only_names_are_looked_up(name):
    with pytest.raises(RecipeError, match="no model is called"):
        load_recipe(name)


def test_e5_puts_its_prefixes_on():
    recipe = load_recipe("e5-small")
    assert recipe.render_query("{text} 苹果") == "query: {text} 苹果"
    assert recipe.render_document("苹果") == "passage: 苹果"


@pytest.mark.parametrize(
    ("source", "fault"),
    [("name = ", "not TOML"), ('name = "x"\ncolour = "red"', "colour"), ('name = "X Y"', "name")],
)
def test_a_wrong_file_names_its_place_and_fault(source, fault):
    with pytest.raises(RecipeError, match=r"my\.toml") as caught:
        parse_recipe(source, "my.toml")
    assert fault in str(caught.value)
