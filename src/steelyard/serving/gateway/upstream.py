"""One server behind the gateway: how it stands, and how it is called."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx
import orjson

from steelyard.engines.remote.endpoint import AGAIN, checked_key, retry_after
from steelyard.errors import EndpointError, UsageError
from steelyard.serving.failures import HttpFailure
from steelyard.serving.metrics import Metrics
from steelyard.wire.answer import AnswerError
from steelyard.wire.http import IDENTITY, NO_PROXY, kept_headers, read_bounded_async
from steelyard.wire.rerank import path_under

ABOUT_TEXTS = frozenset({400, 413, 422})
"""Statuses that speak of the request; every other refusal speaks of the server, and another one may take it."""
_CONNECT_SECONDS = 5.0
_LONGEST_REST = 30.0
_LONGEST_HOLD = 300.0
_DOUBLINGS = 8
_LIST_SECONDS = 10.0


class Refusal(Exception):  # noqa: N818 - an answer, not a fault
    """An upstream answered that it will not do this; another attempt gets the same answer.

    Args:
        status: its HTTP status.
        said: its own words.
        shown: the upstream's URL without secrets.
    """

    def __init__(self, status: int, said: str, shown: str) -> None:
        self.status = status
        self.said = said
        self.shown = shown
        super().__init__(f"{shown} answered {status}: {said}")

    def failure(self) -> HttpFailure:
        """What the caller is told: 400 where the request is at fault, 502 where the setting up is."""
        if self.status in ABOUT_TEXTS:
            return HttpFailure(400, f"the upstream refuses this: {self.said}", code="upstream_refused")
        return HttpFailure(502, str(self), code="upstream_failed")


class Passing(Exception):  # noqa: N818 - never leaves the gateway
    """A failure that another upstream, or a moment, may mend."""

    def __init__(self, said: str, wait: float | None = None, busy: bool = False) -> None:
        self.said = said
        self.wait = wait
        self.busy = busy
        super().__init__(said)


@dataclass(slots=True, eq=False)
class Upstream:
    """One server.

    Attributes:
        base: where its OpenAI API begins, e.g. ``http://gpu1:30000/v1``.
        key: sent as bearer token.
        held_until: not asked before, because it said so itself.
        rests_until: not asked before, unless all rest; then by one request at a time until one succeeds.
        failures: rests in a row.
        under_way: requests now.
        memory: what was learnt of its ways, by topic.
    """

    base: httpx.URL
    key: str | None = None
    held_until: float = 0.0
    rests_until: float = 0.0
    failures: int = 0
    under_way: int = 0
    memory: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def read(cls, url: str, key: str | None) -> Upstream:
        """From what was typed: ``http://host:port`` gets ``/v1``, another path stays as it is.

        Raises:
            UsageError: not an http or https URL, or a key that no header can hold.
        """
        try:
            parsed = httpx.URL(url)
        except httpx.InvalidURL as wrong:
            raise UsageError(f"--upstream: not a URL: {wrong}") from None
        if parsed.scheme not in ("http", "https") or not parsed.host or parsed.query:
            raise UsageError("--upstream: give a URL such as http://localhost:8000/v1, without a query")
        path = parsed.path.rstrip("/") or "/v1"
        return cls(parsed.copy_with(path=path), checked_key(key))

    @property
    def shown(self) -> str:
        """The URL without user and password."""
        return str(self.base.copy_with(username=None, password=None))

    def url(self, path: str) -> httpx.URL:
        """``path`` under the base; one that begins with ``//`` stands beside ``/v1``."""
        return self.base.copy_with(path=path_under(self.base.path, path))

    def hidden(self, text: str) -> str:
        """``text`` without this upstream's key and password; servers repeat what they were sent."""
        for secret in filter(None, (self.key, self.base.password)):
            text = text.replace(secret, "***")
        return text

    def wrong(self, error: AnswerError) -> EndpointError:
        """An answer that cannot be right, as an error about this upstream."""
        return EndpointError(self.hidden(f"{self.shown} {error}"))

    def failed(self, wait: float | None = None) -> None:
        """Rests, longer each time; or is held for the ``wait`` seconds that it asked for itself.

        Requests that fail side by side are one failure.
        """
        now = time.monotonic()
        if wait is not None:
            self.held_until = max(self.held_until, now + min(wait, _LONGEST_HOLD))
        if now >= self.rests_until:
            self.failures += 1
        rest = min(0.5 * 2 ** min(self.failures - 1, _DOUBLINGS), _LONGEST_REST) if wait is None else wait
        self.rests_until = max(self.rests_until, now + min(rest, _LONGEST_HOLD))

    def worked(self) -> None:
        """Is asked again as any other."""
        self.failures = 0
        self.rests_until = self.held_until


