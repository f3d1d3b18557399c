"""One HTTP endpoint: retries with back-off, rate limits honoured, failures told with URL, status and fix.

Nothing here knows what the endpoint computes.
"""

from __future__ import annotations

import json
import logging
import math
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
import orjson
import stamina

from steelyard.engines.lazy import Lazy
from steelyard.engines.remote.retry import RetryPolicy
from steelyard.errors import EndpointError, UsageError
from steelyard.wire.answer import AnswerError
from steelyard.wire.http import IDENTITY, NO_PROXY, kept_headers, read_bounded
from steelyard.wire.rerank import path_under

AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Statuses after which the same request may succeed."""
LEAST_BYTES = 1 << 20
BYTES_A_TEXT = 1 << 19
"""Of an answer at the most: 8,192 decimal numbers, or a document that a reranker repeats, with room to spare."""
_EXCERPT = 300
_FIXES = {
    401: "Set STEELYARD_API_KEY (or OPENAI_API_KEY) to a key that this server takes.",
    403: "The key may not use this model; set STEELYARD_API_KEY to one that may.",
    404: "Check that the URL ends where the API begins, usually in /v1, and that the model's name is the served one.",
    405: "Check that the URL ends where the API begins, usually in /v1.",
    413: "Ask for smaller batches.",
    429: "Lower the concurrency or wait for the limit to pass.",
}


class _AgainError(EndpointError):
    """A failure that may pass."""


@dataclass(frozen=True, slots=True)
class _Asked:
    """One request."""

    method: str
    url: str
    content: bytes | None = None


@dataclass(frozen=True, slots=True)
class EndpointLimits:
    """What an endpoint may take of time and memory.

    Attributes:
        timeout: seconds for one answer, to its last byte.
        connections: open at once at the most.
        largest: bytes of an answer, decoded.
        retry: how long to keep trying.
    """

    timeout: float = 120.0
    connections: int = 8
    largest: int = LEAST_BYTES + 64 * BYTES_A_TEXT
    retry: RetryPolicy = field(default_factory=RetryPolicy)


class Endpoint:
    """Posts JSON to a URL, or to paths under it, and reads JSON back; safe to use from several threads.

    Args:
        url: where to post; a user and password in it are used and never shown.
        key: bearer token; None sends none. It is never shown.
        limits: of time and memory.

    Raises:
        UsageError: not an http or https URL, or a key that no header can hold.
    """

    def __init__(self, url: str, key: str | None, limits: EndpointLimits | None = None) -> None:
        given, key = _parse(url), checked_key(key)
        self._limits = limits = limits or EndpointLimits()
        self._base = given.copy_with(username=None, password=None)
        self.shown = str(self._base)
        """The URL as it may be shown: without user and password."""
        self._secrets = tuple(s for s in (key, given.password) if s)
        self._stopping = threading.Event()
        self._held_until = 0.0
        headers = {"Content-Type": "application/json", **IDENTITY} | ({"Authorization": f"Bearer {key}"} if key else {})
        pool = httpx.Limits(max_connections=limits.connections, max_keepalive_connections=limits.connections)
        login = (given.username, given.password) if given.username else None
        self._client = Lazy(
            lambda: httpx.Client(headers=headers, auth=login, timeout=limits.timeout, limits=pool, mounts=NO_PROXY)
        )
        quiet = logging.getLogger("stamina")
        if not quiet.handlers:  # without a handler Python would write every retry to stderr
            quiet.addHandler(logging.NullHandler())

    def post(self, body: Mapping[str, Any], path: str = "") -> Any:
        """The answer to ``body``, as parsed JSON.

        Args:
            body: what is asked.
            path: under the URL; one that begins with ``//`` stands beside its ``/v1``.

        Raises:
            EndpointError: no good answer came; carries the status where there was one.
        """
        return self._persistent(_Asked("POST", self._url(path), orjson.dumps(body)))

    def get(self, path: str = "") -> Any:
        """What is at ``path``, as parsed JSON.

        Raises:
            EndpointError: no good answer came; carries the status where there was one.
        """
        return self._persistent(_Asked("GET", self._url(path)))

    def _persistent(self, asked: _Asked) -> Any:
        started = time.monotonic()
        tried = 0

        def may_pass(error: Exception) -> bool | float:
            if not isinstance(error, _AgainError) or self._stopping.is_set():
                return False
            return 0.0 if self._held_until > time.monotonic() else True

        policy = self._limits.retry
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
                    return self._once(asked, started)
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

    def wrong(self, error: AnswerError, path: str = "", text: str = "") -> EndpointError:
        """An answer that cannot be right, as an error about this endpoint, without secrets in it.

        Args:
            error: what is wrong.
            path: what was asked.
            text: the text it is about; only its beginning is shown.
        """
        about = f" for the text {text[:60]!r}" if text else ""
        return EndpointError(self._message(self._url(path), f"{error.what}{about}", error.fix))

    def _url(self, path: str) -> str:
        return str(self._base.copy_with(path=path_under(self._base.path.rstrip("/"), path))) if path else self.shown

    def _once(self, asked: _Asked, started: float) -> Any:
        url = asked.url
        try:
            answer = self._sent(asked)
        except AnswerError as wrong:
            raise EndpointError(self._message(url, wrong.what, wrong.fix)) from None
        except (httpx.TransportError, httpx.InvalidURL, UnicodeError) as error:  # the last two: a bad Location
            what = f"no answer: {type(error).__name__}: {error}"
            raise _AgainError(self._message(url, what, "Is the server up and the URL right?")) from error
        if answer.is_success:
            return self._read(url, answer)
        what = f"answered {answer.status_code}: {self._excerpt(answer)}"
        fix = _FIXES.get(answer.status_code, "")
        if answer.status_code not in AGAIN:
            raise EndpointError(self._message(url, what, fix), answer.status_code)
        self._hold(answer, started, self._message(url, what, ""))
        raise _AgainError(self._message(url, what, fix), answer.status_code)

    def _sent(self, asked: _Asked) -> httpx.Response:
        """An answer with its content, as far as that is neither too large nor too slow."""
        client = self._client.get()
        ends = time.monotonic() + self._limits.timeout
        answer = client.send(client.build_request(asked.method, asked.url, content=asked.content), stream=True)
        try:
            coding = answer.headers.get("Content-Encoding", "")
            content = read_bounded(_in_time(answer.iter_raw(), ends), coding, self._limits.largest)
        finally:
            answer.close()
        headers = kept_headers(answer.headers.raw, b"retry-after", b"content-type")
        return httpx.Response(answer.status_code, headers=headers, content=content)

    def _hold(self, answer: httpx.Response, started: float, what: str) -> None:
        """Keeps every thread from asking before the time that Retry-After names."""
        wait = retry_after(answer.headers.get("Retry-After", ""))
        if wait is None:
            return
        left = self._limits.retry.patience - (time.monotonic() - started)
        if wait > left:
            fix = f"It asks to wait {wait:.0f} s, more than the {max(left, 0):.0f} s of patience left; try later."
            raise EndpointError(f"{what}. {fix}", answer.status_code)
        self._held_until = max(self._held_until, time.monotonic() + wait)

    def _wait_while_held(self) -> None:
        while (wait := self._held_until - time.monotonic()) > 0:
            if self._stopping.wait(wait):
                raise EndpointError(self._message(self.shown, "stopped before it was asked again", ""))

    def _read(self, url: str, answer: httpx.Response) -> Any:
        try:
            return orjson.loads(answer.content)
        except orjson.JSONDecodeError:
            pass
        try:
            return json.loads(answer.content)  # takes NaN and Infinity, which orjson refuses
        except (ValueError, RecursionError):
            what = f"answered {answer.status_code} with what is not JSON: {self._excerpt(answer)}"
            raise EndpointError(self._message(url, what, _FIXES[404]), answer.status_code) from None

    def _excerpt(self, answer: httpx.Response) -> str:
        text = "".join(c if c.isprintable() else " " for c in answer.text[: 4 * _EXCERPT])
        return " ".join(text.split())[:_EXCERPT] or "(nothing)"

    def _message(self, url: str, what: str, fix: str) -> str:
        text = f"{url}: {what}{'' if not fix else f'. {fix}'}"
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return text


def _in_time(pieces: Iterator[bytes], ends: float) -> Iterator[bytes]:
    """The pieces of an answer until ``ends``; the client's own timeout bounds each piece alone."""
    for piece in pieces:
        if time.monotonic() > ends:
            raise httpx.ReadTimeout("the answer goes on and on")
        yield piece


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
