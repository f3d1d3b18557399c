"""``GET /health`` and ``GET /ready``, open to everybody."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter

from steelyard.serving.failures import HttpFailure
from steelyard.serving.http import FAILURES
from steelyard.serving.service import Service
from steelyard.serving.wire.base import WireAnswer


class Health(WireAnswer):
    """The process answers."""

    status: Literal["ok"] = "ok"


def router(service: Service) -> APIRouter:
    """``GET /health`` and ``GET /ready``, which need no key."""
    api = APIRouter(tags=["health"])

    @api.get("/health", summary="Does the process answer?")
    async def health() -> Health:
        """For a supervisor that restarts what hangs."""
        return Health()

    @api.get("/ready", responses=FAILURES, summary="Would a request be served now?")
    async def ready() -> Health:
        """For a load balancer; 503 with a reason when not."""
        reason = await service.host.ready()
        if reason is not None:
            raise HttpFailure(503, reason, code="not_ready", retry_after=5)
        return Health()

    return api
