import io
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.table import Table
from rich.text import Text

from steelyard.cli.plain_console import PlainConsole
from steelyard.text.shown import for_spreadsheet, for_terminal

STYLE = re.compile(r"\x1b\[[0-9;]*m")  # rich's own


@given(st.text())
def test_nothing_that_a_terminal_obeys_is_left(text: str) -> None:
    shown = for_terminal(text)
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", shown)
    assert for_terminal(shown) == shown
    if text.isprintable():
        assert shown == text


@given(st.text(alphabet="a\x1b[]31m\x07\x9b\x84\r\n\t款", max_size=30))
def test_the_console_shows_foreign_text_and_obeys_none_of_it(text: str) -> None:
    file = io.StringIO()
    out = PlainConsole(file=file, force_terminal=True, width=60, color_system="standard")
    table = Table(title=Text(text))
    table.add_column(Text(text))
    table.add_row(Text(text, style="bold"))
    out.print(table)
    out.print(text, markup=False, soft_wrap=True)
    out.out(text)
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f]", STYLE.sub("", file.getvalue()))


FORMULAS = [
    "=1",
    "＝1",
    " =1",
    "\n=1",
    "\0=1",
    "\t1",
    "a;=1",
    "a; +1",
    "a\n=1",
    "@x",
    "-cmd",
    '"=1',
    "\ufeff=1",
    "＠x",
    "\r1",
]


@pytest.mark.parametrize("text", FORMULAS)
def test_no_field_that_a_spreadsheet_makes_of_a_text_is_a_formula(text: Any) -> None:
    safe = for_spreadsheet(text)
    fields = re.split("[;\t\r\n]", safe)
    assert not any(re.match('[\\s\0\ufeff"]*[=+@＝＠\\-]', field) for field in fields)
    assert safe.replace("'", "") == text
    assert safe[0] not in "\t\r\n\0"


@pytest.mark.parametrize("text", ["e5-small", "bm25 + e5-small", "a=b", "怎么退；多久", "a; b", ""])
def test_ordinary_texts_stay_as_they_are(text: str) -> None:
    assert for_spreadsheet(text) == text
