"""``/v1/embeddings``: OpenAI's request with three more fields."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
import orjson
import pybase64
from pydantic import Field, PlainValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from steelyard.serving.wire.base import CountingNumber, Usage, WireAnswer, WireRequest
from steelyard.types import Role, Vectors

TokenArray = list[int | float]
"""Whole numbers, of which JSON has one kind: 5.0 is a token id."""
_TOKEN: dict[str, Any] = {"type": "integer", "minimum": 0, "maximum": 2**31 - 1}
_TOKENS: dict[str, Any] = {"type": "array", "items": _TOKEN, "minItems": 1}
_INPUT_SCHEMA: dict[str, Any] = {
    "anyOf": [
        {"type": "string", "minLength": 1},
        {"type": "array", "items": {"type": "string", "minLength": 1}, "minItems": 1},
        _TOKENS,
        {"type": "array", "items": _TOKENS, "minItems": 1},
    ],
    "description": "One text, several texts, one token array or several; no empty ones.",
}
_ROLES = {
    "query": Role.QUERY,
    "search_query": Role.QUERY,
    "document": Role.DOCUMENT,
    "passage": Role.DOCUMENT,
    "search_document": Role.DOCUMENT,
}


def _read_input(value: Any) -> list[str] | list[TokenArray]:
    """One list of one kind, whatever the spelling; one clear message where pydantic's union would give twelve."""
    if isinstance(value, str):
        value = [value]
    if not isinstance(value, list) or not value:
        raise PydanticCustomError("input", "must be a string, a list of strings, or one or several token arrays")
    if all(isinstance(v, str) for v in value):
        return _no_empty(value)
    if all(map(_is_token, value)):
        return [value]
    if all(isinstance(v, list) and all(map(_is_token, v)) for v in value):
        return _no_empty(value)
    raise PydanticCustomError("input", "must hold strings only, or token ids only (integers from 0 to 2147483647)")


def _no_empty(values: list[Any]) -> list[Any]:
    for i, value in enumerate(values):
        if not value:
            raise PydanticCustomError("input", "input {index} is empty; leave it out", {"index": i})
    return values


def _is_token(value: Any) -> bool:
    whole = (isinstance(value, int) and not isinstance(value, bool)) or (
        isinstance(value, float) and value.is_integer()
    )
    return whole and 0 <= value < 2**31


class EmbeddingRequest(WireRequest):
    """OpenAI's request; ``input_type``, ``instruction`` and ``truncate`` are this server's own."""

    input: Annotated[
        list[str] | list[TokenArray], PlainValidator(_read_input), WithJsonSchema(_INPUT_SCHEMA, mode="validation")
    ]
    model: str = Field(description="a model of GET /v1/models, or NAME:query and NAME:document to say the input type")
    encoding_format: Literal["float", "base64"] | None = Field(None, description="float unless said otherwise")
    dimensions: CountingNumber | None = Field(
        None, description="cut to so many and normalised again; refused where the model was not trained for it"
    )
    user: str | None = Field(None, description="taken for compatibility; neither used nor kept")
    input_type: Literal["query", "document", "passage", "search_query", "search_document"] | None = Field(
        None, description="which template the server puts on"
    )
    instruction: str | None = Field(
        None, description="the task, for queries of models that take one; empty for none, left out for the default"
    )
    heads: Annotated[list[Literal["dense", "sparse", "colbert"]], Field(min_length=1)] | None = Field(
        None, description="what to compute of models that have several heads, such as bge-m3; dense when left out"
    )
    truncate: bool | None = Field(
        None, description="cut texts that are too long instead of refusing them; the server's setting when left out"
    )

    @property
    def role(self) -> Role | None:
        """What ``input_type`` says, in the project's own words."""
        return _ROLES[self.input_type] if self.input_type else None


class SparseVector(WireAnswer):
    """Token ids in rising order and their weights, all above zero."""

    indices: list[int]
    values: list[float]


class EmbeddingItem(WireAnswer):
    """One vector, as numbers or as base64 of little-endian float32; the other heads where they were asked for."""

    object: Literal["embedding"] = "embedding"
    index: int
    embedding: list[float] | str
    sparse: SparseVector | None = None
    colbert: list[list[float] | str] | None = None


class EmbeddingAnswer(WireAnswer):
    """Vectors in the order of the input."""

    object: Literal["list"] = "list"
    data: list[EmbeddingItem]
    model: str
    usage: Usage


@dataclass(frozen=True, slots=True)
class Heads:
    """What the heads beside the dense one gave, for each text; None where they were not asked for.

    Attributes:
        sparse: token id -> weight.
        colbert: float32[tokens, d].
    """

    sparse: Sequence[Mapping[int, float]] | None = None
    colbert: Sequence[Vectors] | None = None


def embedding_bytes(vectors: Vectors, heads: Heads, model: str, tokens: int, *, base64: bool) -> bytes:
    """An :class:`EmbeddingAnswer` in JSON, written straight from float32[n, d]."""
    rows = np.ascontiguousarray(vectors, dtype="<f4")
    data: list[dict[str, Any]] = [
        {"object": "embedding", "index": i, "embedding": _written(r, base64=base64)} for i, r in enumerate(rows)
    ]
    for i, item in enumerate(data):
        if heads.sparse is not None:
            weights = sorted(heads.sparse[i].items())
            item["sparse"] = {"indices": [int(k) for k, _ in weights], "values": [float(v) for _, v in weights]}
        if heads.colbert is not None:
            states = np.ascontiguousarray(heads.colbert[i], dtype="<f4")
            item["colbert"] = [_written(state, base64=base64) for state in states]
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    answer = {"object": "list", "data": data, "model": model, "usage": usage}
    return orjson.dumps(answer, option=orjson.OPT_SERIALIZE_NUMPY)


def _written(row: Vectors, *, base64: bool) -> Vectors | str:
    return pybase64.b64encode(row.data).decode() if base64 else row
