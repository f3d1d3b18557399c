"""What every engine does to a text first, so that no byte of it is lost or fatal further down."""

from __future__ import annotations

import re

_SURROGATE = re.compile("[\ud800-\udfff]")


def clean(text: str) -> str:
    """Makes a text safe for UTF-8 and C strings.

    NUL bytes become spaces (C engines stop reading at one); lone surrogates, which UTF-8 cannot encode,
    become U+FFFD. Everything else stays as it was.
    """
    if "\x00" in text:
        text = text.replace("\x00", " ")
    return _SURROGATE.sub("\ufffd", text) if not text.isascii() else text
