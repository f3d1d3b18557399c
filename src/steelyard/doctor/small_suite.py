"""The suite that tells what a fault costs: 122 queries of the built-in trap suites, each with its answer.

Only the answers are ranked. Without the look-alikes a good model gets most of them right, so that a fault has something
to lose; with them the noise of near-ties drowns it.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from steelyard.suites.registry import open_suite
from steelyard.suites.suite import Suite
from steelyard.types import Vectors

Hits = NDArray[np.bool_]
"""bool[q]: whether a query's own answer ranks first."""
_FROM_EACH_CATEGORY = {"zh-traps": 5, "en-traps": 6}


@dataclass(frozen=True, slots=True)
class SmallSuite:
    """Query i is answered by document i.

    Attributes:
        queries: q texts.
        documents: q texts.
    """

    queries: tuple[str, ...]
    documents: tuple[str, ...]

    @property
    def checksum(self) -> str:
        """The first 16 digits of the texts' sha256."""
        joined = "\x00".join((*self.queries, *self.documents))
        return hashlib.sha256(joined.encode()).hexdigest()[:16]


@cache
def small_suite() -> SmallSuite:
    """122 queries: 5 of each of 16 Chinese categories of traps, 6 of each of 7 English ones."""
    pairs = [pair for name, count in _FROM_EACH_CATEGORY.items() for pair in _pairs(open_suite(name), count)]
    return SmallSuite(tuple(q for q, _ in pairs), tuple(d for _, d in pairs))


def hits(queries: Vectors, documents: Vectors) -> Hits:
    """bool[q]: whether float32[q, d] queries have their own row of ``documents`` first; a tie is not first.

    By inner product, as stores rank, so that vectors that are not normalised cost what they cost there.
    """
    scores = queries.astype(np.float64) @ documents.astype(np.float64).T
    own = np.diag(scores).copy()
    np.fill_diagonal(scores, -np.inf)
    found: Hits = own > scores.max(axis=1) + 1e-7 * np.abs(own)
    return found


def _pairs(suite: Suite, count: int) -> Iterator[tuple[str, str]]:
    documents = {d.id: d.text for d in suite.documents}
    taken: Counter[str | None] = Counter()
    for query in suite.queries:
        taken[query.category] += 1
        if taken[query.category] <= count:
            best = max(suite.judgements[query.id].items(), key=lambda item: item[1])[0]
            yield query.text, documents[best]
