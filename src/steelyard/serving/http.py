"""What every endpoint does before and after its own work: JSON in, keys, bounds, the client that goes away."""

from __future__ import annotations

import asyncio
import json
import logging
import math
import re
import time
import uuid
from collections.abc import Callable, Coroutine, Sequence, Set
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any, TypeVar, get_type_hints

import orjson
from fastapi.routing import APIRoute
from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from steelyard.serving.failures import HttpFailure, place_of
from steelyard.serving.service import Caller, Service
from steelyard.serving.settings import Limits
from steelyard.serving.wire.base import ErrorAnswer
from steelyard.text.clean import clean

T = TypeVar("T")
OPEN_PATHS = frozenset({"/health", "/ready"})
FAILURES: dict[int | str, dict[str, Any]] = {
    "4XX": {"model": ErrorAnswer, "description": "The request, its size, its key or its pace is at fault"},
    "5XX": {"model": ErrorAnswer, "description": "The server is at fault, busy past the deadline, or stopping"},
}
_TIMEOUT_HEADERS = ("x-request-timeout", "x-stainless-read-timeout", "x-stainless-timeout")
_LARGE = 1 << 18
"""Bytes of a body that is read in another thread: 16 MB of small arrays take seconds, and others want answers."""
_PORT = re.compile(r":\d*$")
_REQUEST_ID = re.compile(rb"[!-~]{1,128}")
_log = logging.getLogger("steelyard.serving")


class JsonRoute(APIRoute):
    """An endpoint ``async def f(body: AnyModel, request: Request)``, called without FastAPI's search for parameters.

    Short queries are answered in a time that this search is a good part of. The body is JSON read with orjson, and what
    orjson refuses but JSON allows, such as lone surrogates, without it.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Reads and checks the body, calls the endpoint, writes what is not a response yet."""
        endpoint: Callable[[Any, Request], Coroutine[Any, Any, Any]] = self.endpoint
        bodies: TypeAdapter[Any] = TypeAdapter(get_type_hints(endpoint, include_extras=True)["body"])
        answers: TypeAdapter[Any] = TypeAdapter(self.response_model)
        bare = self.response_model_exclude_none

        def read(content: bytes) -> Any:
            try:
                return bodies.validate_python(read_json(content) if content else None)
            except ValidationError as wrong:
                raise _explained(wrong.errors(include_input=False, include_url=False)) from None

        async def handle(request: Request) -> Response:
            content = await request.body()
            _check_coding(request)
            content = content if _says_json(request) else b""
            body = read(content) if len(content) < _LARGE else await asyncio.to_thread(read, content)
            done = await endpoint(body, request)
            if isinstance(done, Response):
                return done
            return Response(answers.dump_json(done, exclude_none=bare), media_type="application/json")

        return handle


def _check_coding(request: Request) -> None:
    coding = request.headers.get("content-encoding", "identity").strip().lower()
    if coding != "identity":
        message = f"the body is sent as {coding[:20]!r}; send it without Content-Encoding"
        raise HttpFailure(415, message, code="content_encoding")


def _says_json(request: Request) -> bool:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    return kind == "application/json" or (kind.startswith("application/") and kind.endswith("+json"))


def _explained(faults: Sequence[ErrorDetails]) -> HttpFailure:
    """The first fault in words, without the value that is at fault: it may be a text."""
    fault = faults[0]
    place = ".".join(part for p in fault["loc"] if not (part := str(p)).startswith("("))  # a union names its branch
    if not place:
        return HttpFailure(400, "send a JSON object with Content-Type: application/json", None, "json_invalid")
    more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
    return HttpFailure(400, f"{place}: {fault['msg']}{more}", place, fault["type"])


def read_json(body: bytes) -> Any:
    """The value of a JSON document.

    Raises:
        HttpFailure: it is none, it holds NaN or infinities, is not UTF-8, or is nested too deeply.
    """
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        pass
    try:
        return _cleaned(json.loads(body, parse_constant=_refuse))
    except json.JSONDecodeError as wrong:
        message = f"the body is not JSON: {wrong.msg} at {wrong.pos}"
        raise HttpFailure(400, message, code="json_invalid") from None
    except (ValueError, RecursionError) as wrong:
        kind = "nested too deeply" if isinstance(wrong, RecursionError) else "not JSON in UTF-8"
        raise HttpFailure(400, f"the body is {kind}", code="json_invalid") from None


def _refuse(constant: str) -> Any:
    raise HttpFailure(400, f"{constant} is not JSON", code="json_invalid")


def _cleaned(value: Any) -> Any:
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, list):
        return [_cleaned(v) for v in value]
    if isinstance(value, dict):
        return {clean(k): _cleaned(v) for k, v in value.items()}
    return value


def caller_of(request: Request, service: Service) -> Caller:
    """Who asks, and for how long an answer is worth having: the client's own timeout or the server's deadline."""
    seconds = service.limits.deadline
    for header in _TIMEOUT_HEADERS:
        try:
            wanted = float(request.headers.get(header, "nan"))
        except ValueError:
            continue
        if wanted > 0 and math.isfinite(wanted):
            seconds = min(seconds, wanted)
            break
    return Caller(request.scope["state"]["client"], seconds)


def check_lengths(texts: Sequence[str], limits: Limits, param: str) -> None:
    """Refuses texts over the server's limit, naming the first."""
    for i, text in enumerate(texts):
        if len(text) > limits.max_chars:
            message = f"{param} {i} has {len(text):,} characters; this server takes {limits.max_chars:,}"
            raise HttpFailure(400, message, param, "too_long")


