"""Where a run's result is kept, so that no run replaces another, and which run a stored file holds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from steelyard.bench.evaluation.result import PUBLISHED, Result, load, save
from steelyard.errors import ResultError
from steelyard.wording.words import say

FOLDER = Path("results")
_NAMES_SHOWN = 4


@dataclass(frozen=True)
class ResultFile:
    """Where a run's result goes.

    Attributes:
        path: the file.
        earlier: what lies there: the same run, whole or interrupted; None where there is nothing.
        note: what a reader must know: another run's file that is kept; empty where there is none.
    """

    path: Path
    earlier: Result | None = None
    note: str = ""


def choose_file(stem: str, checksum: str, systems: Sequence[str], folder: Path = FOLDER) -> ResultFile:
    """The file of a run that was given no ``--out``: ``STEM.json``, or ``STEM-2.json`` where that holds another run.

    A run is another one where its systems or its texts are others; a file that cannot be read is never replaced.

    Args:
        stem: of the file, as the suite is called.
        checksum: of the texts.
        systems: canonical names of those that are weighed.
        folder: of the files.
    """
    kept = ""
    for path in _numbered(folder, stem):
        if not path.exists():
            return ResultFile(path, note=kept)
        try:
            earlier = load(path)
        except ResultError:
            kept = kept or say("file.unreadable_kept", path=path)
            continue
        if _same_run(earlier, checksum, systems):
            return ResultFile(path, earlier, kept)
        kept = kept or say("file.kept", path=path, what=about(earlier))
    raise AssertionError("the numbers do not end")


def given_file(path: Path, checksum: str, systems: Sequence[str]) -> ResultFile:
    """The file of a run with ``--out``: replaced whatever it holds, and said where that was another run."""
    if not path.exists():
        return ResultFile(path)
    try:
        earlier = load(path)
    except ResultError:
        return ResultFile(path, note=say("file.unreadable_replaced", path=path))
    same = _same_run(earlier, checksum, systems)
    return ResultFile(
        path, earlier if same else None, "" if same else say("file.replaced", path=path, what=about(earlier))
    )


def about(result: Result) -> str:
    """What a result holds, in a few words: systems, texts, when."""
    names = [s.name for s in result.systems]
    more = len(names) - _NAMES_SHOWN
    shown = [*names[:_NAMES_SHOWN], *([say("file.more", count=more)] if more > 0 else [])]
    suite = f"{result.suite.name} {result.suite.version}".strip()
    return say("file.about", systems=tuple(shown), suite=suite, created=result.created.replace("+00:00", " UTC"))


def described(source: str, result: Result) -> tuple[str, ...]:
    """Lines that say which run a file holds, and which newer file of the same folder is of the same texts.

    Args:
        source: as the user typed it.
        result: what was read from it.
    """
    lines = [say("file.is", path=source, what=about(result))]
    newer = None if source.startswith(PUBLISHED) else _newer(Path(source), result)
    return (*lines, *([say("file.newer", path=newer[0], what=about(newer[1]))] if newer else []))


def keep_costs(result: Result, earlier: Result, path: Path) -> Result:
    """The result with the costs that the file held of the same engines on the same machine, written again where any."""
    held = {s.name: s for s in earlier.weighed if s.costs}
    if not held or earlier.environment != result.environment:
        return result
    systems = tuple(
        s.model_copy(update={"costs": held[s.name].costs})
        if s.name in held and held[s.name].fingerprints == s.fingerprints and not s.costs
        else s
        for s in result.systems
    )
    kept = result.model_copy(update={"systems": systems})
    save(kept, path)
    return kept


def _newer(path: Path, result: Result) -> tuple[Path, Result] | None:
    """The newest other result on the same texts that was made after this one."""
    stem = path.stem.rstrip("0123456789").removesuffix("-")
    found = []
    for other in (path.parent / f"{stem}.json", *path.parent.glob(f"{stem}-*.json")):
        if other.name == path.name or not other.is_file():
            continue
        try:
            made = load(other)
        except ResultError:
            continue
        if made.suite.checksum == result.suite.checksum and made.created > result.created:
            found.append((other, made))
    return max(found, key=lambda pair: pair[1].created, default=None)


def _numbered(folder: Path, stem: str) -> Iterator[Path]:
    yield folder / f"{stem}.json"
    yield from (folder / f"{stem}-{number}.json" for number in count(2))


def _same_run(earlier: Result, checksum: str, systems: Sequence[str]) -> bool:
    there = {s.name for s in earlier.systems}
    same = there == set(systems) if earlier.complete else there <= set(systems)
    return same and earlier.suite.checksum == checksum
