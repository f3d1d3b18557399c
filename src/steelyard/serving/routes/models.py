"""``GET /v1/models`` and ``GET /v1/models/{name}``."""

from __future__ import annotations

from fastapi import APIRouter

from steelyard.serving.http import FAILURES
from steelyard.serving.service import Service, missing
from steelyard.serving.wire.models import ModelCard, ModelList


def router(service: Service) -> APIRouter:
    """``GET /v1/models`` and ``/v1/models/{name}``: what is served."""
    api = APIRouter(tags=["models"], responses=FAILURES)
    cards = service.cards

    @api.get("/v1/models", summary="Every model served")
    async def list_models() -> ModelList:
        """OpenAI's list with each model's dimensions, length and fingerprint."""
        return ModelList(data=list(cards.values()))

    @api.get("/v1/models/{name:path}", summary="One model")
    async def show_model(name: str) -> ModelCard:
        """What the list says of one model."""
        if name not in cards:
            raise missing(name, "embedding or reranking", cards)
        return cards[name]

    return api
