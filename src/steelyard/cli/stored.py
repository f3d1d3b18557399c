"""Result files as the commands choose and read them; each says on standard error which file is meant."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from steelyard.cli.output import Lang, console, wording

if TYPE_CHECKING:
    from steelyard.bench.evaluation.result import Result
    from steelyard.bench.evaluation.result_files import ResultFile


class Texts(Protocol):
    """A suite or labelled texts."""

    @property
    def name(self) -> str:
        """How they are asked for."""

    @property
    def checksum(self) -> str:
        """Of all that is in them."""


def choose(out: Path | None, kind: str, texts: Texts, systems: Sequence[str], lang: Lang | None = None) -> ResultFile:
    """Where a run's result goes.

    Args:
        out: as ``--out`` gave it.
        kind: what the name begins with: ``sweep-``, ``claims-``, nothing for ``weigh``.
        texts: what is measured on.
        systems: canonical names.
        lang: of what is said.
    """
    from steelyard.bench.evaluation.result_files import choose_file, given_file

    if out:
        file = given_file(out, texts.checksum, systems)
    else:
        stem = "".join(c if c.isalnum() or c in "-_." else "-" for c in texts.name)
        file = choose_file(kind + stem, texts.checksum, systems)
    if file.note:
        tell([file.note], lang)
    return file


def read_results(sources: Sequence[str], example: str, lang: Lang | None = None, *, quiet: bool = False) -> Result:
    """One result of the files that a command was given, with what each holds said.

    Args:
        sources: files, or published:NAME.
        example: the command, for the error where there is none.
        lang: of what is said.
        quiet: say nothing.

    Raises:
        UsageError: no file was named.
        ResultError: one that cannot be read, or files that do not belong together.
    """
    from steelyard.bench.evaluation.join import join

    return join(_load(sources, example, lang, quiet=quiet), sources)


def read_suites(
    sources: Sequence[str], example: str, lang: Lang | None = None, *, quiet: bool = False
) -> list[tuple[Result, list[str]]]:
    """As :func:`read_results`, but a result for each suite, with the files it came from."""
    from steelyard.bench.evaluation.over_suites import by_suite

    return by_suite(_load(sources, example, lang, quiet=quiet), sources)


def _load(sources: Sequence[str], example: str, lang: Lang | None, *, quiet: bool) -> list[Result]:
    from steelyard.bench.evaluation.result import load
    from steelyard.bench.evaluation.result_files import FOLDER, described
    from steelyard.errors import UsageError

    if not sources:
        there = sorted(str(p) for p in FOLDER.glob("*.json"))
        known = f"; here there is {', '.join(there)}" if there else ""
        raise UsageError(f"name one result file or more, e.g. {example}{known}")
    results = [load(s) for s in sources]
    if not quiet:
        tell([line for s, r in zip(sources, results, strict=True) for line in described(s, r)], lang)
    return results


def read_margin(points: float | None) -> float | None:
    """``--margin`` in points of 100, as a share; None for the measures' defaults.

    Raises:
        UsageError: not between 0 and 100.
    """
    from steelyard.errors import UsageError

    if points is not None and not 0 < points < 100:
        raise UsageError(f"--margin takes points between 0 and 100, not {points:g}")
    return None if points is None else points / 100


def tell(lines: Sequence[str], lang: Lang | None) -> None:
    """Lines on standard error, in the reader's language."""
    err, w = console(stderr=True), wording(lang)
    for line in lines:
        err.print(w.of(line), markup=False, soft_wrap=True)
