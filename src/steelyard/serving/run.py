"""Runs an application until it is told to stop: what was accepted is finished."""

from __future__ import annotations

import gc
import logging
import math
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import uvicorn
from starlette.types import ASGIApp

from steelyard.errors import UsageError
from steelyard.serving.connection import BoundedHttp
from steelyard.serving.signals import handled

_MOST_FILES = 65_536


@dataclass(frozen=True, slots=True)
class Address:
    """Where to listen; port 0 takes a free one."""

    host: str = "127.0.0.1"
    port: int = 30000


def written(address: Address) -> str:
    """As it stands in a URL."""
    return f"[{address.host}]:{address.port}" if ":" in address.host else f"{address.host}:{address.port}"


def listen(address: Address) -> socket.socket:
    """A listening socket.

    Raises:
        UsageError: the address cannot be had.
    """
    if not address.host:
        raise UsageError("--host is empty: 127.0.0.1 is this machine alone, 0.0.0.0 and :: are all of its addresses")
    if not 0 <= address.port < 1 << 16:
        raise UsageError(f"--port must be from 0 to 65535, not {address.port}")
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    try:
        return socket.create_server((address.host, address.port), family=family, backlog=2048)
    except OSError as wrong:
        raise UsageError(
            f"cannot listen on {written(address)}: {wrong.strerror or wrong}. "
            "Another --host or --port; --port 0 takes a free one"
        ) from None


def serve_app(app: ASGIApp, sock: socket.socket, drain_seconds: float) -> bool:
    """Serves until SIGTERM, SIGINT or a hang-up; then accepts nothing new and finishes what is under way.

    False where a second signal broke that off; an engine may still be computing then, and nobody waits for it.

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
        http=BoundedHttp,
        ws="none",
        timeout_keep_alive=math.ceil(BoundedHttp.head_seconds),
        timeout_graceful_shutdown=int(drain_seconds),
        lifespan="on",
    )
    _settle_garbage()
    _allow_connections()
    server = uvicorn.Server(config)
    # uvicorn raises the signal that stopped it once more when it is done; a clean end is no failure
    with handled((signal.SIGTERM, signal.SIGINT), lambda *_: None), _quiet_haste(server), _ending_at_hang_up(server):
        server.run(sockets=[sock])
    return not server.force_exit


def _settle_garbage() -> None:
    """Keeps what was made until now out of later collections.

    A request that is given up leaves a cycle of tasks and errors that holds its texts and vectors. Python collects old
    cycles only when they are a quarter of all that lives, which with torch in memory is megabytes later.
    """
    gc.collect()
    gc.freeze()


@contextmanager
def _quiet_haste(server: uvicorn.Server) -> Iterator[None]:
    """At a second Ctrl-C uvicorn breaks off everything, its own tasks included, and writes their tracebacks."""
    log = logging.getLogger("uvicorn.error")

    def wanted(_: logging.LogRecord) -> bool:
        return not server.force_exit

    log.addFilter(wanted)
    try:
        yield
    finally:
        log.removeFilter(wanted)


@contextmanager
def _ending_at_hang_up(server: uvicorn.Server) -> Iterator[None]:
    """A terminal that is closed ends the server as SIGTERM does, unless somebody, as nohup does, wants otherwise."""
    if not hasattr(signal, "SIGHUP") or signal.getsignal(signal.SIGHUP) is not signal.SIG_DFL:
        yield
        return
    with handled((signal.SIGHUP,), server.handle_exit):
        yield


def _allow_connections() -> None:
    """As many open connections as the system lets this process have: the usual 1,024 are soon taken by idle ones."""
    if sys.platform == "win32":
        return
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, _MOST_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
