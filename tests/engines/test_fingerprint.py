"""One policy for all fingerprints: every field of a recipe either enters them or describes only."""

import pytest

from steelyard.engines.fingerprint import COMPUTED, DESCRIBED, SHAPE, fingerprint, recipe_values
from steelyard.models.recipe import Recipe
from steelyard.models.registry import load_recipe


def test_each_field_of_a_recipe_is_in_one_list() -> None:
    lists = (COMPUTED, SHAPE, DESCRIBED)
    assert set().union(*lists) == set(Recipe.model_fields)
    assert sum(map(len, lists)) == len(Recipe.model_fields)


@pytest.mark.parametrize("checkpoint", [False, True])
def test_correcting_a_description_keeps_stored_vectors(checkpoint: bool) -> None:
    recipe = load_recipe("qwen3-0.6b")
    told = recipe.model_copy(update={"licence": "MIT", "title": "Another", "notes": "New."})
    assert recipe_values(told, checkpoint=checkpoint) == recipe_values(recipe, checkpoint=checkpoint)
    other = recipe.model_copy(update={"query_template": "{text}"})
    assert recipe_values(other, checkpoint=checkpoint) != recipe_values(recipe, checkpoint=checkpoint)


def test_a_fingerprint_does_not_change_between_versions() -> None:
    """Written down once: another value here means that every stored vector is computed again."""
    assert fingerprint("m", "b", {"版": 1, "a": [2]}) == "m/b/5a505c1dfa08ee76"
