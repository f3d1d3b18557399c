"""``POST /rerank``: TEI's with ``texts``, vLLM's and Jina's with ``documents``."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Request
from pydantic import Discriminator, Tag

from steelyard.serving.http import FAILURES, JsonRoute
from steelyard.serving.reranking import judge
from steelyard.serving.service import Service
from steelyard.serving.wire.rerank import RerankAnswer, RerankRequest, TeiItem, TeiRequest, answer


def _spelling(value: Any) -> str:
    texts = value.get("texts") if isinstance(value, dict) else getattr(value, "texts", None)
    return "(texts)" if texts is not None else "(documents)"


AnyRequest = Annotated[
    Annotated[TeiRequest, Tag("(texts)")] | Annotated[RerankRequest, Tag("(documents)")], Discriminator(_spelling)
]


def router(service: Service) -> APIRouter:
    """``POST /rerank``: TEI's clients send ``texts``, vLLM's ``documents``, and each gets its own form of answer."""
    api = APIRouter(route_class=JsonRoute, tags=["rerank"], responses=FAILURES)

    @api.post("/rerank", response_model_exclude_none=True, summary="Rerank as TEI (texts) or vLLM (documents)")
    async def rerank(body: AnyRequest, request: Request) -> list[TeiItem] | RerankAnswer:
        """A bare list of `index` and `score` to who sends `texts`, `results[]` to who sends `documents`."""
        judged, model, tokens = await judge(body.task(), request, service)
        if isinstance(body, TeiRequest):
            return [TeiItem(index=j.index, score=j.score, text=j.text) for j in judged]
        return answer(judged, model, tokens)

    return api
