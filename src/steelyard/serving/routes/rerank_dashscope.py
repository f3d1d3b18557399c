"""``POST /api/v1/services/rerank/text-rerank/text-rerank``: DashScope's nested request and answer."""

from __future__ import annotations

import uuid

from fastapi import APIRouter, Request

from steelyard.serving.http import FAILURES, JsonRoute
from steelyard.serving.reranking import judge
from steelyard.serving.service import Service
from steelyard.serving.wire.rerank import DashScopeAnswer, DashScopeOutput, DashScopeRequest, DashScopeUsage, items

PATH = "/api/v1/services/rerank/text-rerank/text-rerank"


def router(service: Service) -> APIRouter:
    """Reranking as DashScope's clients ask for it."""
    api = APIRouter(route_class=JsonRoute, tags=["rerank"], responses=FAILURES)

    @api.post(PATH, response_model_exclude_none=True, summary="Rerank as DashScope")
    async def rerank(body: DashScopeRequest, request: Request) -> DashScopeAnswer:
        """Scores documents against a query; best first."""
        judged, _, tokens = await judge(body.task(), request, service)
        return DashScopeAnswer(
            output=DashScopeOutput(results=items(judged)),
            usage=DashScopeUsage(total_tokens=tokens),
            request_id=uuid.uuid4().hex,
        )

    return api
