"""Runs a command and watches it from outside: a second clock, and the kernel's own count of its memory."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import orjson

from steelyard.cost.launcher import seconds
from steelyard.errors import EngineError

_LAUNCHER = Path(__file__).with_name("launcher.py")
_SHOWN_LINES = 6
_KILLED = 128 + 9


@dataclass(frozen=True, slots=True)
class Watched:
    """What was seen of one command.

    Attributes:
        lines: what it wrote to standard output, each with the seconds since its start when it came.
        seconds: from start to end.
        peak_rss_bytes: the most resident memory it had.
        cpu_seconds: of all its threads.
        exit_code: negative where a signal ended it.
        complaint: the last lines of its standard error.
    """

    lines: tuple[tuple[float, bytes], ...]
    seconds: float
    peak_rss_bytes: int
    cpu_seconds: float
    exit_code: int
    complaint: str


def watch(
    command: Sequence[str],
    given: bytes = b"",
    timeout: float = 3600.0,
    on_line: Callable[[bytes], None] | None = None,
) -> Watched:
    """Runs a command to its end.

    Args:
        command: program (a path) and arguments.
        given: its standard input.
        timeout: seconds, after which it and what it started are killed.
        on_line: called with every line as it comes.

    Raises:
        EngineError: it was killed, by this timeout or for want of memory, or it could not be started.
    """
    with tempfile.TemporaryDirectory(prefix="steelyard-") as folder:
        place = Path(folder)
        report = place / "report"
        (place / "in").write_bytes(given)
        launch = [sys.executable, "-I", "-S", str(_LAUNCHER), str(report), *command]
        with (place / "in").open("rb") as source, (place / "err").open("wb") as wrong:
            lines, late = _follow(launch, (source.fileno(), wrong.fileno()), timeout, on_line)
        complaint = "\n".join((place / "err").read_text("utf-8", "replace").splitlines()[-_SHOWN_LINES:])
        if late:
            raise EngineError(f"{_name(command)} was not done after {timeout:g} s and was ended. {complaint}".strip())
        if not report.exists():
            raise EngineError(f"{_name(command)} could not be started. {complaint}".strip())
        counted = orjson.loads(report.read_bytes())
    if counted["exit_code"] == -signal.SIGKILL:
        peak = counted["peak_rss_bytes"] / 1e9
        raise EngineError(f"{_name(command)} was killed at {peak:.1f} GB of memory: there was no room for more")
    return Watched(lines=tuple(lines), complaint=complaint, **counted)


def _follow(
    launch: list[str], streams: tuple[int, int], timeout: float, on_line: Callable[[bytes], None] | None
) -> tuple[list[tuple[float, bytes]], bool]:
    start = seconds()
    lines: list[tuple[float, bytes]] = []
    late = threading.Event()
    source, wrong = streams
    with subprocess.Popen(  # noqa: S603 - the command is ours
        launch, stdin=source, stdout=subprocess.PIPE, stderr=wrong, process_group=0
    ) as process:
        timer = threading.Timer(timeout, _end, (process, late))
        timer.start()
        try:
            for line in process.stdout or ():
                lines.append((seconds() - start, line))
                if on_line:
                    on_line(line)
        except BaseException:
            _kill(process)
            raise
        finally:
            timer.cancel()
    return lines, late.is_set()


def _end(process: subprocess.Popen[bytes], late: threading.Event) -> None:
    late.set()
    _kill(process)


def _kill(process: subprocess.Popen[bytes]) -> None:
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def _name(command: Sequence[str]) -> str:
    return f"the measured process ({' '.join(command[-2:])})"
