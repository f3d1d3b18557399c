"""``GET /metrics`` for Prometheus."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST

from steelyard.serving.http import FAILURES
from steelyard.serving.service import Service


def router(service: Service) -> APIRouter:
    """``GET /metrics``, in the text form that Prometheus reads."""
    api = APIRouter(tags=["health"])

    @api.get("/metrics", response_class=PlainTextResponse, responses=FAILURES, summary="Prometheus metrics")
    async def metrics() -> PlainTextResponse:
        """Requests, texts, tokens, batches, the queue."""
        return PlainTextResponse(service.metrics.text(), media_type=CONTENT_TYPE_LATEST)

    return api
