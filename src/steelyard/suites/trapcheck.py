"""The rules of a trap suite that a machine can check; how to write one is in docs/writing-traps.md.

Hard findings are about single groups and always to be mended. The statistics are about the suite as a whole: whether
its look-alikes are lexical traps, whether BM25 walks into them, and whether the positives can be guessed.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from steelyard.errors import UsageError
from steelyard.suites.formats.traps import TrapDocument, TrapFile, TrapGroup, read_traps
from steelyard.suites.registry import built_in_path, read_card
from steelyard.suites.similar import near_duplicates
from steelyard.suites.suite import Suite
from steelyard.suites.trapstats import (
    Tell,
    bm25_finds,
    held_against,
    keeps_lexical_rule,
    same_script,
    tells,
)
from steelyard.text.script import is_chinese
from steelyard.types import TrapKind

LONGEST_TO_SHORTEST = 1.6
LEXICAL_AT_LEAST = 0.90
BM25_BELOW = 0.25
SIMILAR = 0.6
"""Share of character trigrams in common from which two groups' documents are too much alike."""
_ROLES = re.compile(r"look-?alike|contrary|distractor|干扰项|正确答案|错误答案", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Lengths:
    """Fewest and most characters of a query, of an ordinary document, and of one in a group of long documents."""

    query: tuple[int, int]
    document: tuple[int, int]
    long: tuple[int, int]


CHINESE = Lengths(query=(6, 40), document=(20, 120), long=(285, 800))
OTHERS = Lengths(query=(15, 120), document=(60, 360), long=(855, 2_400))
"""For texts in alphabetic scripts."""


@dataclass(frozen=True, slots=True)
class TrapFinding:
    """One broken rule.

    Attributes:
        where: the group's id with its line, or the file.
        rule: a short name.
        message: what is wrong and how to mend it.
    """

    where: str
    rule: str
    message: str

    def __str__(self) -> str:
        return f"{self.where}: {self.message}"


@dataclass(frozen=True, slots=True)
class CategorySummary:
    """One category, or all of them.

    Attributes:
        category: its name.
        groups: how many.
        documents: how many.
        long: groups of long documents.
        comparable: groups whose query and documents share a script; the next two count among these.
        lexical: groups whose positive shares less with the query than the look-alike does.
        bm25: groups whose positive BM25 puts first in its own group.
        hints: rules that guess this category's positives better than chance at 1 %; for a second look only.
    """

    category: str
    groups: int
    documents: int
    long: int
    comparable: int
    lexical: int
    bm25: int
    hints: tuple[Tell, ...]


@dataclass(frozen=True, slots=True)
class TrapReport:
    """What the checks say.

    Attributes:
        name: the suite's name or file.
        findings: broken rules of single groups, then of the suite as a whole.
        known: those that the suite's card says itself; they are shown and do not count.
        categories: one summary each, in the order of the file.
        total: the same over all groups.
        tells: how well each rule guesses the positives, over all groups.
    """

    name: str
    findings: tuple[TrapFinding, ...]
    categories: tuple[CategorySummary, ...]
    total: CategorySummary
    tells: tuple[Tell, ...]
    known: tuple[TrapFinding, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether no rule is broken."""
        return not self.findings

    def to_dict(self) -> dict[str, object]:
        """Plain values for JSON."""
        return {"passed": self.passed} | asdict(self)

    def as_text(self) -> str:
        """Findings, a line a category, the tells, and the outcome."""
        lines = [str(finding) for finding in self.findings]
        lines += [f"known, see the suite's card: {finding}" for finding in self.known]
        lines += ["", *(_line(category) for category in (*self.categories, self.total)), "", "Guessing the positive:"]
        lines += [f"  {tell}{'' if tell.counts else ', by design'}" for tell in self.tells]
        outcome = "keeps all the rules" if self.passed else f"breaks rules in {len(self.findings)} places"
        return "\n".join([*lines, "", f"{self.name} {outcome}"]).lstrip("\n")


def _line(c: CategorySummary) -> str:
    shares = (
        f"look-alike nearer to the query in {c.lexical} of {c.comparable}, BM25 right in {c.bm25}"
        if c.comparable
        else ""
    )
    hints = "; guessable by " + ", ".join(t.rule for t in c.hints) if c.hints else ""
    return f"{c.category:<16} {c.groups:>4} groups {c.documents:>5} documents {c.long:>3} long  {shares}{hints}"


def check_traps(source: str | Path | Suite) -> TrapReport:
    """Checks a trap suite.

    Args:
        source: a trap file, the name of a built-in suite, or a suite with trap annotations. Only a file can be checked
            for its header and for the sentences that say why.

    Raises:
        SuiteError: when the file is malformed.
        UsageError: when there is no such file, or the suite has no trap annotations.
    """
    if isinstance(source, Suite):
        name, groups, canary = source.name, groups_of(source), source.card.canary
    else:
        file = _file(source)
        name, groups, canary = str(source), file.groups, file.header.get("canary", "")
    findings = list(_header(canary))
    findings += [finding for group in groups for finding in _group(group)]
    findings += _texts(groups)
    found = tells(groups)
    bm25 = bm25_finds(groups)
    total = _summary("all", groups, bm25, ())
    findings += _whole(total, held_against(found))
    known = tuple(f for f in findings if f.rule == "tell") if _notice(source) else ()
    left = tuple(f for f in findings if f not in known)
    return TrapReport(name, left, _categories(groups, bm25), total, found, known)


def _notice(source: str | Path | Suite) -> str:
    """What a suite's card says of a known fault."""
    if isinstance(source, Suite):
        return source.card.notice
    return read_card(str(source)).notice if built_in_path(str(source)) else ""


def _file(source: str | Path) -> TrapFile:
    path = built_in_path(str(source)) or Path(source).expanduser()
    if not path.is_file():
        raise UsageError(f"no built-in trap suite and no trap file is called {str(source)!r}")
    return read_traps(path)


def groups_of(suite: Suite) -> tuple[TrapGroup, ...]:
    """The groups of a suite with trap annotations.

    Raises:
        UsageError: when it has none.
    """
    if not suite.traps:
        raise UsageError(f"{suite.name} has no trap annotations")
    texts = {d.id: d.text for d in suite.documents}
    return tuple(
        TrapGroup(
            q.id,
            q.category or "",
            q.text,
            tuple(TrapDocument(d, kind, texts[d]) for d, kind in suite.traps[q.id].items()),
        )
        for q in suite.queries
        if q.id in suite.traps
    )


def _header(canary: object) -> Iterator[TrapFinding]:
    if not canary:
        message = 'the first line must be a header with a canary: {"suite": ..., "canary": ...}'
        yield TrapFinding("header", "canary", message)


def _where(group: TrapGroup) -> str:
    return f"line {group.line} {group.id}" if group.line else group.id


def _group(group: TrapGroup) -> Iterator[TrapFinding]:
    """The rules of a single group."""
    where, kinds = _where(group), {d.kind for d in group.documents}
    for kind in (TrapKind.LOOKALIKE, TrapKind.CONTRARY):
        if kind not in kinds:
            yield TrapFinding(where, "kinds", f"needs a {kind.value}")
    if not 3 <= len(group.documents) <= 4:
        yield TrapFinding(where, "kinds", f"has {len(group.documents)} documents; a group has three or four")
    if group.why is not None and not group.why.strip():
        yield TrapFinding(where, "why", "needs a sentence that says what decides, in the field why")
    yield from _lengths(group)
    for text in (group.query, *(d.text for d in group.documents)):
        named = _ROLES.search(text)
        if named:
            yield TrapFinding(where, "role", f"names a role ({named[0]}): {text[:24]}")


def _lengths(group: TrapGroup) -> Iterator[TrapFinding]:
    where = _where(group)
    low, high = (CHINESE if is_chinese(group.query) else OTHERS).query
    if not low <= len(group.query) <= high:
        yield TrapFinding(where, "length", f"the query has {len(group.query)} characters, not {low} to {high}")
    limits = CHINESE if is_chinese(group.documents[0].text) else OTHERS
    counts = [len(d.text) for d in group.documents]
    fits = any(low <= min(counts) and max(counts) <= high for low, high in (limits.document, limits.long))
    if not fits:
        spans = f"{limits.document[0]} to {limits.document[1]}, or all of them {limits.long[0]} to {limits.long[1]}"
        yield TrapFinding(where, "length", f"the documents have {counts} characters, not {spans}")
    if max(counts) > LONGEST_TO_SHORTEST * max(1, min(counts)):
        yield TrapFinding(
            where, "length", f"the longest document is over {LONGEST_TO_SHORTEST} of the shortest: {counts}"
        )


def _texts(groups: Sequence[TrapGroup]) -> Iterator[TrapFinding]:
    """Texts that stand twice, or nearly so in two groups."""
    seen: dict[str, TrapGroup] = {}
    for group in groups:
        for text in (group.query, *(d.text for d in group.documents)):
            first = seen.setdefault(text, group)
            if first is not group or [group.query, *(d.text for d in group.documents)].count(text) > 1:
                yield TrapFinding(_where(group), "twice", f"a text stands twice, first in {first.id}: {text[:24]}")
    owners = [group for group in groups for _ in group.documents]
    texts = [d.text for group in groups for d in group.documents]
    for i, j, similarity in near_duplicates(texts, range(len(texts)), SIMILAR):
        if i > j and owners[i] is not owners[j] and texts[i] != texts[j]:
            message = f"too like {owners[j].id} ({similarity:.2f}): {texts[i][:24]} ~ {texts[j][:24]}"
            yield TrapFinding(_where(owners[i]), "similar", message)


def _summary(
    category: str, groups: Sequence[TrapGroup], bm25: Sequence[bool], hints: tuple[Tell, ...]
) -> CategorySummary:
    comparable = [same_script(group) for group in groups]
    limits = [CHINESE if is_chinese(group.documents[0].text) else OTHERS for group in groups]
    return CategorySummary(
        category=category,
        groups=len(groups),
        documents=sum(len(group.documents) for group in groups),
        long=sum(
            min(len(d.text) for d in g.documents) >= limit.long[0] for g, limit in zip(groups, limits, strict=True)
        ),
        comparable=sum(comparable),
        lexical=sum(keeps_lexical_rule(g) for g, same in zip(groups, comparable, strict=True) if same),
        bm25=sum(found for found, same in zip(bm25, comparable, strict=True) if same),
        hints=hints,
    )


def _categories(groups: Sequence[TrapGroup], bm25: Sequence[bool]) -> tuple[CategorySummary, ...]:
    members: dict[str, list[int]] = defaultdict(list)
    for i, group in enumerate(groups):
        members[group.category].append(i)
    found = []
    for category, places in members.items():
        own = [groups[i] for i in places]
        hints = tuple(tell for tell in tells(own) if tell.counts and tell.p <= 0.01)
        found.append(_summary(category, own, [bm25[i] for i in places], hints))
    return tuple(found)


def _whole(total: CategorySummary, guessable: Sequence[Tell]) -> Iterator[TrapFinding]:
    """The rules of the suite as a whole; a single exception is always allowed."""
    missed = total.comparable - total.lexical
    if missed > max(1.0, (1 - LEXICAL_AT_LEAST) * total.comparable):
        yield TrapFinding(
            "suite",
            "lexical",
            f"the look-alike is nearer to the query than the positive in {total.lexical} of {total.comparable} groups, "
            f"which must be {LEXICAL_AT_LEAST:.0%}: put words of the query into the look-alikes",
        )
    if total.bm25 > max(1.0, BM25_BELOW * total.comparable):
        yield TrapFinding(
            "suite",
            "bm25",
            f"BM25 finds the positive in {total.bm25} of {total.comparable} groups, which must be under "
            f"{BM25_BELOW:.0%}: put other words into the positives",
        )
    for tell in guessable:
        yield TrapFinding("suite", "tell", f"the positive can be guessed: {tell}")
