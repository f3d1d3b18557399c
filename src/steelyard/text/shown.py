"""Foreign text made safe to show: on a terminal and in a spreadsheet, which could take it for commands."""

from __future__ import annotations

import re

_COMMANDS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
"""C0 and C1 control characters but tab and line feed, and those that turn the direction of the text around them."""
_FORMULA = re.compile("((?:^|[;\\t\\r\\n])[\\s\\0\\ufeff\\u200b\"']*)(?=[=+@＝＋＠－\\-])")


def for_terminal(text: str) -> str:
    """The text with everything that a terminal obeys shown instead: an escape character becomes ``\\x1b``."""
    return _COMMANDS.sub(lambda found: _written(found[0]), text) if not text.isprintable() else text


def _written(character: str) -> str:
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def for_spreadsheet(text: str) -> str:
    """The text with an apostrophe in front of everything that a spreadsheet may take for a formula.

    That is an equals sign, plus, minus or at, full-width or not, at the beginning of the text, behind blanks there, and
    behind a semicolon, a tab or a line end, where a spreadsheet that separates fields by semicolons begins a new one.
    """
    safe = _FORMULA.sub(lambda found: f"{found[1]}'", text)
    return "'" + safe if safe[:1] in {"\t", "\r", "\n", "\0"} else safe
