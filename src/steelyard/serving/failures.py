"""Failures as an HTTP client sees them: OpenAI's error body, and a status for each kind."""

from __future__ import annotations

import orjson
from starlette.exceptions import HTTPException
from starlette.responses import Response

from steelyard.errors import EndpointError, MissingExtraError, RecipeError, SteelyardError, TextError, UsageError

_TYPES = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}


class HttpFailure(HTTPException):
    """A deliberate answer other than 200.

    Args:
        status: the HTTP status.
        message: what is wrong and how to mend it; goes to the client, never to the log.
        param: the field of the request that is at fault.
        code: a word for programs.
        retry_after: seconds after which trying again makes sense.
    """

    def __init__(
        self,
        status: int,
        message: str,
        param: str | None = None,
        code: str | None = None,
        retry_after: int | None = None,
    ) -> None:
        super().__init__(status, message)
        self.status = status
        self.message = message
        self.param = param
        self.code = code
        self.retry_after = retry_after

    def response(self) -> Response:
        """The HTTP answer: OpenAI's error object, and ``Retry-After`` where the client should wait."""
        kind = _TYPES.get(self.status, "invalid_request_error" if self.status < 500 else "server_error")
        error = {"message": self.message, "type": kind, "param": self.param, "code": self.code}
        headers = {"Retry-After": str(self.retry_after)} if self.retry_after is not None else {}
        if self.status == 408:
            headers["Connection"] = "close"  # the rest of the body may come for ever
        if self.status == 401:
            headers["WWW-Authenticate"] = "Bearer"
        return Response(orjson.dumps({"error": error}), self.status, headers, "application/json")


def failure_of(wrong: BaseException, place: str = "") -> HttpFailure:
    """What a client is told of an exception; an unforeseen one is not shown.

    Args:
        wrong: what was raised.
        place: where, e.g. ``input 3``.
    """
    prefix = f"{place}: " if place else ""
    if isinstance(wrong, HttpFailure):
        return wrong
    if isinstance(wrong, TextError | RecipeError | UsageError):
        return HttpFailure(400, f"{prefix}{wrong}", param="input" if place else None, code="refused")
    if isinstance(wrong, EndpointError):
        return HttpFailure(502, f"{prefix}{wrong}", code="upstream_failed")
    if isinstance(wrong, MissingExtraError):
        return HttpFailure(500, f"{prefix}{wrong}", code="missing_package")
    if isinstance(wrong, SteelyardError):
        return HttpFailure(500, f"{prefix}{wrong}", code="engine_failed")
    return HttpFailure(500, f"{prefix}the engine failed ({type(wrong).__name__})", code="engine_failed")


def place_of(wrong: BaseException) -> str:
    """``file:line`` where it was raised, for the log, which must not hold its message: that may hold a text."""
    frame = wrong.__traceback__
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    return f"{frame.tb_frame.f_code.co_filename}:{frame.tb_lineno}" if frame is not None else "unknown place"


class ItemFailure(Exception):  # noqa: N818 - carries the failure of one text
    """One text of a request failed.

    Args:
        index: which of those given to the model.
        cause: why.
    """

    def __init__(self, index: int, cause: BaseException) -> None:
        self.index = index
        self.cause = cause
        super().__init__(f"input {index}")
