"""Retrieval by one vector a token: exact MaxSim over every document, for suites that fit into memory.

Shapes: T tokens of all documents, a tokens of a query, d dimensions, n documents.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from steelyard.engines.maxsim import WORST
from steelyard.engines.protocol import TokenEncoder
from steelyard.errors import UsageError
from steelyard.retrieval.order import TieOrder
from steelyard.retrieval.protocol import Progress, silent
from steelyard.types import Document, Query, Ranking, Role, Scores, Vectors

MOST_BYTES = 2 << 30
_TEXTS_A_CALL = 32
_PRODUCTS_AT_ONCE = 4 << 20  # float64 values of one block of the product with some queries


class LateRetriever:
    """Ranks every document by the mean over the query's tokens of the greatest cosine with one of its tokens.

    The scores are those of :class:`steelyard.engines.maxsim.MaxSimReranker`, of which this is the whole. All
    documents' token vectors are held, float32, up to ``most_bytes``; a larger suite is refused as soon as that is
    known.

    Args:
        encoder: what gives a vector a token.
        most_bytes: that the documents' vectors may take.
    """

    def __init__(self, encoder: TokenEncoder, most_bytes: int = MOST_BYTES) -> None:
        self.encoder = encoder
        self._most = most_bytes
        self._order = TieOrder(())
        self._states: list[Vectors] | None = None

    def index(self, documents: Sequence[Document], progress: Progress = silent) -> None:
        """Encodes the documents; a second call replaces the first.

        Raises:
            UsageError: their vectors take more than the bound; says what to do instead.
        """
        held, states = 0, []
        for start in range(0, len(documents), _TEXTS_A_CALL):
            texts = [d.text for d in documents[start : start + _TEXTS_A_CALL]]
            part = self.encoder.encode_tokens(texts, Role.DOCUMENT)
            held += sum(s.nbytes for s in part)
            if held > self._most:
                raise self._too_large(start + len(part), len(documents))
            states += part
            progress("index", start + len(part), len(documents))
        self._order = TieOrder([d.id for d in documents])
        self._states = states

    def search(self, queries: Sequence[Query], k: int, progress: Progress = silent) -> list[Ranking]:
        """One ranking of at most k hits a query, in the order of ``queries``.

        Raises:
            UsageError: nothing was indexed.
        """
        if self._states is None:
            raise UsageError("index documents before searching them")
        rankings: list[Ranking] = []
        everything = np.arange(len(self._states))
        for start in range(0, len(queries), _TEXTS_A_CALL):
            part = queries[start : start + _TEXTS_A_CALL]
            found = self.encoder.encode_tokens([q.text for q in part], Role.QUERY)
            for query, scores in zip(part, late_scores(found, self._states), strict=True):
                rankings.append(self._order.ranking(query.id, everything, scores, k))
            progress("search", len(rankings), len(queries))
        return rankings

    def states(self, texts: Sequence[str], role: Role) -> list[Vectors]:
        """float32[tokens, d] of each text."""
        found: list[Vectors] = []
        for start in range(0, len(texts), _TEXTS_A_CALL):
            found += self.encoder.encode_tokens(texts[start : start + _TEXTS_A_CALL], role)
        return found

    def _too_large(self, done: int, total: int) -> UsageError:
        model = self.encoder.info.model
        return UsageError(
            f"{model}[head=colbert] holds a vector a token: {done:,} of {total:,} documents fill more than "
            f"{self._most / 1e9:.1f} GB. Let another system recall and rerank its first hits: "
            f"bm25 + {model} >> maxsim:{model}[top=50]"
        )


def late_scores(queries: Sequence[Vectors], documents: Sequence[Vectors]) -> Scores:
    """float32[q, n]: MaxSim of every query's token vectors with those of each document.

    Products are made in float64 and rounded at the end, so that a score is that of its two texts alone: in float32 its
    last bit would depend on the documents beside it, and equal documents would not tie.
    """
    scores = np.zeros((len(queries), len(documents)), dtype=np.float32)
    asked = [i for i, states in enumerate(queries) if len(states)]
    if not asked:
        return scores
    scores[asked] = WORST
    tokens = np.concatenate([queries[i] for i in asked]).astype(np.float64)
    lengths = np.array([len(queries[i]) for i in asked])
    begins = np.cumsum(lengths) - lengths
    for positions in _blocks([len(d) for d in documents], _PRODUCTS_AT_ONCE // max(tokens.shape)):
        some = [documents[i] for i in positions]
        starts = np.cumsum([0, *map(len, some[:-1])])
        products = tokens @ np.concatenate(some).astype(np.float64).T
        best = np.maximum.reduceat(products, starts, axis=1)
        scores[np.ix_(asked, positions)] = np.add.reduceat(best, begins, axis=0) / lengths[:, None]
    return scores


def _blocks(lengths: Sequence[int], tokens: int) -> Iterator[list[int]]:
    """Neighbouring documents that have tokens, so many tokens together at the most, or one document alone."""
    block: list[int] = []
    held = 0
    for i, length in enumerate(lengths):
        if not length:
            continue
        if block and held + length > tokens:
            yield block
            block, held = [], 0
        block.append(i)
        held += length
    if block:
        yield block
