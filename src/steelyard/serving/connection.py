"""A connection outside its requests, where uvicorn sets no bounds: how large and how slow a head may be.

What is no HTTP gets the same error body as every other failure, and is counted in the log instead of filling it.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from typing import ClassVar

import httptools
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from steelyard.serving.failures import HttpFailure

_log = logging.getLogger("steelyard.serving")
_UPGRADES = frozenset({b"connection", b"upgrade", b"http2-settings"})


class _TooLargeError(Exception):
    """A head that is larger than is taken."""


class RareLog:
    """Says at once that something happened, and then at most once in ``seconds`` how often it did.

    Args:
        seconds: between two lines.
    """

    def __init__(self, seconds: float = 60.0) -> None:
        self._seconds = seconds
        self._again = float("-inf")
        self._count = 0

    def count(self, now: float) -> None:
        """Counts one more, at ``now`` of a clock that only goes forward."""
        self._count += 1
        if now >= self._again:
            _log.warning("refused %d connections whose bytes are not a request of HTTP/1.1", self._count)
            self._again, self._count = now + self._seconds, 0


class BoundedHttp(HttpToolsProtocol):
    """HTTP/1 with bounds on what comes before a request is there; bodies are bounded by the application.

    A client that never finishes the head of a request, or that goes on sending after its answer, is disconnected. An
    offer to change the protocol (Java's client offers ``h2c`` with each first request) is not taken, and the request is
    answered as it is.

    Attributes:
        head_bytes: bytes of a request's first line and headers.
        head_seconds: seconds without a request under way, from one answer to the next head in whole.
        refusals: told of every connection that sends something else.
    """

    head_bytes: ClassVar[int] = 64 << 10
    head_seconds: ClassVar[float] = (
        75.0  # longer than the pools of common clients, which else write into a closed socket
    )
    refusals: ClassVar[RareLog] = RareLog()

    _due: asyncio.TimerHandle | None = None
    _in_head = False
    _head = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Starts to wait for the first request."""
        super().connection_made(transport)
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Waits no more."""
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Reads what came; refuses a head that is too large, and what is no HTTP."""
        self._unset_keepalive_if_required()
        try:
            self._feed(data)
        except httptools.HttpParserError as wrong:
            large = isinstance(wrong.__context__, _TooLargeError)
            self._refuse(431 if large else 400)
            return
        if self._in_head:
            self._head += len(data)
            if self._head > self.head_bytes and not self.transport.is_closing():
                self._refuse(431)

    def on_message_begin(self) -> None:
        """A head begins."""
        self._in_head, self._head = True, 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """A request is there; one that offers another protocol is read again without the offer."""
        self._in_head = False
        self._stop_waiting()
        if sum(len(name) + len(value) + 4 for name, value in self.headers) + len(self.url) > self.head_bytes:
            raise _TooLargeError
        if not self._offers_upgrade():
            super().on_headers_complete()

    def on_message_complete(self) -> None:
        """A request is there in whole."""
        if not self._offers_upgrade():
            super().on_message_complete()

    def on_response_complete(self) -> None:
        """Waits for the next one, unless it came already."""
        super().on_response_complete()
        if self.cycle.response_complete:
            self._wait()

    def _feed(self, data: bytes) -> None:
        """Parses. The parser stops behind a head that offers an upgrade and takes its body for another protocol's."""
        while data:
            try:
                self.parser.feed_data(data)
                return
            except httptools.HttpParserUpgrade as offer:
                data = self._head_without_offer() + data[offer.args[0] :]
                self.parser = httptools.HttpRequestParser(self)
                self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn does

    def _offers_upgrade(self) -> bool:
        return bool(self.parser.should_upgrade()) and self.parser.get_method() != b"CONNECT"

    def _head_without_offer(self) -> bytes:
        kept = [name + b": " + value + b"\r\n" for name, value in self.headers if name not in _UPGRADES]
        if any(name == b"connection" and b"close" in value.lower() for name, value in self.headers):
            kept.append(b"connection: close\r\n")
        return b"%b %b HTTP/1.1\r\n%b\r\n" % (self.parser.get_method(), self.url, b"".join(kept))

    def _refuse(self, status: int) -> None:
        if status == 431:
            failure = HttpFailure(431, f"the head of a request may have {self.head_bytes:,} bytes", code="too_large")
        else:
            self.refusals.count(self.loop.time())
            failure = HttpFailure(400, "this is not a request of HTTP/1.1", code="http_invalid")
        body = bytes(failure.response().body)
        head = (
            b"content-type: application/json\r\ncontent-length: %d\r\nconnection: close\r\nx-request-id: %b\r\n\r\n"
            % (len(body), uuid.uuid4().hex.encode())
        )
        self.transport.write(STATUS_LINE[status] + head + body)
        self.transport.close()

    def _wait(self) -> None:
        self._stop_waiting()
        self._due = self.loop.call_later(self.head_seconds, self.timeout_keep_alive_handler)

    def _stop_waiting(self) -> None:
        if self._due is not None:
            self._due.cancel()
            self._due = None
