"""Pairs of texts that differ in one thing only, and which models' tokenizers tell them apart.

A model whose tokenizer tells two texts apart must give them different vectors; one whose tokenizer reads them alike
must give them the same. ``shipped/pairs.json`` says which is which; ``tools/doctor_pairs.py`` writes it.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import NamedTuple

TOKENIZERS: Mapping[str, tuple[str, ...]] = {
    "qwen3": ("qwen3-",),
    "xlm-r": ("e5-", "bge-m3", "bge-reranker-v2", "gte-multilingual"),
    "bert-uncased": ("all-minilm", "minilm-en"),
}
"""Tokenizers by how the names of their recipes begin."""


class TextPair(NamedTuple):
    """Two texts and what is changed between them, a key of section ``change`` of the wording."""

    change: str
    one: str
    other: str


_ACCENTED = "café déjà vu, façade"
_P = TextPair
TEXT_PAIRS: tuple[TextPair, ...] = (
    _P("case", "the US team met Turkey", "the us team met turkey"),
    _P("case", "IT Polish March", "it polish march"),
    _P("accents", "résumé für Köln", "resume fur Koln"),
    _P("accents", "ñandú y piñata", "nandu y pinata"),
    _P("compatibility", "ＡＢＣ１２３，ｏｋ！", "ABC123,ok!"),
    _P("compatibility", "x² and ①", "x2 and 1"),
    _P("composed", _ACCENTED, unicodedata.normalize("NFD", _ACCENTED)),
    _P("composed", "Ångström in Zürich", unicodedata.normalize("NFD", "Ångström in Zürich")),
    _P("emoji", "今天的服务😀", "今天的服务"),
    _P("emoji", "the food 😡", "the food 😀"),
    _P("digits", "退款需要 3 天", "退款需要 8 天"),
    _P("digits", "version 27 of 1984", "version 51 of 2036"),
    _P("punctuation", "不，行！", "不行"),
    _P("punctuation", "Eat, Grandma! Really?", "Eat Grandma Really"),
    _P("lines", "first line\nsecond line", "first line second line"),
    _P("lines", "上一行\n下一行", "上一行下一行"),
    _P("spaces", "a black bird", "a blackbird"),
    _P("spaces", "北京 大学 生", "北京大学生"),
    _P("markup", "<b>stop</b> <i>now</i>", "stop now"),
    _P("markup", "**bold** `code`", "bold code"),
    _P("script", "後面的頭髮亂了", "后面的头发乱了"),
    _P("script", "憂鬱的臺灣烏龜", "忧郁的台湾乌龟"),
    _P("addresses", "see https://example.com/a now", "see https://other.org/b now"),
    _P("addresses", "看 http://a.cn/x", "看 http://b.cn/y"),
    _P("mail", "write to ann@shop.org", "write to bob@firm.net"),
    _P("mail", "邮箱 li@a.cn", "邮箱 wu@b.cn"),
    _P("stopwords", "who is not the king of this", "king"),
    _P("stopwords", "to be or not to be here", "here"),
    _P("stems", "she was running and testing", "she was run and test"),
    _P("stems", "the houses and the children", "the house and the child"),
    _P("repeats", "very very very good", "very good"),
    _P("repeats", "哈哈哈哈哈好", "哈哈好"),
    _P("order", "the dog bites the man", "the man bites the dog"),
    _P("order", "甲队胜乙队", "乙队胜甲队"),
    _P("chinese", "苹果很甜", "公司很忙"),
    _P("chinese", "红烧肉", "路由器"),
    _P("cyrillic", "привет мир", "спасибо вам"),
    _P("cyrillic", "مرحبا بالعالم", "شكرا جزيلا"),
    _P("symbols", "C++ < C# > $5 %", "C C 5"),
    _P("symbols", "a + b = c", "a b c"),
    _P("ends", "are you sure?", "are you sure"),
    _P("ends", "it is done", "it is done."),
    _P("quotes", "“good” he said", '"good" he said'),
    _P("quotes", "他说“好”", '他说"好"'),
    _P("width", "ab\u200bcd ef", "abcd ef"),
    _P("width", "soft\u00adhyphen", "softhyphen"),
    _P("brackets", "the result (not final) counts", "the result counts"),
    _P("brackets", "结果（未定）有效", "结果有效"),
)  # fmt: skip


def told_apart(recipe: str) -> tuple[tuple[bool | None, ...], bool]:
    """For every pair whether the recipe's tokenizer tells it apart, and whether that tokenizer is known.

    Of a tokenizer that is not known, only what all known ones tell apart is said; None for the rest.
    """
    table = _table()
    name = next((t for t, starts in TOKENIZERS.items() if recipe.startswith(starts)), None)
    if name is not None:
        return tuple(table[name]), True
    return tuple(True if all(row) else None for row in zip(*table.values(), strict=True)), False


@cache
def _table() -> Mapping[str, list[bool]]:
    file = resources.files("steelyard.doctor") / "shipped" / "pairs.json"
    table: dict[str, list[bool]] = json.loads(file.read_text(encoding="utf-8"))
    if any(len(row) != len(TEXT_PAIRS) for row in table.values()):
        raise ValueError("shipped/pairs.json is of other pairs; run tools/doctor_pairs.py")
    return table
