"""One HTTP endpoint: retries with back-off, rate limits honoured, failures told with URL, status and mend.

Nothing here knows what the endpoint computes.
"""

from __future__ import annotations

import json
import logging
import math
import threading
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
import orjson
import stamina

from steelyard.engines.lazy import Lazy
from steelyard.engines.remote.retry import RetryPolicy
from steelyard.errors import EndpointError, UsageError

NO_PROXY = {f"all://{host}": None for host in ("127.0.0.1", "localhost", "[::1]")}
"""For ``mounts`` of an HTTP client: what is on this machine is never asked through a proxy of the environment."""
AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Statuses after which the same request may succeed."""
_EXCERPT = 300
_MENDS = {
    401: "Set STEELYARD_API_KEY (or OPENAI_API_KEY) to a key that this server takes.",
    403: "The key may not use this model; set STEELYARD_API_KEY to one that may.",
    404: "Check that the URL ends where the API begins, usually in /v1, and that the model's name is the served one.",
    405: "Check that the URL ends where the API begins, usually in /v1.",
    413: "Ask for smaller batches.",
    429: "Lower the concurrency or wait for the limit to pass.",
}


class _AgainError(EndpointError):
    """A failure that may pass."""


class Endpoint:
    """Posts JSON to one URL and reads JSON back; safe to use from several threads.

    Args:
        url: where to post; a user and password in it are used and never shown.
        key: bearer token; None sends none. It is never shown.
        timeout: seconds for one answer.
        connections: open at once at the most.
        retry: how long to keep trying.

    Raises:
        UsageError: not an http or https URL, or a key that no header can hold.
    """

    def __init__(self, url: str, key: str | None, timeout: float, connections: int, retry: RetryPolicy) -> None:
        given, key = _parse(url), checked_key(key)
        self.shown = str(given.copy_with(username=None, password=None))
        """The URL as it may be shown: without user and password."""
        self._secrets = tuple(s for s in (key, given.password) if s)
        self._retry = retry
        self._stopping = threading.Event()
        self._held_until = 0.0
        headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {key}"} if key else {})
        limits = httpx.Limits(max_connections=connections, max_keepalive_connections=connections)
        login = (given.username, given.password) if given.username else None
        self._client = Lazy(
            lambda: httpx.Client(headers=headers, auth=login, timeout=timeout, limits=limits, mounts=NO_PROXY)
        )
        quiet = logging.getLogger("stamina")
        if not quiet.handlers:  # without a handler Python would write every retry to stderr
            quiet.addHandler(logging.NullHandler())

    def post(self, body: Mapping[str, Any]) -> Any:
        """The answer to ``body``, as parsed JSON.

        Raises:
            EndpointError: no good answer came; carries the status where there was one.
        """
        content = orjson.dumps(body)
        started = time.monotonic()
        tried = 0

        def may_pass(error: Exception) -> bool | float:
            if not isinstance(error, _AgainError) or self._stopping.is_set():
                return False
            return 0.0 if self._held_until > time.monotonic() else True

        policy = self._retry
        attempts = stamina.retry_context(
            on=may_pass,
            attempts=policy.attempts,
            timeout=policy.patience,
            wait_initial=policy.wait_initial,
            wait_max=policy.wait_max,
            wait_jitter=policy.wait_jitter,
        )
        try:
            for attempt in attempts:
                with attempt:
                    tried += 1
                    self._wait_while_held()
                    return self._post_once(content, started)
        except _AgainError as error:
            raise EndpointError(f"{error} (tried {tried} times)", error.status) from error.__cause__
        raise AssertionError("a retry context ends by returning or raising")

    def stop(self) -> None:
        """Makes requests under way in other threads give up at their next wait, for good."""
        self._stopping.set()

    def go(self) -> None:
        """Takes :meth:`stop` back."""
        self._stopping.clear()

    def close(self) -> None:
        """Closes the connections; the next request opens new ones."""
        client = self._client.drop()
        if client is not None:
            client.close()

    def fail(self, what: str, status: int | None = None, mend: str = "") -> EndpointError:
        """An error about this endpoint, without secrets in it."""
        return EndpointError(self._message(what, mend), status)

    def _post_once(self, content: bytes, started: float) -> Any:
        try:
            answer = self._client.get().post(self.shown, content=content)
        except httpx.TransportError as error:
            what = f"no answer: {type(error).__name__}: {error}"
            raise _AgainError(self._message(what, "Is the server up and the URL right?")) from error
        if answer.is_success:
            return self._read(answer)
        what = f"answered {answer.status_code}: {self._excerpt(answer)}"
        mend = _MENDS.get(answer.status_code, "")
        if answer.status_code not in AGAIN:
            raise self.fail(what, answer.status_code, mend)
        self._hold(answer, started, what)
        raise _AgainError(self._message(what, mend), answer.status_code)

    def _hold(self, answer: httpx.Response, started: float, what: str) -> None:
        """Keeps every thread from asking before the time that Retry-After names."""
        wait = retry_after(answer.headers.get("Retry-After", ""))
        if wait is None:
            return
        left = self._retry.patience - (time.monotonic() - started)
        if wait > left:
            mend = f"It asks to wait {wait:.0f} s, more than the {max(left, 0):.0f} s of patience left; try later."
            raise self.fail(what, answer.status_code, mend)
        self._held_until = max(self._held_until, time.monotonic() + wait)

    def _wait_while_held(self) -> None:
        while (wait := self._held_until - time.monotonic()) > 0:
            if self._stopping.wait(wait):
                raise self.fail("stopped before it was asked again")

    def _read(self, answer: httpx.Response) -> Any:
        try:
            return orjson.loads(answer.content)
        except orjson.JSONDecodeError:
            pass
        try:
            return json.loads(answer.content)  # takes NaN and Infinity, which orjson refuses
        except ValueError:
            what = f"answered {answer.status_code} with what is not JSON: {self._excerpt(answer)}"
            raise self.fail(what, answer.status_code, _MENDS[404]) from None

    def _excerpt(self, answer: httpx.Response) -> str:
        return " ".join(answer.text[: 4 * _EXCERPT].split())[:_EXCERPT] or "(nothing)"

    def _message(self, what: str, mend: str) -> str:
        text = f"{self.shown}: {what}{'' if not mend else f'. {mend}'}"
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return text


def retry_after(value: str) -> float | None:
    """Seconds that a Retry-After header asks to wait, from its seconds or its date; None where it says neither."""
    try:
        seconds = float(value)
    except ValueError:
        try:
            when = parsedate_to_datetime(value)
        except ValueError:
            return None
        if when.tzinfo is None:
            when = when.replace(tzinfo=UTC)
        seconds = (when - datetime.now(UTC)).total_seconds()
    return max(seconds, 0.0) if math.isfinite(seconds) else None


def checked_key(key: str | None) -> str | None:
    """A key as it can be sent, without the ends of lines that files and environments leave on it; None for none.

    Raises:
        UsageError: it holds what no HTTP header may; the key is not shown.
    """
    key = (key or "").strip()
    if not all(" " < c <= "~" for c in key):
        raise UsageError("the API key holds a space, a control character or a letter outside ASCII; copy it again")
    return key or None


def _parse(url: str) -> httpx.URL:
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL as error:
        raise UsageError(f"not a URL: {error}") from None
    if parsed.scheme not in ("http", "https") or not parsed.host or parsed.query or parsed.fragment:
        shown = parsed.copy_with(username=None, password=None, query=None)
        raise UsageError(f"a URL such as http://localhost:30000/v1, without a query, is needed, not {str(shown)!r}")
    return parsed
