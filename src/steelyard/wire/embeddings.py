"""``POST /embeddings`` and ``GET /models`` as OpenAI has them."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from steelyard.types import Role, Vectors
from steelyard.wire.answer import AnswerError, excerpt, numbered

PATH = "/embeddings"
MODELS_PATH = "/models"
Encoding = Literal["base64", "float"]
Kind = Literal["embedding", "reranker"]


@dataclass(frozen=True, slots=True)
class Embeddings:
    """What was answered.

    Attributes:
        vectors: float32[n, d] in the order of the texts, not normalised.
        listed: the answer's own numbering in the order of its list.
        tokens: tokens read, all texts together; None where it is not said.
    """

    vectors: Vectors
    listed: tuple[int, ...]
    tokens: int | None = None


def embeddings_request(
    model: str,
    texts: Sequence[str],
    *,
    dimensions: int | None = None,
    encoding: Encoding | None = None,
    role: Role | None = None,
) -> dict[str, Any]:
    """The body of a request.

    Args:
        model: its name on the server.
        texts: finished, unless the server puts templates on.
        dimensions: None leaves the size to the server.
        encoding: base64 is read some hundred times faster than decimal numbers; None leaves it out.
        role: sent as ``input_type``, to servers that put the templates on themselves.
    """
    body: dict[str, Any] = {"model": model, "input": list(texts)}
    if dimensions is not None:
        body["dimensions"] = dimensions
    if encoding is not None:
        body["encoding_format"] = encoding
    if role is not None:
        body["input_type"] = role.value
    return body


def refuses_encoding(status: int | None, said: str) -> bool:
    """Whether a server refused a request because it names an encoding; then it is asked without."""
    return status in (400, 422) and "encoding_format" in said


def read_embeddings(answer: Any, count: int, dimension: int | None = None) -> Embeddings:
    """The vectors of an answer, in decimal numbers or base64 of little-endian float32.

    Args:
        answer: parsed JSON.
        count: texts that were asked about.
        dimension: expected of each vector; None for any one size.

    Raises:
        AnswerError: not ``count`` vectors of one size, finite and not all zeros.
    """
    data = answer.get("data") if isinstance(answer, dict) else None
    items, listed = numbered(data, count, answer)
    rows = [_row(item.get("embedding"), i) for i, item in enumerate(items)]
    sizes = sorted({len(row) for row in rows})
    if len(sizes) != 1 or (dimension is not None and sizes != [dimension]):
        wanted = f"{dimension} were expected" if dimension is not None else "one size was expected"
        raise AnswerError(
            f"gave vectors of {', '.join(map(str, sizes))} dimensions where {wanted}",
            "it ignores `dimensions` or serves another model; see its launch line",
        )
    vectors = np.stack(rows)
    nothing = np.flatnonzero(~vectors.any(axis=1))
    if len(nothing):
        raise AnswerError("gave a vector of zeros only", "the model is not loaded rightly", int(nothing[0]))
    return Embeddings(vectors, listed, _tokens(answer))


def listed_models(answer: Any) -> dict[str, Kind | None]:
    """The models of an answer of ``GET /models``, and what each is where that is said, as our own server does."""
    data = answer.get("data") if isinstance(answer, dict) else None
    items = data if isinstance(data, list) else []
    named = [i for i in items if isinstance(i, dict) and isinstance(i.get("id"), str)]
    return {i["id"]: i["kind"] if i.get("kind") in ("embedding", "reranker") else None for i in named}


def _row(value: Any, index: int) -> Vectors:
    try:
        raw = base64.b64decode(value, validate=True) if isinstance(value, str) else None
        row: Vectors = np.asarray(value, dtype=np.float32) if raw is None else np.frombuffer(raw, dtype="<f4")
    except (binascii.Error, ValueError, TypeError, OverflowError):
        row = np.zeros(0, dtype=np.float32)
    if row.ndim != 1 or not len(row):
        raise AnswerError(f"gave {excerpt(value)} instead of a vector", index=index)
    if not np.isfinite(row).all():
        fix = "the model overflowed: serve it in bfloat16 or float32 instead of float16"
        raise AnswerError("gave a vector that is not finite", fix, index)
    return row.astype(np.float32)


def _tokens(answer: Any) -> int | None:
    usage = answer.get("usage")
    counts = [usage.get(k) for k in ("prompt_tokens", "total_tokens")] if isinstance(usage, dict) else []
    return next((c for c in counts if type(c) is int and c > 0), None)
