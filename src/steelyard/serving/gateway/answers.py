"""What upstreams answer, in all the shapes they have, read into one."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from typing import Any

import numpy as np

from steelyard.errors import EndpointError
from steelyard.types import Scores, Vectors


def read_vectors(answer: Any, count: int, dimension: int | None, shown: str) -> tuple[Vectors, int]:
    """(float32[count, d], tokens read) of an answer of ``/v1/embeddings``, numbers or base64.

    Raises:
        EndpointError: not ``count`` finite vectors of one size, or not of ``dimension``.
    """
    data = answer.get("data") if isinstance(answer, dict) else None
    rows = [_vector(item.get("embedding")) for item in _ordered(data, count, shown)]
    sizes = {len(row) for row in rows}
    if sizes == {0} or len(sizes) != 1 or (dimension is not None and sizes != {dimension}):
        wanted = f"{dimension} were expected" if dimension else "one size was expected"
        raise EndpointError(
            f"{shown} gave vectors of {sorted(sizes)} dimensions where {wanted}; it serves another model, or cuts"
        )
    vectors = np.stack(rows)
    if not np.isfinite(vectors).all():
        raise EndpointError(f"{shown} gave a vector that is not finite; serve the model in bfloat16 or float32")
    usage = answer.get("usage")
    tokens = usage.get("total_tokens", usage.get("prompt_tokens")) if isinstance(usage, dict) else 0
    return vectors, max(tokens, 0) if isinstance(tokens, int) else 0


def read_scores(answer: Any, count: int, shown: str) -> Scores:
    """float32[count] of an answer to a rerank request: vLLM's, Jina's, Cohere's, DashScope's, SGLang's or TEI's.

    Raises:
        EndpointError: not one finite score a document.
    """
    if isinstance(answer, dict):
        inner = answer.get("output")
        answer = inner.get("results") if isinstance(inner, dict) else answer.get("results", answer.get("data"))
    values = [item.get("relevance_score", item.get("score")) for item in _ordered(answer, count, shown)]
    if not all(isinstance(v, int | float) and not isinstance(v, bool) for v in values):
        raise EndpointError(f"{shown} gave a score that is no number")
    scores = np.array(values, dtype=np.float32)
    if not np.isfinite(scores).all():
        raise EndpointError(f"{shown} gave a score that is not finite")
    return scores


def _ordered(items: Any, count: int, shown: str) -> Sequence[Any]:
    if not isinstance(items, list) or not all(isinstance(i, dict) for i in items):
        raise EndpointError(f"{shown} answered in a shape that is not known")
    indexes = [i.get("index") for i in items]
    if len(items) != count or {i for i in indexes if isinstance(i, int)} != set(range(count)):
        raise EndpointError(f"{shown} gave {len(items)} answers to {count} texts, or numbered them wrongly")
    return sorted(items, key=lambda i: int(i["index"]))


def _vector(value: Any) -> Vectors:
    try:
        if isinstance(value, str):
            return np.frombuffer(base64.b64decode(value, validate=True), dtype="<f4").astype(np.float32)
        row: Vectors = np.asarray(value, dtype=np.float32)
    except (binascii.Error, ValueError, TypeError):
        return np.zeros(0, dtype=np.float32)
    return row if row.ndim == 1 else np.zeros(0, dtype=np.float32)
