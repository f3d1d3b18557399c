"""Reranking as Cohere, Jina, vLLM, TEI and DashScope ask for it, and the one thing they all mean."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from pydantic import BeforeValidator, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from steelyard.serving.wire.base import CountingNumber, WireAnswer, WireRequest
from steelyard.types import Scores

_TEXT: dict[str, Any] = {"type": "string", "minLength": 1}
_AS_OBJECT: dict[str, Any] = {"type": "object", "properties": {"text": _TEXT}, "required": ["text"]}


def _read_documents(value: Any) -> list[str]:
    if not isinstance(value, list) or not value:
        raise PydanticCustomError("documents", "must be a list of strings, or of objects with a text, not empty")
    texts: list[str] = []
    for i, one in enumerate(value):
        text = one.get("text") if isinstance(one, dict) else one
        if not isinstance(text, str) or not text:
            raise PydanticCustomError("documents", "document {index} has no text", {"index": i})
        texts.append(text)
    return texts


def _read_texts(value: Any) -> list[str]:
    if not isinstance(value, list) or not value or not all(isinstance(v, str) and v for v in value):
        raise PydanticCustomError("texts", "must be a list of strings, none empty")
    return value


Documents = Annotated[
    list[str],
    BeforeValidator(_read_documents),
    WithJsonSchema({"type": "array", "items": {"anyOf": [_TEXT, _AS_OBJECT]}, "minItems": 1}, mode="validation"),
]
Texts = Annotated[
    list[str],
    BeforeValidator(_read_texts),
    WithJsonSchema({"type": "array", "items": _TEXT, "minItems": 1}, mode="validation"),
]
Text = Annotated[str, Field(min_length=1)]
TopN = CountingNumber | None


def _flag(value: Any) -> Any:
    return {"true": True, "false": False}.get(value.lower(), value) if isinstance(value, str) else value


Flag = (
    Annotated[
        bool,
        BeforeValidator(_flag),  # RAGFlow sends "true" to what it takes for Xinference
        WithJsonSchema({"anyOf": [{"type": "boolean"}, {"type": "string", "enum": ["true", "false"]}]}),
    ]
    | None
)


@dataclass(frozen=True, slots=True)
class RerankTask:
    """What every spelling asks for.

    Attributes:
        model: None for the only one served.
        query: what is looked for.
        documents: what is judged.
        top_n: keep so many; all of them when None.
        with_text: repeat the documents in the answer.
        instruction: None for the recipe's default.
    """

    model: str | None
    query: str
    documents: Sequence[str]
    top_n: int | None = None
    with_text: bool = False
    instruction: str | None = None


@dataclass(frozen=True, slots=True)
class Judged:
    """One document: its place in the request, its score, and its text where it was asked for."""

    index: int
    score: float
    text: str | None


def in_order(scores: Scores, task: RerankTask) -> list[Judged]:
    """The documents from the best down, equal scores in the order of the request."""
    order = np.argsort(-scores, kind="stable")[: task.top_n]
    return [Judged(int(i), float(scores[i]), task.documents[i] if task.with_text else None) for i in order]


class RerankRequest(WireRequest):
    """Cohere's, Jina's and vLLM's request; fields of the others are taken too where they mean the same."""

    model: str | None = Field(None, description="may be left out where one reranker is served")
    query: Text
    documents: Documents
    top_n: TopN = None
    return_documents: Flag = None
    instruction: str | None = Field(None, description="the task, for models that take one")
    instruct: str | None = Field(None, description="DashScope's word for instruction")

    def task(self) -> RerankTask:
        """What is meant."""
        task = self.instruction if self.instruction is not None else self.instruct
        return RerankTask(self.model, self.query, self.documents, self.top_n, bool(self.return_documents), task)


class TextAnswer(WireAnswer):
    """A document repeated."""

    text: str


class RerankItem(WireAnswer):
    """One judged document."""

    index: int
    relevance_score: float
    document: TextAnswer | None = None


class BilledUnits(WireAnswer):
    """Cohere's count of searches."""

    search_units: int = 1


class ApiVersion(WireAnswer):
    """Which of Cohere's versions is spoken."""

    version: str = "2"


class MetaTokens(WireAnswer):
    """Tokens read, by estimate, where FastGPT looks for them."""

    input_tokens: int
    output_tokens: int = 0


class RerankMeta(WireAnswer):
    """What Cohere's clients read."""

    api_version: ApiVersion = ApiVersion()
    billed_units: BilledUnits = BilledUnits()
    tokens: MetaTokens


class RerankUsage(WireAnswer):
    """Tokens read, by estimate."""

    prompt_tokens: int
    total_tokens: int


class RerankAnswer(WireAnswer):
    """Best first; holds what Cohere's, Jina's, vLLM's and DashScope's flat clients look for."""

    id: str
    object: str = "list"
    model: str
    results: list[RerankItem]
    usage: RerankUsage
    meta: RerankMeta


def answer(judged: Sequence[Judged], model: str, tokens: int) -> RerankAnswer:
    """The answer that most clients understand."""
    return RerankAnswer(
        id=f"rerank-{uuid.uuid4().hex}",
        model=model,
        results=items(judged),
        usage=RerankUsage(prompt_tokens=tokens, total_tokens=tokens),
        meta=RerankMeta(tokens=MetaTokens(input_tokens=tokens)),
    )


def items(judged: Sequence[Judged]) -> list[RerankItem]:
    """``results`` of an answer."""
    return [
        RerankItem(index=j.index, relevance_score=j.score, document=None if j.text is None else TextAnswer(text=j.text))
        for j in judged
    ]


class TeiRequest(WireRequest):
    """TEI's request for ``/rerank``: ``texts`` where the others say ``documents``."""

    query: Text
    texts: Texts
    model: str | None = None
    return_text: Flag = None
    raw_scores: Flag = Field(None, description="taken and ignored: scores are as the engine gives them")
    truncate: Flag = None

    def task(self) -> RerankTask:
        """What is meant."""
        return RerankTask(self.model, self.query, self.texts, with_text=bool(self.return_text))


class TeiItem(WireAnswer):
    """One of TEI's bare list."""

    index: int
    score: float
    text: str | None = None


class DashScopeInput(WireRequest):
    """DashScope's ``input``."""

    query: Text
    documents: Documents


class DashScopeParameters(WireRequest):
    """DashScope's ``parameters``."""

    top_n: TopN = None
    return_documents: Flag = None
    instruct: str | None = None


class DashScopeRequest(WireRequest):
    """DashScope's nested request."""

    model: str | None = None
    input: DashScopeInput
    parameters: DashScopeParameters | None = None

    def task(self) -> RerankTask:
        """What is meant."""
        p = self.parameters or DashScopeParameters()
        with_text = bool(p.return_documents)
        return RerankTask(self.model, self.input.query, self.input.documents, p.top_n, with_text, p.instruct)


class DashScopeOutput(WireAnswer):
    """DashScope's ``output``."""

    results: list[RerankItem]


class DashScopeUsage(WireAnswer):
    """DashScope's ``usage``."""

    total_tokens: int


class DashScopeAnswer(WireAnswer):
    """DashScope's answer."""

    output: DashScopeOutput
    usage: DashScopeUsage
    request_id: str
