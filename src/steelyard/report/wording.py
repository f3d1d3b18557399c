"""Every word of a report, in two languages, from one table each: ``wording/en.toml`` and ``wording/zh.toml``."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources

from steelyard.errors import UsageError

LANGUAGES = ("en", "zh")


@dataclass(frozen=True)
class Wording:
    """The words of one language.

    Attributes:
        language: ``en`` or ``zh``.
        words: ``section.key`` -> text with ``{placeholders}``.
    """

    language: str
    words: Mapping[str, str]

    @property
    def tag(self) -> str:
        """What the page's ``lang`` attribute says."""
        return "zh-Hans" if self.language == "zh" else "en"

    def __call__(self, key: str, /, **values: object) -> str:
        """The text of a key with its placeholders filled.

        Raises:
            KeyError: the key or a placeholder's value is missing.
        """
        text = self.words[key]
        return text.format_map(values) if values else text

    def name(self, section: str, key: str) -> str:
        """The name of something that users may name themselves; their own name where the table has none."""
        return self.words.get(f"{section}.{key}", key)

    def paragraph(self, *sentences: str) -> str:
        """Sentences in a row; the empty ones are left out."""
        return self.words["text.gap"].join(filter(None, sentences))

    def join(self, names: tuple[str, ...] | list[str]) -> str:
        """Names in a row."""
        return self.words["text.comma"].join(names)


@cache
def load_wording(language: str) -> Wording:
    """Reads the table of a language.

    Raises:
        UsageError: there is no such language.
    """
    if language not in LANGUAGES:
        raise UsageError(f"--lang takes {' or '.join(LANGUAGES)}, not {language!r}")
    file = resources.files("steelyard.report") / "wording" / f"{language}.toml"
    content = tomllib.loads(file.read_text(encoding="utf-8"))
    # A number and its percent sign stay on one line.
    words = {
        f"{section}.{key}": text.replace(" %", "\u00a0%")
        for section, texts in content.items()
        for key, text in texts.items()
    }
    return Wording(language, words)