class UpstreamClient:
    """Calls servers over HTTP.

    Args:
        metrics: told of every call.
        largest: bytes of an answer at the most.
    """

    def __init__(self, metrics: Metrics, largest: int = 64 << 20) -> None:
        self._metrics = metrics
        self._largest = largest
        self._client: httpx.AsyncClient | None = None

    async def close(self) -> None:
        """Closes the connections; the next call opens new ones."""
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    async def listed(self, upstream: Upstream) -> Any:
        """What ``/models`` of one member says, at most ten seconds old; None when it says nothing."""
        at, answer = upstream.memory.get("list", (-math.inf, None))
        if time.monotonic() - at > _LIST_SECONDS:
            answer = await self.get(upstream, "/models")
            upstream.memory["list"] = (time.monotonic(), answer)
        return answer

    async def get(self, upstream: Upstream, path: str) -> Any:
        """The JSON at ``path`` of one member; None when there is none."""
        try:
            request = self._http().build_request(
                "GET", upstream.url(path), headers=_headers(upstream), timeout=_CONNECT_SECONDS
            )
            answer = await self._send(upstream, request)
            return orjson.loads(answer.content) if answer.is_success else None
        except (httpx.RequestError, orjson.JSONDecodeError, EndpointError):
            return None

    async def post(self, upstream: Upstream, path: str, body: Mapping[str, Any]) -> Any:
        """The answer of one member.

        Raises:
            Refusal: a status that stays.
            EndpointError: what came is no JSON, or too large.
        """
        content = orjson.dumps(body)
        request = self._http().build_request("POST", upstream.url(path), content=content, headers=_headers(upstream))
        try:
            answer = await self._send(upstream, request)
        except (httpx.RequestError, httpx.InvalidURL, UnicodeError) as wrong:  # the last two: a bad Location
            self.count(upstream, "failed")
            why = upstream.hidden(f"{type(wrong).__name__} {wrong}"[:200].strip())
            raise Passing(f"no answer ({why})") from None
        if answer.status_code in AGAIN:
            self.count(upstream, "failed")
            wait = retry_after(answer.headers.get("Retry-After", ""))
            raise Passing(f"status {answer.status_code}", wait, answer.status_code == 429)
        if not answer.is_success:
            self.count(upstream, "refused")
            raise Refusal(answer.status_code, upstream.hidden(_said(answer)), upstream.shown)
        self.count(upstream, "ok")
        return _read(answer, upstream)

    async def _send(self, upstream: Upstream, request: httpx.Request) -> httpx.Response:
        """An answer with its content, as far as that is not too large."""
        answer = await self._http().send(request, stream=True)
        try:
            coding = answer.headers.get("Content-Encoding", "")
            content = await read_bounded_async(answer.aiter_raw(), coding, self._largest)
        except AnswerError as wrong:
            raise upstream.wrong(wrong) from None
        finally:
            await answer.aclose()
        headers = kept_headers(answer.headers.raw, b"retry-after", b"location", b"content-type")
        return httpx.Response(answer.status_code, headers=headers, content=content)

    def count(self, upstream: Upstream, result: str) -> None:
        """Tells the metrics of a call: ``ok``, ``refused`` or ``failed``."""
        self._metrics.called(upstream.shown, result)

    async def status(self, upstream: Upstream) -> int | None:
        """With what ``/models`` of a server is answered; None when it is not."""
        try:
            url, headers = upstream.url("/models"), _headers(upstream)
            async with self._http().stream("GET", url, headers=headers, timeout=_CONNECT_SECONDS) as answer:
                return answer.status_code
        except httpx.PoolTimeout:
            return 429  # so much is under way that it could not be asked
        except httpx.RequestError:
            return None

    def _http(self) -> httpx.AsyncClient:
        if self._client is None:
            limits = httpx.Limits(max_connections=256, max_keepalive_connections=64)
            timeout = httpx.Timeout(None, connect=_CONNECT_SECONDS)  # the caller's deadline bounds the rest
            self._client = httpx.AsyncClient(timeout=timeout, limits=limits, mounts=NO_PROXY)
        return self._client


def _headers(upstream: Upstream) -> dict[str, str]:
    headers = {"Content-Type": "application/json", **IDENTITY}
    if upstream.key:
        headers["Authorization"] = f"Bearer {upstream.key}"
    return headers


def _read(answer: httpx.Response, upstream: Upstream) -> Any:
    """The JSON of an answer, NaN and infinities included: who reads the numbers says better what they mean."""
    try:
        return orjson.loads(answer.content)
    except orjson.JSONDecodeError:
        pass
    try:
        return json.loads(answer.content)
    except (ValueError, RecursionError):
        start = upstream.hidden(" ".join(answer.text[:400].split())[:120])
        raise EndpointError(f"{upstream.shown} answered with what is no JSON: {start!r}") from None


def _said(answer: httpx.Response) -> str:
    """The message of an error body, whichever way it is nested; where a redirect leads."""
    if answer.has_redirect_location:
        return f"it lives at {answer.headers['Location'][:300]}; give that address as --upstream"
    try:
        body = orjson.loads(answer.content)
    except orjson.JSONDecodeError:
        return " ".join(answer.text[:600].split())[:300]
    for step in ("error", "message", "detail"):
        if isinstance(body, dict) and step in body:
            body = body[step]
    return str(body)[:600]
