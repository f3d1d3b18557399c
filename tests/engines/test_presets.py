"""Known services by a short name: their URL, the variable of their key, and no key shown to another company."""

from pathlib import Path
from typing import Any

import pytest

from steelyard.engines.remote.openai import OpenAIConfig
from steelyard.engines.remote.presets import PRESETS, key_for, preset_at, preset_url
from steelyard.errors import ExpressionError, UsageError
from steelyard.retrieval.expression import parse


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_a_service_stands_for_its_url(name: Any) -> None:
    assert str(parse(f"openai:{PRESETS[name].example}@{name}")) == f"openai:{PRESETS[name].example}@{PRESETS[name].url}"
    assert preset_at(PRESETS[name].url + "/embeddings") is PRESETS[name]
    assert key_for(PRESETS[name].url, {PRESETS[name].variable: "own", "STEELYARD_API_KEY": "any"}) == "own"


def test_an_unknown_service_names_those_that_there_are() -> None:
    with pytest.raises(UsageError, match="did you mean dashscope"):
        preset_url("dashscop")
    with pytest.raises(ExpressionError, match="no service is called 'nowhere'; known are dashscope, zhipu"):
        parse("openai:m@nowhere")


def test_no_key_is_shown_to_another_company() -> None:
    environment = {"OPENAI_API_KEY": "sk-openai"}
    with pytest.raises(UsageError, match="export DASHSCOPE_API_KEY=YOUR_KEY"):
        key_for(PRESETS["dashscope"].url, environment)
    assert key_for(PRESETS["openai"].url, environment) == "sk-openai"
    assert key_for("http://localhost:30000/v1", environment) == "sk-openai"
    assert key_for("http://localhost:30000/v1", {}) is None


def test_a_variable_that_the_user_named_for_a_host_comes_first() -> None:
    environment = {"STEELYARD_KEY_VARIABLES": "gpu1:30000=GPU1, gpu2=GPU2", "GPU1": "one", "STEELYARD_API_KEY": "any"}
    assert key_for("http://gpu1:30000/v1", environment) == "one"
    with pytest.raises(UsageError, match="variable GPU2, which is not set"):
        key_for("http://gpu2:8000/v1", environment)


def test_no_more_texts_a_request_than_the_service_takes() -> None:
    assert OpenAIConfig("text-embedding-v4", PRESETS["dashscope"].url).batch == 10
    assert OpenAIConfig("m", "http://localhost:30000/v1").batch == 64


def test_the_page_lists_every_service_as_it_is() -> None:
    page = (Path(__file__).parents[2] / "docs" / "configuration.md").read_text(encoding="utf-8")
    for name, p in PRESETS.items():
        assert f"| `{name}` | `{p.url}` | `{p.variable}` | {p.batch} | `openai:{p.example}@{name}` |" in page
