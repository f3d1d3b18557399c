"""The web application around a service."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import Depends, FastAPI, Request
from fastapi.responses import HTMLResponse, Response
from fastapi.security import HTTPBearer
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware

from steelyard import serving
from steelyard.serving.api_page import POLICY, api_page
from steelyard.serving.failures import HttpFailure
from steelyard.serving.http import Guard
from steelyard.serving.routes import embeddings, health, metrics, models, rerank, rerank_dashscope, rerank_tei
from steelyard.serving.service import Service


def build_app(service: Service) -> FastAPI:
    """The ASGI application of a service; starts and stops its host with its lifespan."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        await asyncio.to_thread(service.host.start)
        yield
        await service.host.stop()

    app = FastAPI(
        title="Steelyard",
        version=_version(),
        description=serving.__doc__ or "",
        lifespan=lifespan,
        middleware=[Middleware(Guard, service=service)],
        exception_handlers={HTTPException: _refused},
        redirect_slashes=False,
        docs_url=None,  # FastAPI's own pages load scripts from a CDN
        redoc_url=None,
    )
    keyed = [Depends(HTTPBearer(auto_error=False, description="A key of --keys"))] if service.keys else []
    for endpoint in (embeddings, rerank, rerank_tei, rerank_dashscope, models, metrics):
        app.include_router(endpoint.router(service), dependencies=keyed)  # for the document: Guard asks for the key
    app.include_router(health.router(service))
    app.add_api_route("/docs", lambda: _page(app), include_in_schema=False, response_class=HTMLResponse)
    service.metrics.watch_queue(lambda: service.host.waiting)
    return app


def _page(app: FastAPI) -> HTMLResponse:
    return HTMLResponse(api_page(app.openapi()), headers={"Content-Security-Policy": POLICY})


async def _refused(request: Request, wrong: Exception) -> Response:
    if isinstance(wrong, HttpFailure):
        return wrong.response()
    if not isinstance(wrong, HTTPException):
        raise wrong
    answer = HttpFailure(wrong.status_code, _said(wrong, request)).response()
    answer.headers.update(wrong.headers or {})
    return answer


def _said(wrong: HTTPException, request: Request) -> str:
    if wrong.status_code == 404:
        return f"there is no {request.method} {request.url.path[:100]}; GET /docs shows what there is"
    return str(wrong.detail)


def _version() -> str:
    from importlib.metadata import version

    return version("steelyard")
