"""``steelyard sweep``: what dimensions, precisions, instructions, lengths, depths and weights do to one system."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from steelyard.cli.codes import code_of
from steelyard.cli.output import Lang, progress_bar, show, wording, write_json
from steelyard.cli.reading import ReadingOptions
from steelyard.cli.stored import choose, read_margin

if TYPE_CHECKING:
    from steelyard.bench.evaluation.sweep import Axes
    from steelyard.cost.storage import Precision
    from steelyard.retrieval.system import System

_SAVE_SECONDS = 2.0


@Parameter(name="*")
@dataclass(frozen=True)
class SweepOptions:
    """What to vary and where; lists are separated by commas.

    Attributes:
        dims: vector sizes; `all` takes the usual ones below the model's own.
        precisions: float32, int8, binary.
        rescore: hits rescored with full vectors; int8 and binary are tried with and without.
        instructions: a file with one task text a line; `none` and `default` may be lines of it.
        max_tokens: lengths at which texts are cut.
        top: hits that are reranked.
        weights: shares of the second of two fused parts, between 0 and 1.
        suite: a name of `steelyard suites`, or your own folder or file.
        measure: what to judge by.
        margin: points that a variant may lose and still be no worse; 2 when left out.
        out: the result file; `results/sweep-SUITE.json` when left out.
        cache: keep vectors and scores for the next run.
        seed: of every random draw.
        lang: en or zh; that of your locale when left out.
        json: print the result document instead of the table.
        reading: how your own files are read.
    """

    dims: Annotated[str, Parameter(name=["--dims", "--dimensions"])] = ""
    precisions: str = ""
    rescore: int = 0
    instructions: Path | None = None
    max_tokens: str = ""
    top: str = ""
    weights: str = ""
    suite: str = "zh-traps"
    measure: str = ""
    margin: float | None = None
    out: Path | None = None
    cache: Annotated[bool, Parameter(negative="--no-cache")] = True
    seed: int = 20260
    lang: Lang | None = None
    json: bool = False
    reading: ReadingOptions = field(default_factory=ReadingOptions)


def sweep(system: str, *, options: SweepOptions | None = None) -> int:
    """Vary one system and test what each change does to it.

    All variants share one pass over the texts. Without any list, the dimensions of `--dims all` are crossed with
    float32, int8 and binary. The result is an ordinary one: compare it, report it, ask advice on it.

    Args:
        system: an expression without sweeps, as `steelyard weigh` takes it.
    """
    from steelyard.bench.evaluation.cache import VectorCache, default_cache_path
    from steelyard.bench.evaluation.runner import WeighConfig, weigh
    from steelyard.bench.evaluation.sweep import variants
    from steelyard.errors import UsageError
    from steelyard.measures.names import parse_measure, with_votes
    from steelyard.report.sweep_view import sweep_blocks
    from steelyard.report.table import Line
    from steelyard.retrieval.resolve import read_systems

    asked = options or SweepOptions()
    bases = read_systems([system])
    if len(bases) != 1:
        raise UsageError(f"sweep takes one system, and {system} stands for {len(bases)}; weigh takes them all")
    nodes = variants(bases[0], read_axes(asked, bases[0]))
    texts = asked.reading.open(asked.suite)
    measure = str(parse_measure(asked.measure)) if asked.measure else texts.votes[0]
    path = choose(asked.out, "sweep-", texts, [str(n) for n in nodes], asked.lang).path
    config = WeighConfig(
        measures=with_votes((measure, *texts.votes)),
        seed=asked.seed,
        out=path,
        save_seconds=_SAVE_SECONDS,
        cache=VectorCache(default_cache_path()) if asked.cache else None,
    )
    with progress_bar(quiet=asked.json, lang=asked.lang) as watcher:
        result = weigh(nodes, texts, config, None, watcher)
    if asked.json:
        write_json(result)
    else:
        w = wording(asked.lang)
        show(
            [
                *sweep_blocks(result, str(bases[0]), measure, w, read_margin(asked.margin)),
                Line(""),
                Line(w("hint.sweep", path=path)),
            ]
        )
    return code_of(result.systems)


def read_axes(asked: SweepOptions, base: System) -> Axes:
    """The lists as values.

    Raises:
        UsageError: an entry that is none of its kind.
    """
    from steelyard.bench.evaluation.sweep import Axes, ladder
    from steelyard.cost.storage import PRECISIONS

    given = (asked.dims, asked.precisions, asked.instructions, asked.max_tokens, asked.top, asked.weights)
    dims = asked.dims if any(given) else "all"
    return Axes(
        dimensions=ladder(base) if dims == "all" else read_integers(dims, "--dims"),
        precisions=_precisions(asked.precisions) if any(given) else PRECISIONS,
        rescore=asked.rescore,
        instructions=read_lines(asked.instructions) if asked.instructions else (),
        max_tokens=read_integers(asked.max_tokens, "--max-tokens"),
        tops=read_integers(asked.top, "--top"),
        weights=_numbers(asked.weights, "--weights"),
    )


def _entries(text: str) -> list[str]:
    return [entry.strip() for entry in text.split(",") if entry.strip()]


def _numbers(text: str, flag: str) -> tuple[float, ...]:
    from steelyard.errors import UsageError

    try:
        return tuple(float(e) for e in _entries(text))
    except ValueError:
        raise UsageError(f"{flag} takes numbers separated by commas, not {text!r}") from None


def read_integers(text: str, flag: str) -> tuple[int, ...]:
    """Whole numbers from 1, separated by commas.

    Raises:
        UsageError: something else; names the flag.
    """
    from steelyard.errors import UsageError

    numbers = _numbers(text, flag)
    if any(not n.is_integer() or n < 1 for n in numbers):
        raise UsageError(f"{flag} takes whole numbers from 1, not {text!r}")
    return tuple(int(n) for n in numbers)


def _precisions(text: str) -> tuple[Precision, ...]:
    from steelyard.cost.storage import PRECISIONS
    from steelyard.errors import UsageError

    entries = _entries(text)
    if any(e not in PRECISIONS for e in entries):
        raise UsageError(f"--precisions takes {', '.join(PRECISIONS)}, not {text!r}")
    return tuple(p for p in PRECISIONS if p in entries)


def read_lines(path: Path) -> tuple[str, ...]:
    """The lines of a list of instructions, blank and repeated ones left out.

    Raises:
        DataError: the file cannot be read, or holds none.
    """
    from steelyard.errors import DataError

    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as wrong:
        raise DataError(f"{path} cannot be read as a list of instructions: {wrong}") from None
    found = tuple(dict.fromkeys(line.strip() for line in lines if line.strip()))
    if not found:
        raise DataError(f"{path} holds no instruction: write one a line")
    return found
