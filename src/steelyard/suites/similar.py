"""Pairs of nearly identical texts among many, without comparing all with all.

Two texts are alike when they share a large part of their character trigrams (Jaccard). Texts that reach a threshold
``t`` must share ``m`` of the rarest ``n - ceil(t * n) + m`` trigrams of each (prefix filtering; Bayardo et al. 2007,
Wang et al. 2012), so only texts that meet there are compared. The result is exact, not a sketch.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import islice

import numpy as np
from numpy.typing import NDArray

Grams = NDArray[np.uint64]
"""uint64[n]: the different trigrams of one text, as numbers, sorted."""

_MEETINGS = 4
"""How many rare trigrams two texts must share before they are compared; more make longer prefixes and fewer pairs."""
_ROWS = 500
_BESIDES = re.compile(r"[\W_]+")
_BUCKETS = 1 << 22
_BITS = np.uint64(21)
"""Unicode ends below 2**21, so three characters fit into one uint64 without collisions."""


def near_duplicates(
    texts: Sequence[str], among: Sequence[int], threshold: float, most: int = 10
) -> list[tuple[int, int, float]]:
    """The texts that are nearly identical to some of them.

    Case, width, blanks and punctuation do not count. Texts of fewer than three letters are alike only when equal.

    Args:
        texts: all texts.
        among: places of the texts whose likes are looked for.
        threshold: Jaccard similarity of character trigrams, above 0, at most 1.
        most: so many likes of one text at the most, so that a text which stands there a thousand times stays cheap.

    Returns:
        (place of the looked-for text, place of the other, similarity), in the order of ``among``, the most similar
        first. A pair of two looked-for texts appears both ways round.
    """
    places: dict[bytes, list[int]] = defaultdict(list)
    rows = [trigrams(text) for text in texts]
    for i, row in enumerate(rows):
        places[row.tobytes()].append(i)
    groups = [group for group in places.values() if len(rows[group[0]])]
    group_of = {i: g for g, group in enumerate(groups) for i in group}
    grams = [rows[group[0]] for group in groups]
    wanted = list(dict.fromkeys(group_of[i] for i in among if i in group_of))
    alike: dict[int, list[tuple[float, int]]] = {g: [(1.0, g)] for g in wanted}
    for g, h in _candidates(grams, wanted, threshold):
        similarity = _jaccard(grams[g], grams[h], threshold)
        if similarity >= threshold:
            alike[g].append((similarity, h))
    found = []
    for i in among:
        near = sorted(alike.get(group_of.get(i, -1), ()), key=lambda pair: (-pair[0], pair[1]))
        others = ((i, j, similarity) for similarity, h in near for j in groups[h] if j != i)
        found += list(islice(others, most))
    return found


def _candidates(grams: Sequence[Grams], among: Sequence[int], threshold: float) -> Iterator[tuple[int, int]]:
    """The pairs (looked for, other) that meet in enough of their rare trigrams, counted by sparse products."""
    from scipy.sparse import csr_array

    frequency = _frequency(grams)
    prefixes = [_prefix(row, frequency, threshold) for row in grams]
    ends = np.cumsum([0, *map(len, prefixes)])
    if not ends[-1] or not len(among):
        return
    different, cells = np.unique(np.concatenate(prefixes), return_inverse=True)
    holds = csr_array((np.ones(len(cells), dtype=np.int16), cells, ends), shape=(len(grams), len(different)))
    least = np.minimum(_MEETINGS, np.ceil(threshold * np.array([len(row) for row in grams]) - 1e-9))
    others = holds.T.tocsr()
    for start in range(0, len(among), _ROWS):
        rows = np.asarray(among[start : start + _ROWS])
        met = (holds[rows] @ others).tocoo()
        left, right = rows[met.coords[0]], met.coords[1]
        enough = (met.data >= np.maximum(least[left], least[right])) & (left != right)
        yield from zip(left[enough].tolist(), right[enough].tolist(), strict=True)


def trigrams(text: str) -> Grams:
    """The different character trigrams of a text's letters and digits, sorted; shorter texts are one number."""
    plain = _BESIDES.sub("", unicodedata.normalize("NFKC", text).casefold())
    codes = np.frombuffer(plain.encode("utf-32-le", "surrogatepass"), dtype=np.uint32).astype(np.uint64)
    if len(codes) < 3:
        # One number for the whole text, apart from every trigram's.
        return np.array([(1 << 63) + hash_of(codes)] if len(codes) else [], dtype=np.uint64)
    grams = np.sort((codes[:-2] << (_BITS * np.uint64(2))) | (codes[1:-1] << _BITS) | codes[2:])
    return grams[np.concatenate(([True], grams[1:] != grams[:-1]))]


def hash_of(codes: NDArray[np.uint64]) -> int:
    """One number for one or two characters, without collisions."""
    return sum(int(code) << (21 * i) for i, code in enumerate(codes))


def _frequency(grams: Sequence[Grams]) -> NDArray[np.int64]:
    """In how many texts a trigram is, by bucket; two trigrams in one bucket only cost time."""
    counts = np.zeros(_BUCKETS, dtype=np.int64)
    for chunk in _chunks(grams, 4096):
        counts += np.bincount(_bucket(np.concatenate(chunk)), minlength=_BUCKETS)
    return counts


def _chunks(rows: Sequence[Grams], size: int) -> Iterator[Sequence[Grams]]:
    for start in range(0, len(rows), size):
        yield rows[start : start + size]


def _bucket(grams: Grams) -> NDArray[np.int64]:
    mixed = (grams * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(42)
    return mixed.astype(np.int64)


def _prefix(grams: Grams, frequency: NDArray[np.int64], threshold: float) -> Grams:
    """The rarest trigrams of a text, where a similar text must be met; ties by the trigram itself."""
    n = len(grams)
    keep = n - math.ceil(threshold * n - 1e-9) + _MEETINGS
    if n == 0 or keep >= n:
        return grams
    return grams[np.argsort(frequency[_bucket(grams)], kind="stable")[:keep]]


def _jaccard(a: Grams, b: Grams, threshold: float) -> float:
    if min(len(a), len(b)) < threshold * max(len(a), len(b)):
        return 0.0
    shared = len(np.intersect1d(a, b, assume_unique=True))
    return shared / (len(a) + len(b) - shared)
