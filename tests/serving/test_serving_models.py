"""From names on a command line to models."""

from pathlib import Path

import httpx
import pytest
from serving_kit import Serve, fake_models

from steelyard.errors import RecipeError, UsageError
from steelyard.serving.local_service import local_service
from steelyard.serving.models import Wanted, codec_of, open_models
from steelyard.serving.settings import Behaviour
from steelyard.serving.tokens import ModelCodec, NoCodec
from steelyard.types import Role


def test_names() -> None:
    assert (Wanted.read("e5-small").recipe.name, Wanted.read("e5-small").name) == ("e5-small", None)
    assert Wanted.read("e5-small = ada").name == "ada"
    with pytest.raises(UsageError, match="RECIPE=NAME"):
        Wanted.read("e5-small=")
    with pytest.raises(RecipeError, match="no model is called 'e5'"):
        Wanted.read("e5")
    with pytest.raises(RecipeError, match="no such folder"):
        Wanted.read("./nowhere")


@pytest.mark.parametrize("side", list(Role))
def test_the_list_says_both_names_and_the_default(serve: Serve, side: Role) -> None:
    url = serve(local_service(fake_models(), behaviour=Behaviour(side)))
    cards = {c["id"]: c for c in httpx.get(f"{url}/v1/models").json()["data"]}
    assert cards["fake"]["names"] == {"query": "fake:query", "document": "fake:document"}
    assert cards["fake"]["default_input_type"] == side.value
    assert httpx.get(f"{url}/v1/models/fake").json() == cards["fake"]
    for name in cards["fake"]["names"].values():
        assert httpx.post(f"{url}/v1/embeddings", json={"model": name, "input": "x"}).status_code == 200


def test_one_engine_under_two_names_and_no_name_twice() -> None:
    models = open_models([Wanted.read("e5-small=ada")], None, "model")
    assert list(models) == ["e5-small", "ada"]
    assert models["e5-small"] is models["ada"]
    with pytest.raises(UsageError, match="'e5-small' is asked for twice"):
        open_models([Wanted.read("e5-small"), Wanted.read("use-multilingual=e5-small")], None, "model")


def test_whose_ids_token_arrays_are(tmp_path: Path) -> None:
    recipe = Wanted.read("e5-small").recipe
    assert isinstance(codec_of(recipe, "model"), ModelCodec)
    assert isinstance(codec_of(recipe, "refuse"), NoCodec)
    with pytest.raises(UsageError, match="--token-arrays nonsense"):
        codec_of(recipe, "nonsense")
    (tmp_path / "tokenizer.json").touch()
    local = recipe.model_copy(
        update={"name": "x", "sources": recipe.sources.model_copy(update={"folder": str(tmp_path)})}
    )
    assert isinstance(codec_of(local, "model"), ModelCodec)
    (tmp_path / "tokenizer.json").unlink()
    assert isinstance(codec_of(local, "model"), NoCodec)


def test_a_real_reranker_with_nothing_to_download(serve: Serve) -> None:
    url = serve(local_service(open_models([Wanted.read("maxsim:e5-small")], None, "model")))
    documents = [
        "今天天气很好，适合去公园散步。",
        "长按复位键十秒即可恢复路由器的出厂设置。",
        "股票价格昨天下跌了三成。",
    ]
    body = {"query": "怎么重置路由器？", "documents": documents}
    answer = httpx.post(f"{url}/v1/rerank", json=body, timeout=60).json()
    assert answer["model"] == "maxsim-e5-small"
    assert answer["results"][0]["index"] == 1
    refused = httpx.post(f"{url}/v1/rerank", json=body | {"instruction": "find"}).json()
    assert refused["error"]["code"] == "no_instruction"
