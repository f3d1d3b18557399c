"""Late interaction: a document compared with a query token by token (ColBERT's MaxSim)."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Iterator, Sequence

import numpy as np

from steelyard.engines.base import BaseReranker
from steelyard.engines.protocol import EngineInfo, TokenEncoder
from steelyard.errors import UsageError
from steelyard.types import Role, Scores, Vectors

KEPT_BYTES = 256 << 20
_DOCUMENTS_AT_ONCE = 32
WORST = -1.0
"""The score of a document without tokens: the least that a cosine can be."""


class MaxSimReranker(BaseReranker):
    """Scores a document by the mean over the query's tokens of the greatest cosine with a token of the document.

    Documents that several queries recall are encoded once: the token vectors used last are kept, up to a bound. No more
    than 32 documents are encoded at a time. A document without a token of its own scores -1; for a query without one
    every document scores 0.

    Args:
        token_encoder: what gives a vector a token.
        kept_bytes: of documents' token vectors kept between calls; 0 keeps none.
    """

    def __init__(self, token_encoder: TokenEncoder, kept_bytes: int = KEPT_BYTES) -> None:
        self._encoder = token_encoder
        self._kept = _Kept(kept_bytes)
        inner = token_encoder.info
        self._info = EngineInfo(
            model=f"maxsim({inner.model})",
            backend=inner.backend,
            dimension=0,
            max_tokens=inner.max_tokens,
            fingerprint=f"maxsim/{hashlib.sha256(inner.fingerprint.encode()).hexdigest()[:16]}",
        )

    @property
    def info(self) -> EngineInfo:
        """Known without loading weights."""
        return self._info

    @property
    def choice(self) -> object | None:
        """Why the token encoder computes as it does, where it says so."""
        return getattr(self._encoder, "choice", None)

    def close(self) -> None:
        """Frees the kept vectors and the token encoder's weights."""
        self._kept.clear()
        self._encoder.close()

    def _score(self, query: str, documents: Sequence[str], instruction: str | None) -> Scores:
        if instruction:
            raise UsageError(f"{self._info.model} takes no instruction; leave {instruction[:60]!r} out")
        query_states = self._encoder.encode_tokens([query], Role.QUERY)[0]
        scores = np.zeros(len(documents), dtype=np.float32)
        if not len(query_states):
            return scores
        for i, states in self._states(documents):
            scores[i] = max_sim(query_states, states)
        return scores

    def _states(self, documents: Sequence[str]) -> Iterator[tuple[int, Vectors]]:
        """(position, float32[tokens, d]) of every document, those that are kept first."""
        missing = []
        for i, text in enumerate(documents):
            states = self._kept.get(text)
            if states is None:
                missing.append(i)
            else:
                yield i, states
        for start in range(0, len(missing), _DOCUMENTS_AT_ONCE):
            part = missing[start : start + _DOCUMENTS_AT_ONCE]
            found = self._encoder.encode_tokens([documents[i] for i in part], Role.DOCUMENT)
            for i, states in zip(part, found, strict=True):
                self._kept.put(documents[i], states)
                yield i, states


class _Kept:
    """Token vectors by text, those used last, never more bytes than the bound."""

    def __init__(self, bound: int) -> None:
        self._bound = bound
        self._bytes = 0
        self._states: OrderedDict[str, Vectors] = OrderedDict()

    def get(self, text: str) -> Vectors | None:
        if text in self._states:
            self._states.move_to_end(text)
        return self._states.get(text)

    def put(self, text: str, states: Vectors) -> None:
        if states.nbytes > self._bound or text in self._states:
            return
        self._states[text] = states.copy() if states.base is not None else states  # a view would hold its whole batch
        self._bytes += states.nbytes
        while self._bytes > self._bound:
            self._bytes -= self._states.popitem(last=False)[1].nbytes

    def clear(self) -> None:
        self._states.clear()
        self._bytes = 0


def max_sim(query_states: Vectors, document_states: Vectors) -> float:
    """Mean over query tokens of the max over document tokens.

    Args:
        query_states: float32[a, d], unit rows, a >= 1.
        document_states: float32[b, d], unit rows.
    """
    if not len(document_states):
        return WORST
    products = query_states.astype(np.float64) @ document_states.astype(np.float64).T  # see late_scores
    return float(products.max(axis=1).mean())
