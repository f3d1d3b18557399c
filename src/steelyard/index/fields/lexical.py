"""BM25 from the statistics of segments, equal to the weighed ``bm25`` at every moment of adding and deleting.

A segment keeps word counts and lengths; document frequencies, the number of documents and their mean length are summed
over what lives when a query comes. The arithmetic is that of bm25s, operation by operation: float64, rounded to float32
once a word, summed in float32 in the order of the query's words.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steelyard.index.fields.postings import joined_postings, sorted_postings
from steelyard.index.fields.protocol import Arrays, Kept, best, leading
from steelyard.index.snapshot import Part
from steelyard.index.strings import packed, strings
from steelyard.text.segment import segment
from steelyard.types import Query, Ranking, Scores


@dataclass(frozen=True)
class LexicalField:
    """Words and how often each document has them.

    Attributes:
        name: of its arrays.
        k1: see :class:`steelyard.retrieval.lexical.BM25Retriever`.
        b: likewise.
    """

    name: str
    k1: float = 1.5
    b: float = 0.75

    @property
    def fingerprint(self) -> str:
        """The segmenter's version; k1 and b are applied when searching."""
        return f"rjieba {version('rjieba')}"

    def keep(self, texts: Sequence[str]) -> Arrays:
        """Sorted words, their postings with counts, and int32[n] lengths."""
        counts = [Counter(segment(t)) for t in texts]
        words = sorted({w for c in counts for w in c}, key=str.encode)
        number = {w: i for i, w in enumerate(words)}
        flat = np.array([number[w] for c in counts for w in c], dtype=np.int64)
        documents = np.repeat(np.arange(len(counts)), [len(c) for c in counts])
        values = np.array([n for c in counts for n in c.values()], dtype=np.int32)
        lengths = np.array([c.total() for c in counts], dtype=np.int32)
        return {**packed("words", words), **sorted_postings(flat, documents, values, len(words)), "lengths": lengths}

    def join(self, kept: Sequence[Kept]) -> Arrays:
        """The same of several segments."""
        own = [strings("words", dict(p.arrays)).all() for p in kept]
        words = sorted({w for some in own for w in some}, key=str.encode)
        number = {w: i for i, w in enumerate(words)}
        numbers = [np.array([number[w] for w in some], dtype=np.int64) for some in own]
        lengths = np.concatenate([p.arrays["lengths"][p.places] for p in kept])
        return {**packed("words", words), **joined_postings(kept, numbers, len(words)), "lengths": lengths}

    def search(self, parts: Sequence[Part], queries: Sequence[Query], k: int) -> list[Ranking]:
        """See :class:`steelyard.index.fields.protocol.Field`."""
        segments = [_Words(part, part.segment.field(self.name)) for part in parts]
        count, total = sum(s.count for s in segments), sum(s.total for s in segments)
        if not total:
            return [Ranking(q.id, (), np.zeros(0, dtype=np.float32)) for q in queries]
        mean = np.float64(total) / count
        return [self._search(query, segments, count, mean, k) for query in queries]

    def _search(self, query: Query, segments: Sequence[_Words], count: int, mean: np.float64, k: int) -> Ranking:
        words = segment(query.text)
        found = {w: [s.postings(w) for s in segments] for w in set(words)}
        weights = {
            w: _idf(sum(len(p[0]) for p in own), count) for w, own in found.items() if any(len(p[0]) for p in own)
        }
        ordered = [w for w in words if w in weights]
        hits = []
        for at, own in enumerate(segments):
            scores, hit = np.zeros(own.rows, dtype=np.float32), np.zeros(own.rows, dtype=np.bool_)
            for word in ordered:
                documents, counts = found[word][at]
                scores[documents] += self._word(counts, own.lengths[documents], mean, weights[word])
                hit[documents] = True
            hits.append(own.hits(scores, hit, k))
        return best(query.id, hits, k)

    def _word(self, counts: NDArray[Any], lengths: NDArray[Any], mean: np.float64, idf: np.float32) -> Scores:
        """float32 of one word in some documents."""
        near = self.k1 * ((1 - self.b) + self.b * lengths.astype(np.float64) / mean)
        wide = counts.astype(np.float32) / (near + counts.astype(np.float32))
        return np.asarray(idf * wide, dtype=np.float32)


class _Words:
    """A segment's postings as one search sees them."""

    def __init__(self, part: Part, arrays: Mapping[str, NDArray[Any]]) -> None:
        self._part, self._arrays = part, arrays
        self._strings = strings("words", dict(arrays))
        self.lengths = arrays["lengths"]
        self.rows = len(part.segment)
        self.count = part.count
        self.total = int((self.lengths if part.alive is None else self.lengths[part.alive]).sum(dtype=np.int64))

    def postings(self, word: str) -> tuple[NDArray[Any], NDArray[Any]]:
        """Rows that live and have the word, and how often."""
        at = self._strings.find(word)
        if at is None:
            return np.zeros(0, dtype=np.int32), np.zeros(0, dtype=np.int32)
        some = slice(int(self._arrays["starts"][at]), int(self._arrays["starts"][at + 1]))
        documents, counts = self._arrays["documents"][some], self._arrays["values"][some]
        if self._part.alive is None:
            return np.asarray(documents), np.asarray(counts)
        lives = self._part.alive[documents]
        return documents[lives], counts[lives]

    def hits(self, scores: Scores, hit: NDArray[np.bool_], k: int) -> tuple[list[str], Scores]:
        """Ids and scores of those that may be among the k best."""
        wanted = hit if self._part.wanted is None else hit & self._part.wanted
        places = leading(scores, np.flatnonzero(wanted), k)
        return [self._part.segment.id_of(i) for i in places.tolist()], scores[places]


def _idf(frequency: int, count: int) -> np.float32:
    return np.float32(math.log(1 + (count - frequency + 0.5) / (frequency + 0.5)))
