"""One server behind the gateway, and several of them as one."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

import httpx
import orjson

from steelyard.engines.endpoint import AGAIN, retry_after
from steelyard.errors import UsageError
from steelyard.serving.failures import HttpFailure
from steelyard.serving.metrics import Metrics

T = TypeVar("T")
_CONNECT_SECONDS = 5.0
_LONGEST_REST = 30.0


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
        if self.status in (400, 413, 422):
            return HttpFailure(400, f"the upstream refuses this: {self.said}", code="upstream_refused")
        return HttpFailure(502, str(self), code="upstream_failed")


class _Passing(Exception):  # noqa: N818 - never leaves this module
    """A failure that another upstream, or a moment, may mend."""

    def __init__(self, said: str, wait: float | None = None) -> None:
        self.said = said
        self.wait = wait
        super().__init__(said)


@dataclass(frozen=True, slots=True)
class Retries:
    """How often each upstream is asked, and the first wait between rounds, in seconds; it doubles each time."""

    rounds: int = 4
    wait: float = 0.2


@dataclass(slots=True)
class Upstream:
    """One server.

    Attributes:
        base: where its OpenAI API begins, e.g. ``http://gpu1:30000/v1``.
        key: sent as bearer token.
        rests_until: not asked before, unless all rest.
        failures: in a row.
        under_way: requests now.
        memory: what was learnt of its ways, by topic.
    """

    base: httpx.URL
    key: str | None = None
    rests_until: float = 0.0
    failures: int = 0
    under_way: int = 0
    memory: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def read(cls, url: str, key: str | None) -> Upstream:
        """From what was typed: ``http://host:port`` gets ``/v1``, another path stays as it is.

        Raises:
            UsageError: not an http or https URL.
        """
        try:
            parsed = httpx.URL(url)
        except httpx.InvalidURL as wrong:
            raise UsageError(f"--upstream: not a URL: {wrong}") from None
        if parsed.scheme not in ("http", "https") or not parsed.host or parsed.query:
            raise UsageError("--upstream: give a URL such as http://localhost:8000/v1, without a query")
        path = parsed.path.rstrip("/") or "/v1"
        return cls(parsed.copy_with(path=path), key or None)

    @property
    def shown(self) -> str:
        """The URL without user and password."""
        return str(self.base.copy_with(username=None, password=None))

    def url(self, path: str) -> httpx.URL:
        """``path`` under the base; one that begins with ``//`` stands beside ``/v1``."""
        stem = self.base.path
        if path.startswith("//"):
            stem, path = stem.removesuffix("/v1"), path[1:]
        return self.base.copy_with(path=f"{stem}{path}")

    def failed(self, wait: float | None) -> None:
        """Rests for ``wait`` seconds, or longer each time."""
        self.failures += 1
        rest = min(0.5 * 2 ** (self.failures - 1), _LONGEST_REST) if wait is None else wait
        self.rests_until = time.monotonic() + rest

    def worked(self) -> None:
        """Is asked again as any other."""
        self.failures = 0
        self.rests_until = 0.0


Ask = Callable[["Upstream"], Awaitable[T]]
"""One question that any upstream may answer."""


