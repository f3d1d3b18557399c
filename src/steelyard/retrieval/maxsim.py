"""Late interaction: a document compared with a query token by token (ColBERT's MaxSim)."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np

from steelyard.engines.base import BaseReranker
from steelyard.engines.protocol import EngineInfo, TokenEncoder
from steelyard.errors import UsageError
from steelyard.types import Role, Scores, Vectors

_DOCUMENTS_AT_ONCE = 32
_WORST = -1.0  # the least a cosine can be


class MaxSimReranker(BaseReranker):
    """Scores a document by the mean over the query's tokens of the greatest cosine with a token of the document.

    Token states live for one call only, and of no more than 32 documents at a time. A document without a token of its
    own scores -1; for a query without one every document scores 0.

    Args:
        token_encoder: what gives a vector a token.
    """

    def __init__(self, token_encoder: TokenEncoder) -> None:
        self._encoder = token_encoder
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

    def close(self) -> None:
        """Frees the token encoder's weights, where it can."""
        close = getattr(self._encoder, "close", None)
        if close is not None:
            close()

    def _score(self, query: str, documents: Sequence[str], instruction: str | None) -> Scores:
        if instruction:
            raise UsageError(f"{self._info.model} takes no instruction; leave {instruction[:60]!r} out")
        query_states = self._encoder.encode_tokens([query], Role.QUERY)[0]
        scores = np.zeros(len(documents), dtype=np.float32)
        if not len(query_states):
            return scores
        for start in range(0, len(documents), _DOCUMENTS_AT_ONCE):
            part = documents[start : start + _DOCUMENTS_AT_ONCE]
            states = self._encoder.encode_tokens(part, Role.DOCUMENT)
            scores[start : start + len(part)] = [max_sim(query_states, s) for s in states]
        return scores


def max_sim(query_states: Vectors, document_states: Vectors) -> float:
    """Mean over query tokens of the max over document tokens.

    Args:
        query_states: float32[a, d], unit rows, a >= 1.
        document_states: float32[b, d], unit rows.
    """
    if not len(document_states):
        return _WORST
    return float((query_states @ document_states.T).max(axis=1).mean())
