"""Every sentence of reports and terminal, in two languages: ``en/*.toml`` and ``zh/*.toml``, the same keys in both.

A part of the house that finds something out says it with :func:`say`: the result is its English text, an ordinary
``str``, which a renderer can say again in the reader's language.

>>> found = say("verdict.one", measure="Top-1")
>>> load_wording("zh").of(found) != found
True
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from string import Formatter
from typing import Literal

from steelyard.errors import UsageError

Language = Literal["en", "zh"]
LANGUAGES: tuple[Language, ...] = ("en", "zh")


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
        """The text of a key with its placeholders filled; sentences in them are said in this language too.

        Raises:
            KeyError: the key or a placeholder's value is missing.
        """
        text = self.words[key]
        return text.format_map({name: self._value(value) for name, value in values.items()}) if values else text

    def of(self, text: str) -> str:
        """A sentence in this language where it was made by :func:`say`, or is a remark that a result keeps in English;
        any other text as it is.
        """
        if self.language == "en":
            return text
        said = text if isinstance(text, Said) else _recognised(text)
        return self(said.key, **said.values) if said else text

    def name(self, section: str, key: str) -> str:
        """The name of something that users may name themselves; their own name where the table has none."""
        return self.words.get(f"{section}.{key}", key)

    def measure(self, measure: str) -> str:
        """The name of a measure."""
        return self.of(measure_name(measure))

    def paragraph(self, *sentences: str) -> str:
        """Sentences in a row; the empty ones are left out."""
        return self.words["text.gap"].join(self.of(s) for s in sentences if s)

    def join(self, names: Sequence[str]) -> str:
        """Names in a row."""
        return self.words["text.comma"].join(map(self.of, names))

    def _value(self, value: object) -> object:
        if isinstance(value, str):
            return self.of(value)
        return self.join(value) if isinstance(value, list | tuple) else value


class Said(str):
    """An English sentence that remembers its key and values, so that another language can say it.

    Attributes:
        key: ``section.key`` of the wording.
        values: what fills its placeholders: texts, numbers already written, other sentences, or names in a tuple.
    """

    key: str
    values: Mapping[str, object]

    def __new__(cls, key: str, values: Mapping[str, object]) -> Said:
        """Says it in English."""
        made = super().__new__(cls, load_wording("en")(key, **values))
        made.key, made.values = key, values
        return made

    def __getnewargs__(self) -> tuple[str, Mapping[str, object]]:  # type: ignore[override]
        """What copies and other processes make it from."""
        return self.key, self.values


def say(key: str, /, **values: object) -> Said:
    """A sentence of the wording.

    Raises:
        KeyError: the key or a placeholder's value is missing.
    """
    return Said(key, values)


def measure_name(measure: str) -> str:
    """A measure as a reader knows it; its own name where the wording has none."""
    base, _, cut = measure.partition("@")
    key = f"measure.{base}"
    return say(key, k=cut) if key in load_wording("en").words else measure


def _recognised(text: str) -> Said | None:
    found = ((key, pattern.fullmatch(text)) for key, pattern in _remarks())
    return next((Said(key, match.groupdict()) for key, match in found if match), None)


@cache
def _remarks() -> tuple[tuple[str, re.Pattern[str]], ...]:
    """Key and pattern of every remark, its placeholders as groups."""
    made = []
    for key, text in load_wording("en").words.items():
        if key.startswith("remark."):
            parts = (f"{re.escape(before)}(?P<{name}>.+?)" if name else re.escape(before)
                     for before, name, _, _ in Formatter().parse(text))  # fmt: skip
            made.append((key, re.compile("".join(parts))))
    return tuple(made)


@cache
def load_wording(language: str) -> Wording:
    """Reads the files of a language.

    Raises:
        UsageError: there is no such language.
    """
    if language not in LANGUAGES:
        raise UsageError(f"--lang takes {' or '.join(LANGUAGES)}, not {language!r}")
    words: dict[str, str] = {}
    for file in sorted((resources.files("steelyard.wording") / language).iterdir(), key=lambda f: f.name):
        for section, texts in tomllib.loads(file.read_text(encoding="utf-8")).items():
            words |= {f"{section}.{key}": text for key, text in texts.items()}
    return Wording(language, words)


def reader_language(environment: Mapping[str, str] | None = None) -> Language:
    """Chinese under a Chinese locale (``LC_ALL``, else ``LC_MESSAGES``, else ``LANG``), English elsewhere."""
    known = os.environ if environment is None else environment
    locale = next((value for name in ("LC_ALL", "LC_MESSAGES", "LANG") if (value := known.get(name))), "")
    return "zh" if locale.casefold().startswith("zh") else "en"
