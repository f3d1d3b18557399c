"""Long texts: whether all of a text is read, whether it is cut at its end alone, and by what it is measured."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from steelyard.doctor.case import Case, Outcome
from steelyard.doctor.finding import Confidence, Fault, Finding
from steelyard.doctor.target import RefusedError
from steelyard.doctor.truncation import ROOM, TAIL, check_truncation
from steelyard.types import Role, Vectors
from steelyard.wording import say

_SAME = 2e-6
"""Largest difference, as a share of the norm, of two vectors that are one."""
_CHINESE = "天地人心山水日月上下左右前后大小多少男女老少来去开关东西南北"
_MOVES = 1e-3


def check_lengths(case: Case) -> Outcome:
    """Asks for long texts that differ in one place only.

    Where the end is not read, its length is found; see :mod:`steelyard.doctor.truncation`. Otherwise the beginning,
    the middle, texts of long words and of Chinese characters, and texts longer than the model reads are tried.
    """
    limit = case.recipe.max_tokens or case.longest
    words = min(limit, case.longest) - ROOM
    if words <= 4 * TAIL or not _differ(case, "dog", "car"):
        return Outcome((), say("doctor_resolution.lengths", words=words))
    found = check_truncation(case) or [*_inside(case, words)] or _units(case, words, limit)
    key = "lengths"
    if not found and case.depth.beyond and limit <= case.longest:
        found, reads_on = _beyond(case, limit)
        key = "lengths_on" if reads_on else key
    return Outcome(tuple(found), say(f"doctor_resolution.{key}", words=words))


def _inside(case: Case, words: int) -> list[Finding]:
    for place, at in (("head", 0), ("middle", words // 2)):
        one, other = (_with(words, at, mark) for mark in ("dog", "car"))
        if not _differ(case, one, other):
            seen = say("doctor_lengths.seen", words=words, same=say("doctor_lengths.one"))
            what = say(f"doctor_lengths.{place}")
            return [Finding(Fault.LONG_TEXTS, Confidence.CERTAIN, what, seen, say("doctor_lengths.mend"))]
    return []


def _beyond(case: Case, limit: int) -> tuple[list[Finding], bool]:
    """A text half as long again as the recipe allows: whether its end counts, and whether its beginning does too.

    Where both do, the server reads more than the recipe says, or averages pieces. The first is no fault, and nothing
    here tells the two apart, so it is said with the resolution.
    """
    words = limit + limit // 2
    try:
        tail = _apart(case, _with(words, words - TAIL, "dog"), _with(words, words - TAIL, "car"))
        head = _apart(case, _with(words, 0, "dog"), _with(words, 0, "car"))
    except RefusedError:
        return [], False
    if tail <= _SAME or head > _SAME:
        return [], tail > _SAME
    seen = say("doctor_lengths.seen", words=words, same=say("doctor_lengths.two"))
    what = say("doctor_lengths.beyond_kept", limit=limit)
    return [Finding(Fault.LONG_TEXTS, Confidence.CERTAIN, what, seen, say("doctor_lengths.mend"))], False


def _units(case: Case, words: int, limit: int) -> list[Finding]:
    """Texts that are longer in characters or bytes than ``a b a b`` at the same number of tokens."""
    long_words = _end(case, words, _of_long_words)
    chinese = _end(case, words, _of_chinese)
    if long_words is None and chinese is None:
        return []
    counts = {"characters": long_words or chinese or 0, "bytes": 3 * (chinese or 0)}
    is_bytes = chinese is not None and (long_words is None or abs(long_words - counts["bytes"]) < long_words / 3)
    unit = "bytes" if is_bytes else "characters"
    kind = say("doctor_lengths.chinese" if long_words is None else "doctor_lengths.long_words")
    what = say("doctor_lengths.units", count=counts[unit], unit=say(f"doctor_lengths.{unit}"), limit=limit)
    mend = say("doctor_lengths.unit_mend", unit=say(f"doctor_lengths.{unit}"))
    return [Finding(Fault.TRUNCATION, Confidence.CERTAIN, what, say("doctor_lengths.units_seen", unit_of=kind), mend)]


def _end(case: Case, words: int, write: Callable[[int, str], str]) -> int | None:
    """Characters up to which such texts are read; None where they are read to the end, refused, or all alike.

    A model that has no token for these words cannot tell their ends apart in short texts either.
    """

    def reads(size: int) -> bool:
        return _differ(case, write(size, "dog"), write(size, "car"))

    try:
        if reads(words) or not reads(2 * TAIL):
            return None
        low, high = TAIL, words
        while high - low > max(8, high // 16):
            middle = (low + high) // 2
            low, high = (middle, high) if reads(middle) else (low, middle)
    except RefusedError:
        return None
    return len(write(high, "dog")) - 4 * TAIL


def _of_long_words(words: int, end: str) -> str:
    body = ("information different " * words).split()[: words * 3 // 4 - TAIL]
    return " ".join([*body, *[end] * TAIL])


def _of_chinese(words: int, end: str) -> str:
    body = (_CHINESE * (words // len(_CHINESE) + 1))[: words * 3 // 4 - TAIL]
    return body + ("狗" if end == "dog" else "车") * TAIL


def _with(words: int, at: int, mark: str) -> str:
    """A text of so many words of one token each, 16 of them ``mark`` from a place on."""
    body = ("a b " * (words // 2 + 1)).split()[:words]
    return " ".join([*body[:at], *[mark] * TAIL, *body[at + TAIL :]])


def _differ(case: Case, one: str, other: str) -> bool:
    return _apart(case, one, other) > _SAME


def _apart(case: Case, one: str, other: str) -> float:
    rows = _alone(case, (one, other))
    return float(np.abs(rows[0] - rows[1]).max()) / (float(np.linalg.norm(rows[0])) or 1.0)


def _alone(case: Case, texts: Sequence[str]) -> Vectors:
    return np.concatenate([case.target.embed(case.sent([t], Role.DOCUMENT), Role.DOCUMENT).vectors for t in texts])


def check_cache(case: Case) -> Outcome:
    """Whether texts that begin alike, asked one after the other, get one vector that they do not get side by side."""
    for length in (32, 128, 512):
        pairs = [[f"{_opening(length, salt)} {end}" for end in ("dog", "car")] for salt in ("apart", "beside")]
        after = _apart(case, *pairs[0])
        if after > _SAME:
            continue
        beside = case.embed(pairs[1])
        if float(np.abs(beside[0] - beside[1]).max()) > _MOVES * float(np.linalg.norm(beside[0])):
            what = say("doctor_cache.what", length=length)
            return Outcome(
                (Finding(Fault.CACHE, Confidence.CERTAIN, what, say("doctor_cache.seen"), say("doctor_cache.mend")),)
            )
    return Outcome(())


def _opening(length: int, salt: str) -> str:
    return (f"{salt} {length} " + "once upon a time " * length)[:length].strip()
