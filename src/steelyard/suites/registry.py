"""Suites by name: built in (files in ``catalog/``), generated, or else the user's own path."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from steelyard.errors import SuiteError, UsageError
from steelyard.suites.findings import Findings
from steelyard.suites.formats import traps
from steelyard.suites.generated import TIERS, generate
from steelyard.suites.load import load_suite
from steelyard.suites.suite import Card, Suite

CATALOG = Path(__file__).parent / "catalog"


def suite_names() -> tuple[str, ...]:
    """The names of the built-in and the generated suites, sorted."""
    return tuple(sorted([*(p.stem for p in CATALOG.glob("*.jsonl")), *TIERS]))


def suite_titles() -> dict[str, str]:
    """name -> one line that says what it is; no texts are read."""
    return {name: TIERS[name].title if name in TIERS else read_card(name).title for name in suite_names()}


def built_in_path(name: str) -> Path | None:
    """The file of a built-in suite; None where the name is none."""
    path = CATALOG / f"{name}.jsonl"
    return path if name in {p.stem for p in CATALOG.glob("*.jsonl")} else None


def read_card(name: str) -> Card:
    """The card of a built-in suite, from the TOML file beside it.

    Raises:
        SuiteError: when the card cannot be read.
    """
    path = CATALOG / f"{name}.toml"
    if not path.is_file():
        return Card(title=name)
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SuiteError(f"is not a card ({error})", str(path)) from error
    return Card(
        title=_text(values, "title") or name,
        version=_text(values, "version"),
        licence=_text(values, "licence"),
        languages=tuple(map(str, values.get("languages", ()))),
        source=_text(values, "source"),
        canary=_text(values, "canary"),
        text=_text(values, "text"),
        votes=tuple(map(str, values.get("votes", ()))),
        clusters=_text(values, "clusters"),
        notice=" ".join(_text(values, "notice").split()),
    )


def _text(values: Mapping[str, Any], key: str) -> str:
    return str(values.get(key, "")).strip()


def open_suite(
    source: str | Path,
    size: int | None = None,
    *,
    seed: int = 0,
    mapping: Mapping[str, str] | None = None,
    split: str | None = None,
    encoding: str = "",
) -> Suite:
    """A suite by name or path.

    Args:
        source: ``zh-traps``, ``zh-idioms``, ``zh-idioms:2000`` (a generated suite of that many queries), or a path;
            a name comes before a path of the same spelling, so write ``./zh-traps`` for the latter.
        size: queries of a generated suite, as the number after the colon.
        seed: which queries of a generated suite are drawn.
        mapping: field -> column, for the user's own tables.
        split: of the user's own BEIR folder.
        encoding: of the user's own files; UTF-8 when empty.

    Raises:
        UsageError: when nothing is called that, or an option does not fit.
        SuiteError: when the files are not what they should be.
        MissingExtraError: when a generated suite's package is not installed.
    """
    name, colon, digits = str(source).partition(":")
    if name in TIERS:
        _refuse(name, mapping=mapping, split=split, encoding=encoding)
        if colon and size is None:
            size = _size(name, digits)
        return generate(name, size, seed=seed)
    if built_in_path(name) is not None:
        if colon or size is not None:
            raise UsageError(f"{name} has a fixed size; only {', '.join(TIERS)} take one")
        _refuse(name, mapping=mapping, split=split, encoding=encoding)
        return _built_in(name)
    path = Path(source).expanduser()
    if not path.exists():
        raise UsageError(_nothing(str(source), name))
    _refuse(str(source), size=size)
    return load_suite(path, mapping=mapping, split=split, encoding=encoding)


def _built_in(name: str) -> Suite:
    path = CATALOG / f"{name}.jsonl"
    suite = traps.load(path, name, Findings("a built-in trap suite"))
    card = read_card(name)
    known = suite.card
    merged = replace(card, version=card.version or known.version, licence=card.licence or known.licence)
    queries = suite.queries
    if card.clusters == "category":
        queries = tuple(replace(q, cluster=q.category) for q in queries)
    card = replace(merged, canary=card.canary or known.canary, source=card.source or "built in")
    return replace(suite, card=card, queries=queries)


def _size(name: str, digits: str) -> int:
    if not digits.isdecimal():
        raise UsageError(f"{name}:{digits} is not a size; write {name}:2000, for instance")
    return int(digits)


def _refuse(name: str, **options: object) -> None:
    given = [option for option, value in options.items() if value]
    if given:
        raise UsageError(f"{name} takes no {' or '.join(given)}")


def _nothing(source: str, name: str) -> str:
    names = suite_names()
    close = get_close_matches(name, names, n=1)
    hint = f"did you mean {close[0]}? " if close else ""
    return f"no suite and no path is called {source!r}; {hint}Built in are {', '.join(names)}"
