"""Texts that are longer than the model reads, in front of servers that would cut them in silence."""

import json
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pytest_httpserver import HTTPServer
from serving_kit import Serve, recipe
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import WhitespaceSplit
from tokenizers.processors import TemplateProcessing
from werkzeug import Request, Response

from steelyard.errors import TextError
from steelyard.models.recipe import Recipe, Sources
from steelyard.serving.failures import ItemFailure
from steelyard.serving.gateway.fit import Fitter
from steelyard.serving.gateway.service import GatewayConfig, gateway_service
from steelyard.serving.models import Wanted
from steelyard.serving.settings import Behaviour, Limits
from steelyard.types import Role

LIMIT = 9


def write_tokenizer(folder: Path) -> Path:
    """One token a word, with one before and one behind."""
    tokenizer = Tokenizer(WordLevel({"[UNK]": 0, "[CLS]": 1, "[SEP]": 2}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = WhitespaceSplit()
    tokenizer.post_processor = TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 1), ("[SEP]", 2)])
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder / "tokenizer.json"


def short_recipe(**changes: Any) -> Recipe:
    return recipe("fake", max_tokens=LIMIT, document_template="passage: {text} end", **changes)


@pytest.fixture(scope="module")
def fitter(tmp_path_factory: pytest.TempPathFactory) -> Fitter:
    return Fitter(short_recipe(), write_tokenizer(tmp_path_factory.mktemp("tokenizer")))


@given(words=st.lists(st.text("ab", min_size=1, max_size=3), max_size=20))
def test_what_is_cut_fits_and_keeps_its_template(fitter: Fitter, words: list[str]) -> None:
    done = fitter.fit([" ".join(words)], Role.DOCUMENT, None, truncate=True)
    read = done.texts[0].split()
    assert (read[0], read[-1]) == ("passage:", "end")
    assert len(read) + 2 == min(len(words) + 4, LIMIT)
    assert read[1:-1][: LIMIT - 5] == words[: LIMIT - 5]
    assert done.cut == ((0,) if len(words) + 4 > LIMIT else ())


def test_what_may_not_be_cut_is_refused_by_its_place(fitter: Fitter) -> None:
    with pytest.raises(ItemFailure) as caught:
        fitter.fit(["a", "a " * 30], Role.DOCUMENT, None, truncate=False)
    assert caught.value.index == 1
    assert isinstance(caught.value.cause, TextError)
    assert "has 34 tokens and the model reads 9" in str(caught.value.cause)


@pytest.fixture
def sent(httpserver: HTTPServer) -> list[str]:
    texts: list[str] = []

    def embed(request: Request) -> Response:
        given = json.loads(request.data)["input"]
        texts.extend(given)
        data = [{"index": i, "embedding": [1.0] * 32} for i in range(len(given))]
        return Response(json.dumps({"data": data}), content_type="application/json")

    httpserver.expect_request("/v1/embeddings", method="POST").respond_with_handler(embed)
    httpserver.expect_request("/v1/models").respond_with_json({"data": [{"id": "there"}]})
    return texts


def ask(serve: Serve, httpserver: HTTPServer, model: Recipe, **body: Any) -> httpx.Response:
    config = GatewayConfig((httpserver.url_for(""),))
    url = serve(gateway_service([Wanted(model, "there")], config, Limits(), Behaviour()))
    return httpx.post(f"{url}/v1/embeddings", json={"model": "fake", **body}, timeout=20)


def test_the_gateway_cuts_where_it_has_the_tokenizer(
    serve: Serve, httpserver: HTTPServer, sent: list[str], tmp_path: Path
) -> None:
    write_tokenizer(tmp_path)
    model = short_recipe(sources=Sources(folder=str(tmp_path)))
    texts = ["a", "b " * 30]
    answer = ask(serve, httpserver, model, input=texts, truncate=True, input_type="document")
    assert answer.headers["X-Steelyard-Truncated"] == "1"
    assert sorted(t.split()[-2:] for t in sent) == [["a", "end"], ["b", "end"]]
    assert np.shape(answer.json()["data"][1]["embedding"]) == (32,)
    refused = ask(serve, httpserver, model, input=texts, input_type="document")
    assert refused.status_code == 400
    assert "input 1: has 34 tokens and the model reads 9" in refused.json()["error"]["message"]


def test_the_gateway_says_when_it_leaves_cutting_to_the_upstream(
    serve: Serve, httpserver: HTTPServer, sent: list[str]
) -> None:
    answer = ask(serve, httpserver, short_recipe(), input=["b " * 30], truncate=True)
    assert answer.headers["X-Steelyard-Truncated"] == "left to the upstream"
    assert len(sent[0].split()) > LIMIT
    assert "X-Steelyard-Truncated" not in ask(serve, httpserver, short_recipe(), input="b").headers
