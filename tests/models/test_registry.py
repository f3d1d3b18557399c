import pytest

from steelyard.errors import ExpressionError, RecipeError
from steelyard.models.registry import by_hub_name, load_recipe, parse_recipe, recipe_names
from steelyard.retrieval.expression import parse


def test_every_file_is_a_recipe_under_its_own_name() -> None:
    names = recipe_names()
    assert {"e5-small", "use-multilingual", "minilm-en"} <= set(names)
    assert names == tuple(sorted(names))
    assert [load_recipe(name).name for name in names] == list(names)


def test_an_unknown_name_gets_the_nearest() -> None:
    with pytest.raises(RecipeError, match="Did you mean e5-small") as caught:
        load_recipe("e5small")
    assert "use-multilingual" in str(caught.value)


@pytest.mark.parametrize("name", ["../recipe", "e5-small.toml", "", "catalog/e5-small"])
def test_only_names_are_looked_up(name: str) -> None:
    with pytest.raises(RecipeError, match="no model is called"):
        load_recipe(name)


def test_e5_puts_its_prefixes_on() -> None:
    recipe = load_recipe("e5-small")
    assert recipe.render_query("{text} 苹果") == "query: {text} 苹果"
    assert recipe.render_document("苹果") == "passage: 苹果"


@pytest.mark.parametrize(
    ("source", "fault"),
    [("name = ", "not TOML"), ('name = "x"\ncolour = "red"', "colour"), ('name = "X Y"', "name")],
)
def test_a_wrong_file_names_its_place_and_fault(source: str, fault: str) -> None:
    with pytest.raises(RecipeError, match=r"my\.toml") as caught:
        parse_recipe(source, "my.toml")
    assert fault in str(caught.value)


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("BAAI/bge-m3", "bge-m3"),
        ("baai/BGE-M3", "bge-m3"),
        ("BGE-M3", "bge-m3"),
        ("Qwen/Qwen3-Embedding-0.6B", "qwen3-0.6b"),
        ("Qwen3-Embedding-0.6B", "qwen3-0.6b"),
        ("Qwen/Qwen3-Reranker-4B", "qwen3-reranker-4b"),
        ("intfloat/multilingual-e5-small", "e5-small"),
    ],
)
def test_a_model_is_known_by_its_name_on_a_hub(typed: str, name: str) -> None:
    assert load_recipe(typed).name == name
    assert str(parse(f"bm25 + {typed}[weight=2]")) == f"bm25 + {name}[weight=2]"


def test_a_name_of_a_hub_that_is_not_known_says_what_to_type() -> None:
    assert by_hub_name("Nobody/Model") is None
    with pytest.raises(ExpressionError, match="steelyard models lists those that are; for a folder"):
        parse("Nobody/Model")
    assert str(parse("./my-model[dim=64]")) == "folder:./my-model[dim=64]"
    assert str(parse("/data/my-model")) == "folder:/data/my-model"
