"""Starts a server, waits until it answers, checks what it answers, and stops it."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import httpx
import numpy as np

from steelyard.engines.remote.openai import OpenAIConfig, OpenAIEncoder, OpenAIReranker
from steelyard.errors import EndpointError, EngineError, UsageError
from steelyard.models.recipe import Recipe
from steelyard.serving.launch.commands import Launch
from steelyard.serving.signals import handled
from steelyard.types import Role

STOPS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""Signals that tell a command to stop, and its server with it."""
_STOP_SECONDS = 30.0
_QUESTION = "What is the capital of China?"
_RIGHT, _WRONG = "The capital of China is Beijing.", "A cup of flour and two eggs make a simple dough."


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a server may take to answer, and how often it is asked, in seconds."""

    seconds: float = 1800.0
    step: float = 1.0


@contextmanager
def running(launch: Launch, patience: Patience) -> Iterator[subprocess.Popen[bytes]]:
    """The server, ready to answer; stopped at the end, gently first. Its output goes where ours goes.

    It is the head of a process group, so that the workers it starts can be stopped too.

    Raises:
        UsageError: its program is not installed, or another server has the port.
        EngineError: it ended by itself, or did not answer in time.
    """
    _check_free(launch.port)
    with ExitStack() as started:
        with _signals_later():
            process = _start(launch.command)
            started.callback(stop, process)
        wait_ready(launch, patience, process.poll)
        yield process


def wait_ready(launch: Launch, patience: Patience, ended: Callable[[], int | None]) -> None:
    """Returns when the server lists its models.

    Raises:
        EngineError: it ended, or did not answer in time.
    """
    ends = time.monotonic() + patience.seconds
    while time.monotonic() < ends:
        code = ended()
        if code is not None:
            raise EngineError(f"{launch.server} ended with {code} before it answered; its own output says why")
        models = f"{url_of(launch)}/models"
        with (
            contextlib.suppress(httpx.TransportError),
            httpx.stream("GET", models, timeout=10, trust_env=False) as answer,
        ):
            if answer.status_code == 200:
                return
        time.sleep(patience.step)
    raise EngineError(f"{launch.server} did not answer at {url_of(launch)} within {patience.seconds:g} s")


def stop(process: subprocess.Popen[bytes], seconds: float = _STOP_SECONDS) -> None:
    """SIGTERM, and SIGKILL when that is not heeded; then SIGKILL to whatever workers it has left behind."""
    try:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            process.wait(seconds)
    except subprocess.TimeoutExpired:
        pass
    finally:  # a second Ctrl-C too
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def hold(launch: Launch, process: subprocess.Popen[bytes]) -> None:
    """Returns when the server has ended well.

    Raises:
        EngineError: it failed, or something killed it.
    """
    code = process.wait()
    if code:
        how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with {code}"
        raise EngineError(f"{launch.server} {how}; its own output may say why")


def check(launch: Launch, recipe: Recipe) -> str:
    """Asks one question with one right answer, and says in a line what came back.

    Raises:
        EndpointError: a wrong size, or the wrong answer first: served, but not what the recipe says.
    """
    config = OpenAIConfig(model=launch.model, url=url_of(launch), recipe=recipe)
    if recipe.kind == "reranker":
        bare = OpenAIConfig(model=launch.model, url=url_of(launch))  # the server puts the template on
        with contextlib.closing(OpenAIReranker(bare)) as reranker:
            right, wrong = reranker.score(_QUESTION, [_RIGHT, _WRONG])
        return _verdict(launch, float(right), float(wrong), "")
    with contextlib.closing(OpenAIEncoder(config)) as encoder:
        query = encoder.encode([_QUESTION], Role.QUERY)[0]
        documents = encoder.encode([_RIGHT, _WRONG], Role.DOCUMENT)
    right, wrong = np.asarray(documents) @ query
    return _verdict(launch, float(right), float(wrong), f"{len(query)} dimensions, ")


def url_of(launch: Launch) -> str:
    """Where its OpenAI API begins."""
    return f"http://127.0.0.1:{launch.port}/v1"


def _start(command: Sequence[str]) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(  # noqa: S603 - the command is what the user asked for
            command, process_group=0, stdin=subprocess.DEVNULL
        )
    except OSError as wrong:
        why = "is not installed here" if isinstance(wrong, FileNotFoundError) else f"cannot be run: {wrong.strerror}"
        raise UsageError(f"{command[0]} {why}; the command can be run where it is") from None


@contextmanager
def _signals_later() -> Iterator[None]:
    """What tells us to stop is heeded at the end: an exception out of Popen would leave its child to itself."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []
    with handled(STOPS, lambda number, _: came.append(number)):
        yield
    for late in came:
        signal.raise_signal(late)


def _check_free(port: int) -> None:
    """A server that is there already would be taken for the one that is started."""
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 2):
        raise UsageError(f"something listens on port {port} already; stop it, or give another --port")


def _verdict(launch: Launch, right: float, wrong: float, size: str) -> str:
    if right <= wrong:
        raise EndpointError(
            f"{launch.model} answers at {url_of(launch)}, but prefers the wrong answer ({right:.3f} to {wrong:.3f}); "
            f"steelyard doctor {url_of(launch)} says why"
        )
    return f"{launch.model} answers: {size}the right answer scores {right:.3f}, the wrong one {wrong:.3f}"
