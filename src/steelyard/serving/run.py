"""Runs an application until it is told to stop: what was accepted is finished."""

from __future__ import annotations

import gc
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import uvicorn
from starlette.types import ASGIApp

from steelyard.errors import UsageError


@dataclass(frozen=True, slots=True)
class Address:
    """Where to listen; port 0 takes a free one."""

    host: str = "127.0.0.1"
    port: int = 30000


def listen(address: Address) -> socket.socket:
    """A listening socket.

    Raises:
        UsageError: the address cannot be had.
    """
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    try:
        return socket.create_server((address.host, address.port), family=family, backlog=2048)
    except OSError as wrong:
        raise UsageError(
            f"cannot listen on {address.host}:{address.port}: {wrong.strerror or wrong}. "
            "Another --port, or --port 0 for a free one"
        ) from None


def serve_app(app: ASGIApp, sock: socket.socket, drain_seconds: float) -> None:
    """Serves until SIGTERM or SIGINT; then accepts nothing new and finishes what is under way.

    Args:
        app: the application.
        sock: where it listens.
        drain_seconds: what is under way for longer is given up.
    """
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_keep_alive=75,  # longer than the pools of common clients, which otherwise write into a closed socket
        timeout_graceful_shutdown=int(drain_seconds),
        lifespan="on",
    )
    _settle_garbage()
    with _quiet_signals():
        uvicorn.Server(config).run(sockets=[sock])


def _settle_garbage() -> None:
    """Keeps what was made until now out of later collections.

    A request that is given up leaves a cycle of tasks and errors that holds its texts and vectors. Python collects old
    cycles only when they are a quarter of all that lives, which with torch in memory is megabytes later.
    """
    gc.collect()
    gc.freeze()


@contextmanager
def _quiet_signals() -> Iterator[None]:
    """uvicorn raises the signal that stopped it once more when it is done; a clean end is no failure."""
    before = {s: signal.signal(s, lambda *_: None) for s in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
