from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steelyard.text.segment import segment


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("北京大学", ["北京", "大学", "北京大学"]),
        ("Ｈｅｌｌｏ，世界！", ["hello", "世界"]),
        ("C++ 与 c++", ["c++", "与", "c++"]),
        ("", []),
        (" \n\t", []),
        ("，。！？~=|", []),
        ("35℃", ["35", "c"]),
        ("苹果\x00手机", ["苹果", "手机"]),
    ],
)
def test_words(text: str, words: Any) -> None:
    assert segment(text) == words


@given(st.text())
def test_any_text_gives_plain_words(text: str) -> None:
    for word in segment(text):
        assert word == word.lower()
        assert any(map(str.isalnum, word))


@given(st.text(alphabet=st.characters(min_codepoint=0xFF01, max_codepoint=0xFF5E)))
def test_full_width_and_half_width_are_the_same_words(text: str) -> None:
    assert segment(text) == segment("".join(chr(ord(c) - 0xFEE0) for c in text))