async def unless_gone(request: Request, work: Coroutine[Any, Any, T], service: Service) -> T:
    """The result of ``work``, which is cancelled when the client goes away first.

    Raises:
        HttpFailure: 499 when the client has gone; nobody reads it.
    """
    task = asyncio.ensure_future(work)
    gone = asyncio.ensure_future(_gone(request))
    try:
        await asyncio.wait((task, gone), return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            return task.result()
        service.metrics.abandoned()
        raise HttpFailure(499, "the client went away", code="abandoned")
    finally:
        for pending in (task, gone):
            if not pending.done():
                pending.cancel()


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def check_host(host: str, allowed: Set[str]) -> None:
    """Refuses a name that may have been made to point here (DNS rebinding): then a page in a browser could ask.

    Args:
        host: of the request's Host header; localhost, an IP address and a missing one are always right.
        allowed: other names; ``*`` for any.

    Raises:
        HttpFailure: 421, saying how to allow the name.
    """
    name = _PORT.sub("", host.strip().lower()).strip("[]").rstrip(".")
    if not name or name == "localhost" or name.endswith(".localhost") or allowed & {"*", name}:
        return
    try:
        ip_address(name)
    except ValueError:
        message = f"this server has no keys and answers to localhost and IP addresses only, not to {name[:100]!r}; "
        raise HttpFailure(
            421, message + "start it with --allow-host NAME, or with --keys", code="host_not_allowed"
        ) from None


class Guard:
    """ASGI middleware: key, size, pace and id of a request, its metrics, and a last resort for what nobody foresaw."""

    def __init__(self, app: ASGIApp, service: Service) -> None:
        self._app = app
        self._service = service
        self._held = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        scope = _as_get(scope)
        began, status, name, body = time.perf_counter(), 0, _request_id(scope), _Body()

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message = {**message, "headers": [*message.get("headers", ()), (b"x-request-id", name)]}
            await send(message)

        try:
            self._admit(scope)
            await self._app(scope, self._bounded(body, receive), sending)
        except HttpFailure as failure:
            await failure.response()(scope, receive, sending)
        except ClientDisconnect:  # before its body was here; nobody reads an answer
            status = 499
            self._service.metrics.abandoned()
        except asyncio.CancelledError:  # the server stops and waits no longer; its task ends here in any case
            if not status:
                message = "the server has stopped before the answer was there; try again"
                await HttpFailure(503, message, code="stopping", retry_after=1).response()(scope, receive, sending)
        except Exception as wrong:  # noqa: BLE001 - the message may hold a text, so only kind and place are logged
            what, place = type(wrong).__name__, place_of(wrong)
            _log.error("request %s to %s failed: %s at %s", name.decode(), _route(scope), what, place)
            if not status:
                message = "the server failed; its log says where, under the answer's X-Request-Id"
                await HttpFailure(500, message).response()(scope, receive, sending)
        finally:
            self._held -= body.size
            self._service.metrics.answered(_route(scope), status, time.perf_counter() - began)

    def _admit(self, scope: Scope) -> None:
        headers = dict(scope["headers"])
        state = scope.setdefault("state", {})
        state["client"] = scope["client"][0] if scope.get("client") else "local"
        if self._service.keys is not None and scope["path"] not in OPEN_PATHS:
            given = [value for header, value in scope["headers"] if header == b"authorization"]
            kind, _, key = (given[0] if len(given) == 1 else b"").decode("latin-1").partition(" ")
            name = self._service.keys.name_of(key.strip()) if kind.lower() == "bearer" else None
            if name is None:
                raise HttpFailure(401, "send a key of this server: Authorization: Bearer KEY", code="invalid_api_key")
            state["client"] = f"key:{name}"
        elif self._service.keys is None and scope["path"] not in OPEN_PATHS:
            check_host(headers.get(b"host", b"").decode("latin-1"), self._service.behaviour.hosts)
        length = headers.get(b"content-length", b"0")
        if length.isdigit() and int(length) > self._service.limits.max_body:
            raise self._too_large()

    def _bounded(self, body: _Body, receive: Receive) -> Receive:
        limits = self._service.limits
        ends = time.monotonic() + limits.body_seconds

        async def receiving() -> Message:
            if body.complete:
                return await receive()
            try:
                message = await asyncio.wait_for(receive(), max(ends - time.monotonic(), 0.001))
            except TimeoutError:
                raise HttpFailure(408, f"the body did not arrive within {limits.body_seconds:g} s") from None
            more = len(message.get("body", b""))
            body.size += more
            self._held += more
            body.complete = not message.get("more_body", False)
            if body.size > limits.max_body:
                raise self._too_large()
            if self._held > limits.all_bodies and self._held > body.size:  # one alone is bounded by its own limit
                raise HttpFailure(429, "the server holds too many large requests; try again", None, "queue_full", 1)
            return message

        return receiving

    def _too_large(self) -> HttpFailure:
        limit = self._service.limits.max_body
        return HttpFailure(413, f"the body is larger than {limit:,} bytes; send fewer texts at once", code="too_large")


@dataclass(slots=True)
class _Body:
    """How much of a request's body is here, and whether it is all."""

    size: int = 0
    complete: bool = False


def _as_get(scope: Scope) -> Scope:
    """HEAD is GET without its body, which the web server leaves out."""
    return {**scope, "method": "GET"} if scope["method"] == "HEAD" else scope


def _request_id(scope: Scope) -> bytes:
    """The caller's own, where it has one that may stand in a log."""
    given = next((value for name, value in scope["headers"] if name == b"x-request-id"), b"")
    return given if _REQUEST_ID.fullmatch(given) else uuid.uuid4().hex.encode()


def _route(scope: Scope) -> str:
    return getattr(scope.get("route"), "path", "unknown")