class Upstreams:
    """Several servers as one: the least busy is asked first, the others when it fails.

    Args:
        members: at least one.
        metrics: told of every call.
        retries: how long to keep trying.
        places: requests of clients at once; more are answered with 429.
    """

    def __init__(
        self, members: Sequence[Upstream], metrics: Metrics, retries: Retries | None = None, places: int = 1024
    ) -> None:
        self.members = tuple(members)
        self._metrics = metrics
        self._retries = retries or Retries()
        self._places = places
        self.inside = 0
        self._client: httpx.AsyncClient | None = None

    @contextmanager
    def place(self) -> Iterator[None]:
        """Holds one of the places while a client's request is served.

        Raises:
            HttpFailure: 429, all are taken.
        """
        if self.inside >= self._places:
            message = f"{self.inside} requests are under way already; try again in 1 s"
            raise HttpFailure(429, message, None, "queue_full", 1)
        self.inside += 1
        try:
            yield
        finally:
            self.inside -= 1

    async def close(self) -> None:
        """Closes the connections; the next call opens new ones."""
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    async def ask(self, one: Ask[T]) -> T:
        """The first good answer of any member.

        Raises:
            Refusal: the request itself was refused.
            HttpFailure: 502, when nobody answered after all attempts.
        """
        said: dict[str, str] = {}
        for attempt in range(self._retries.rounds):
            for upstream in self._by_ease():
                try:
                    return await self._once(upstream, one)
                except _Passing as passing:
                    upstream.failed(passing.wait)
                    said[upstream.shown] = passing.said
            if attempt + 1 < self._retries.rounds:
                await asyncio.sleep(self._pause(attempt))
        reasons = "; ".join(f"{shown}: {reason}" for shown, reason in said.items())
        raise HttpFailure(502, f"no upstream answered ({reasons})", code="upstream_failed", retry_after=5)

    async def alive(self) -> bool:
        """Whether any member answers anything at all."""
        return any(await asyncio.gather(*(self._answers(u) for u in self.members)))

    async def get(self, upstream: Upstream, path: str) -> Any:
        """The JSON at ``path`` of one member; None when there is none."""
        try:
            answer = await self._http().get(upstream.url(path), headers=_headers(upstream), timeout=_CONNECT_SECONDS)
            return orjson.loads(answer.content) if answer.is_success else None
        except (httpx.TransportError, orjson.JSONDecodeError):
            return None

    async def post(self, upstream: Upstream, path: str, body: Mapping[str, Any]) -> Any:
        """The answer of one member.

        Raises:
            Refusal: a status that stays.
        """
        try:
            answer = await self._http().post(upstream.url(path), content=orjson.dumps(body), headers=_headers(upstream))
        except httpx.TransportError as wrong:
            self._metrics.called(upstream.shown, "failed")
            raise _Passing(f"no answer ({type(wrong).__name__})") from None
        if answer.status_code in AGAIN:
            self._metrics.called(upstream.shown, "failed")
            raise _Passing(f"status {answer.status_code}", retry_after(answer.headers.get("Retry-After", "")))
        if not answer.is_success:
            self._metrics.called(upstream.shown, "refused")
            raise Refusal(answer.status_code, _said(answer), upstream.shown)
        self._metrics.called(upstream.shown, "ok")
        try:
            return orjson.loads(answer.content)
        except orjson.JSONDecodeError:
            raise Refusal(answer.status_code, "no JSON", upstream.shown) from None

    async def _once(self, upstream: Upstream, one: Ask[T]) -> T:
        upstream.under_way += 1
        try:
            answer = await one(upstream)
        finally:
            upstream.under_way -= 1
        upstream.worked()
        return answer

    def _by_ease(self) -> list[Upstream]:
        now = time.monotonic()
        awake = [u for u in self.members if u.rests_until <= now] or list(self.members)
        return sorted(awake, key=lambda u: u.under_way)

    def _pause(self, attempt: int) -> float:
        soonest = min(u.rests_until for u in self.members) - time.monotonic()
        return max(self._retries.wait * 2.0**attempt, min(soonest, _LONGEST_REST))

    async def _answers(self, upstream: Upstream) -> bool:
        try:
            await self._http().get(upstream.url("/models"), headers=_headers(upstream), timeout=_CONNECT_SECONDS)
        except httpx.TransportError:
            return False
        return True

    def _http(self) -> httpx.AsyncClient:
        if self._client is None:
            limits = httpx.Limits(max_connections=256, max_keepalive_connections=64)
            timeout = httpx.Timeout(None, connect=_CONNECT_SECONDS)  # the caller's deadline bounds the rest
            self._client = httpx.AsyncClient(timeout=timeout, limits=limits)
        return self._client


def _headers(upstream: Upstream) -> dict[str, str]:
    headers = {"Content-Type": "application/json"}
    if upstream.key:
        headers["Authorization"] = f"Bearer {upstream.key}"
    return headers


def _said(answer: httpx.Response) -> str:
    """The message of an error body, whichever way it is nested."""
    try:
        body = orjson.loads(answer.content)
    except orjson.JSONDecodeError:
        return answer.text[:300]
    for step in ("error", "message", "detail"):
        if isinstance(body, dict) and step in body:
            body = body[step]
    return str(body)[:600]
