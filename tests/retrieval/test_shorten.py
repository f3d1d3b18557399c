"""Texts cut by tokens, and only those that must be."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fake_engines import FakeEncoder
from steelyard.engines.load import open_encoder
from steelyard.errors import UsageError
from steelyard.models.registry import load_recipe
from steelyard.retrieval.builder import SystemBuilder
from steelyard.retrieval.resolve import read_system
from steelyard.retrieval.shorten import ShortEncoder
from steelyard.types import Document, Query, Role


class Margin(FakeEncoder):
    """One token a character, and two of the template."""

    def count_tokens(self, texts: Sequence[str], role: Role, instruction: Any = None) -> list[Any]:
        return [len(t) + 2 for t in texts]


@given(st.lists(st.text(max_size=30), max_size=6), st.integers(2, 20))
def test_the_longest_beginning_that_fits(texts: list[str], limit: int) -> None:
    short = ShortEncoder(Margin(), limit).shortened(texts, Role.DOCUMENT)
    assert short == [t[: limit - 2] for t in texts]


def test_a_template_that_fills_the_limit() -> None:
    with pytest.raises(UsageError, match="no room beside the template"):
        ShortEncoder(Margin(), 1).encode(["abc"], Role.QUERY)


def test_an_encoder_that_does_not_count() -> None:
    class Silent(FakeEncoder):
        def count_tokens(self, texts: Sequence[str], role: Role, instruction: Any = None) -> None:  # type: ignore[override]
            return None

    with pytest.raises(UsageError, match="does not count tokens"):
        ShortEncoder(Silent(), 9).encode(["abc"], Role.QUERY)


def test_a_real_tokenizer_keeps_the_limit() -> None:
    inner = open_encoder(load_recipe("minilm-en"))
    short = ShortEncoder(inner, 16)
    texts = ["apple " * 40, "short", "don't tokenise naïvely, internationalisation happens " * 5]
    cut = short.shortened(texts, Role.DOCUMENT)
    assert cut[1] == "short"
    assert all(t.startswith(c) for t, c in zip(texts, cut, strict=True))
    assert [n <= 16 for n in inner.count_tokens(cut, Role.DOCUMENT)] == [True] * 3
    assert inner.count_tokens(cut, Role.DOCUMENT)[0] >= 15  # type: ignore[index]
    assert (short.encode(texts, Role.DOCUMENT) == inner.encode(cut, Role.DOCUMENT)).all()


def test_an_expression_asks_for_it() -> None:
    system = SystemBuilder().build(read_system("minilm-en[max_tokens=8]"))
    head = "one two three four five six "
    system.index([Document("a", head + "apple"), Document("b", head + "moon")])
    (ranking,) = system.search([Query("q", "apple")], 2)
    assert ranking.scores[0] == ranking.scores[1]
