"""A connection outside its requests, where uvicorn sets no bounds: how large and how slow a head may be."""

from __future__ import annotations

import asyncio
from typing import ClassVar

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol


class BoundedHttp(HttpToolsProtocol):
    """HTTP/1 with bounds on what comes before a request is there; bodies are bounded by the application.

    A client that never finishes the head of a request, or that goes on sending after its answer, is disconnected.

    Attributes:
        head_bytes: bytes of a request's first line and headers. What comes in one piece is taken, up to 256 KiB.
        head_seconds: seconds without a request under way, from one answer to the next head in whole.
    """

    head_bytes: ClassVar[int] = 64 << 10
    head_seconds: ClassVar[float] = (
        75.0  # longer than the pools of common clients, which else write into a closed socket
    )

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
        """Refuses a head that grows too large."""
        super().data_received(data)
        if self._in_head:
            self._head += len(data)
            if self._head > self.head_bytes and not self.transport.is_closing():
                self.send_400_response(f"The head of a request may have {self.head_bytes} bytes.")

    def on_message_begin(self) -> None:
        """A head begins."""
        self._in_head, self._head = True, 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """A request is there."""
        self._in_head = False
        self._stop_waiting()
        super().on_headers_complete()

    def on_response_complete(self) -> None:
        """Waits for the next one, unless it came already."""
        super().on_response_complete()
        if self.cycle.response_complete:
            self._wait()

    def _wait(self) -> None:
        self._stop_waiting()
        self._due = self.loop.call_later(self.head_seconds, self.timeout_keep_alive_handler)

    def _stop_waiting(self) -> None:
        if self._due is not None:
            self._due.cancel()
            self._due = None

    def _unsupported_upgrade_warning(self) -> None:
        """Another protocol is an offer of the client; the request is answered as it is, without a line in the log."""
