"""What can be guessed of a trap suite without understanding it, and whether that is more than chance.

A rule picks one document of a group by its surface alone. Groups where the rule has no single pick say nothing and are
left out. If the texts give nothing away, a group of k documents is guessed right with probability 1/k; the number of
right guesses then follows a Poisson-binomial distribution, which is computed exactly. The p-value is one-sided: a rule
that guesses worse than chance has an opposite that guesses better, and the opposites are rules as well.

Legend: ``g`` groups, ``k`` documents of a group.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from steelyard.suites.formats.traps import TrapGroup
from steelyard.text.script import is_chinese
from steelyard.types import TrapKind

ALPHA = 0.05
"""Level of all the tells together (Bonferroni over the rules)."""

_MARKS = re.compile(r"[^\w\s]")
_DIGITS = re.compile(r"\d")
_WORDS = re.compile(r"\w+")
_BESIDES = re.compile(r"[\W_]+")

Scores = Sequence[float]
"""float[k]: how much a rule likes each document of a group."""


@dataclass(frozen=True, slots=True)
class Tell:
    """How well one rule guesses the positives.

    Attributes:
        rule: what it picks, as ``longest``.
        hits: groups that it guesses right.
        groups: groups where it has a pick.
        chance: right guesses to be expected if nothing is given away.
        p: probability of so many hits or more by chance.
        counts: whether it is held against the suite; a rule that the design itself favours is shown only.
    """

    rule: str
    hits: int
    groups: int
    chance: float
    p: float
    counts: bool = True

    def __str__(self) -> str:
        return f"{self.rule}: {self.hits} of {self.groups} right, {self.chance:.1f} by chance (p = {self.p:.3f})"


def same_script(group: TrapGroup) -> bool:
    """Whether query and documents are in one script, so that overlap means something."""
    return is_chinese(group.query) == is_chinese(group.documents[0].text)


def terms(text: str) -> frozenset[str]:
    """Character bigrams of a Chinese text, words of another."""
    if not is_chinese(text):
        return frozenset(_WORDS.findall(text.lower()))
    plain = _BESIDES.sub("", text.lower())
    return frozenset(plain[i : i + 2] for i in range(len(plain) - 1))


def overlap(query: str, document: str) -> float:
    """Share of the query's terms that the document has."""
    wanted = terms(query)
    return len(wanted & terms(document)) / max(1, len(wanted))


def keeps_lexical_rule(group: TrapGroup) -> bool:
    """Whether the positive shares fewer of the query's terms than the look-alike that shares most."""
    shares = [overlap(group.query, d.text) for d in group.documents]
    lookalikes = [s for s, d in zip(shares, group.documents, strict=True) if d.kind is TrapKind.LOOKALIKE]
    return bool(lookalikes) and shares[group.positive] < max(lookalikes)


def bm25_finds(groups: Sequence[TrapGroup]) -> list[bool]:
    """For each group whether BM25 puts the positive before its own group's documents, weighted over all documents.

    Words are those of :func:`steelyard.text.segment.segment`; k1 1.5, b 0.75, as the system ``bm25``. A positive that
    shares no word with the query is not found; a tie is.
    """
    from steelyard.text.segment import segment

    words = [Counter(segment(d.text)) for group in groups for d in group.documents]
    holders = Counter(word for counts in words for word in counts)
    mean = sum(c.total() for c in words) / max(1, len(words))
    found, start = [], 0
    for group in groups:
        own = words[start : start + len(group.documents)]
        start += len(own)
        query = segment(group.query)
        scores = [_bm25(query, counts, holders, len(words), mean) for counts in own]
        found.append(scores[group.positive] > 0 and scores[group.positive] >= max(scores))
    return found


def _bm25(query: Sequence[str], counts: Counter[str], holders: Counter[str], n: int, mean: float) -> float:
    norm = 1.5 * (0.25 + 0.75 * counts.total() / max(mean, 1e-9))
    return sum(
        math.log1p((n - holders[word] + 0.5) / (holders[word] + 0.5)) * counts[word] / (counts[word] + norm)
        for word in query
        if word in counts
    )


def tells(groups: Sequence[TrapGroup]) -> tuple[Tell, ...]:
    """Every rule's guesses over the groups."""
    common = Counter(term for group in groups for d in group.documents for term in terms(d.text))

    def commonness(text: str) -> float:
        found = terms(text)
        return sum(math.log(common[term]) for term in found) / max(1, len(found))

    def marks(text: str) -> float:
        return len(_MARKS.findall(text))

    def digits(text: str) -> float:
        return len(_DIGITS.findall(text))

    surfaces: list[tuple[str, str, Callable[[str], float]]] = [
        ("longest", "shortest", len),
        ("most punctuated", "least punctuated", marks),
        ("most digits", "fewest digits", digits),
        ("commonest words", "rarest words", commonness),
    ]
    found = []
    for most, least, measure in surfaces:
        values = [[measure(d.text) for d in group.documents] for group in groups]
        found.append(_tell(most, groups, values))
        found.append(_tell(least, groups, [[-value for value in row] for row in values]))
    widest = max((len(group.documents) for group in groups), default=0)
    for place in range(widest):
        rows = [[float(i == place) for i in range(len(group.documents))] for group in groups]
        found.append(_tell(f"document {place + 1}", groups, rows))
    alike = [group for group in groups if same_script(group)]
    distance = [[-overlap(group.query, d.text) for d in group.documents] for group in alike]
    found.append(_tell("least like the query", alike, distance, counts=False))
    found.append(_tell("second most like the query", alike, [_second(group) for group in alike]))
    return tuple(tell for tell in found if tell.groups)


def _second(group: TrapGroup) -> Scores:
    """1 for the document that shares second most with the query; nothing is picked where it is not the only one."""
    shares = [overlap(group.query, d.text) for d in group.documents]
    levels = sorted(set(shares), reverse=True)
    if len(levels) < 2 or shares.count(levels[0]) > 1:
        return [0.0] * len(shares)
    return [float(share == levels[1]) for share in shares]


def _tell(rule: str, groups: Sequence[TrapGroup], scores: Sequence[Scores], *, counts: bool = True) -> Tell:
    hits, chances = 0, []
    for group, row in zip(groups, scores, strict=True):
        best = max(row)
        if list(row).count(best) != 1:
            continue
        chances.append(1 / len(row))
        hits += list(row).index(best) == group.positive
    return Tell(rule, hits, len(chances), sum(chances), at_least(hits, chances), counts)


def at_least(hits: int, chances: Sequence[float]) -> float:
    """The probability of so many successes or more of independent trials with these chances (exact)."""
    distribution = np.ones(1)
    for chance in chances:
        distribution = np.convolve(distribution, [1 - chance, chance])
    return float(min(1.0, distribution[hits:].sum()))


def held_against(found: Sequence[Tell]) -> tuple[Tell, ...]:
    """The tells that are more than chance, at :data:`ALPHA` for all the rules together."""
    counted = [tell for tell in found if tell.counts]
    return tuple(tell for tell in counted if tell.p * len(counted) <= ALPHA)
