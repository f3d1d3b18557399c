"""Where the command line writes: tables to standard output, progress to standard error."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal

import orjson

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pydantic import BaseModel
    from rich.console import Console

    from steelyard.bench.evaluation.runner import Watcher
    from steelyard.report.table import Block
    from steelyard.wording.words import Wording

Lang = Literal["en", "zh"]


def wording(lang: Lang | None) -> Wording:
    """The words of ``--lang``, else those of the locale."""
    from steelyard.wording.words import load_wording, reader_language

    return load_wording(lang or reader_language())


def show(blocks: Iterable[Block]) -> None:
    """Tables and lines on standard output."""
    from steelyard.report.terminal import print_blocks

    print_blocks(console(), blocks)


def console(*, stderr: bool = False) -> Console:
    """A rich console that shows foreign text and never obeys it; in a pipe as wide as needed, up to 160 columns."""
    from steelyard.cli.plain_console import PlainConsole

    stream = sys.stderr if stderr else sys.stdout
    return PlainConsole(stderr=stderr, width=None if stream.isatty() else 160, highlight=False)


def write_json(value: BaseModel | object) -> None:
    """One JSON document on standard output."""
    dump = getattr(value, "model_dump", None)
    content = dump(by_alias=True) if dump else value
    sys.stdout.buffer.write(orjson.dumps(content, option=orjson.OPT_INDENT_2 | orjson.OPT_SERIALIZE_NUMPY) + b"\n")
    sys.stdout.buffer.flush()


@contextmanager
def progress_bar(*, quiet: bool, lang: Lang | None = None) -> Iterator[Watcher]:
    """Bars on standard error while a run goes on; one line a system where it is no terminal."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from steelyard.bench.evaluation.runner import SilentWatcher

    if quiet:
        yield SilentWatcher()
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    err = console(stderr=True)
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as progress:
        yield _Bars(progress, err, wording(lang))


class _Bars:
    """Draws a run with rich: one bar for the systems, one for the stage of the current system."""

    def __init__(self, progress: object, err: Console, w: Wording, clock: Callable[[], float] = time.monotonic) -> None:
        from rich.progress import Progress

        if not isinstance(progress, Progress):
            raise TypeError("a rich Progress is needed")
        self._progress = progress
        self._clock = clock
        self._began = clock()
        self._err = err
        self._w = w
        self._systems = progress.add_task("systems", total=None)
        self._stage = progress.add_task("", total=None, visible=False)

    def system(self, name: str, number: int, total: int) -> None:
        """A system begins."""
        told = self._told(name, number, total)
        self._progress.update(self._systems, total=total, completed=number - 1, description=_plain(told))
        if not self._err.is_terminal:
            self._err.print(told, markup=False, soft_wrap=True)

    def _told(self, name: str, number: int, total: int) -> str:
        """Which one begins, and about how long the rest takes if it goes on like this."""
        from steelyard.wording.duration import duration

        told = {"number": number, "total": total, "name": name}
        if number < 2:
            self._began = self._clock()
            return self._w("progress.system", **told)
        left = (self._clock() - self._began) / (number - 1) * (total - number + 1)
        return self._w("progress.left", time=duration(left), **told)

    def step(self, stage: str, done: int, total: int) -> None:
        """A stage goes on."""
        self._progress.update(self._stage, description=f"  {stage}", total=total, completed=done, visible=True)


def _plain(name: str) -> str:
    return name.replace("[", "\\[")
