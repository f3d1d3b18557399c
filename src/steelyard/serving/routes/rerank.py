"""``POST /v1/rerank`` and ``/v2/rerank``: Cohere, Jina, vLLM; ``/compatible-api/v1/reranks``: DashScope's flat one."""

from __future__ import annotations

from fastapi import APIRouter, Request

from steelyard.serving.http import FAILURES, JsonRoute
from steelyard.serving.reranking import judge
from steelyard.serving.service import Service
from steelyard.serving.wire.rerank import RerankAnswer, RerankRequest, answer

PATHS = {"/v1/rerank": "Jina, vLLM, Cohere v1", "/v2/rerank": "Cohere v2", "/compatible-api/v1/reranks": "DashScope"}


def router(service: Service) -> APIRouter:
    """Reranking under the paths of :data:`PATHS`, whose requests and answers are alike."""
    api = APIRouter(route_class=JsonRoute, tags=["rerank"], responses=FAILURES)

    async def rerank(body: RerankRequest, request: Request) -> RerankAnswer:
        """Scores documents against a query; best first."""
        return answer(*await judge(body.task(), request, service))

    for path, whose in PATHS.items():
        api.add_api_route(
            path, rerank, methods=["POST"], response_model_exclude_none=True, summary=f"Rerank as {whose}"
        )
    return api
