"""``steelyard index``: build, change and check an index."""

from __future__ import annotations

import json as encoding
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from steelyard.cli.codes import DAMAGED
from steelyard.cli.output import console, write_json

if TYPE_CHECKING:
    from steelyard.index.index import Index
    from steelyard.index.writing import Added
    from steelyard.retrieval.protocol import Progress

app = App(name="index", help="Build, change and check an index: a folder that answers as the system you weighed.")


@Parameter(name="*")
@dataclass(frozen=True)
class SourceOptions:
    """How documents are read.

    Attributes:
        size: characters of a passage at the most; 0 keeps every document whole.
        overlap: characters of whole sentences that a passage repeats from the one before it, at the most.
        map_columns: a table's columns, as `id=sku,text=description,title=name`.
        force: go on although other engines made the vectors that are there; rankings may then be wrong without a sign.
    """

    size: int = 400
    overlap: int = 60
    map_columns: Annotated[str, Parameter(name="--map")] = ""
    force: bool = False


@app.command
def build(folder: Path, source: Path, *, system: str = "bm25 + e5-small", options: SourceOptions | None = None) -> int:
    """Build an index of a file or folder for one system; the same command again goes on from what is there.

    Sources: a table (.csv, .tsv, .jsonl, .parquet) with a document a row; a folder of .txt, .md, .html, .pdf, .docx.

    Args:
        folder: of the index; is made.
        source: the documents.
        system: an expression as `steelyard weigh` takes it, without a sweep.
        options: how documents are read.
    """
    from steelyard.index.index import Index

    asked = options or SourceOptions()
    with Index.create(folder, system, force=asked.force) as index:
        return _add(index, source, asked)


@app.command
def add(folder: Path, source: Path, *, options: SourceOptions | None = None) -> int:
    """Add documents, or replace those whose ids are there; what is there as it is costs nothing.

    Args:
        folder: of the index.
        source: the documents, as for `steelyard index build`.
        options: how documents are read.
    """
    from steelyard.index.index import Index

    asked = options or SourceOptions()
    with Index.open(folder, force=asked.force) as index:
        return _add(index, source, asked)


@app.command
def delete(folder: Path, *ids: str) -> int:
    """Delete documents by their ids.

    Args:
        folder: of the index.
        ids: of the documents; passages of a long document have ids of their own, ID#1 and so on.
    """
    from steelyard.index.index import Index

    with Index.open(folder, force=True) as index:
        gone = index.delete(ids)
        console().print(f"{gone:,} of {len(ids):,} documents deleted; {len(index):,} are left")
    return 0


@app.command
def info(folder: Path, *, json: bool = False) -> int:
    """Show what an index holds, for which system, and which engines made its vectors.

    Args:
        folder: of the index.
        json: print one JSON document instead of lines.
    """
    from steelyard.index.index import Index

    with Index.open(folder, force=True) as index:
        facts = asdict(index.info()) | {"folder": str(folder)}
    if json:
        write_json(facts)
        return 0
    out = console()
    for key, value in facts.items():
        shown = (
            f"{value:,}" if isinstance(value, int) else f"{100 * value:.1f} %" if isinstance(value, float) else value
        )
        out.print(
            f"{key:>14}  {encoding.dumps(shown) if isinstance(shown, dict) else shown}", markup=False, soft_wrap=True
        )
    return 0


@app.command
def check(folder: Path, *, embed: int = 0) -> int:
    """Read every byte of an index and say what is wrong with it; ends with 7 where something is.

    Args:
        folder: of the index.
        embed: so many documents, drawn at random, are embedded again and compared with what is stored.
    """
    from steelyard.index.index import Index

    with Index.open(folder, force=True) as index, _bar("segments") as progress:
        found = index.check(progress, embed=embed)
        count = len(index)
    out = console()
    for line in found:
        out.print(line, markup=False, soft_wrap=True)
    if found:
        out.print(f"{len(found)} faults. Build the index again from its documents", markup=False)
        return DAMAGED
    out.print(f"{folder} is whole: {count:,} documents", markup=False, soft_wrap=True)
    return 0


@app.command
def compact(folder: Path) -> int:
    """Make one segment of all and give back the space of what was replaced or deleted; searches go on meanwhile.

    Args:
        folder: of the index.
    """
    from steelyard.index.index import Index

    with Index.open(folder, force=True) as index:
        before = index.info()
        index.compact()
        after = index.info()
    console().print(
        f"{before.segments} segments of {before.bytes / 1e6:,.1f} MB are {after.segments} of {after.bytes / 1e6:,.1f}"
    )
    return 0


def _add(index: Index, source: Path, asked: SourceOptions) -> int:
    from steelyard.cli.reading import read_map
    from steelyard.index.sources import SourceConfig, read_entries

    config = SourceConfig(asked.size, asked.overlap, read_map(asked.map_columns))
    with _bar("documents") as progress:
        done = index.add(read_entries(source, config), progress)
    console().print(_sentence(index, done), markup=False, soft_wrap=True)
    return 0


def _sentence(index: Index, done: Added) -> str:
    return (
        f"{index.folder}: {done.added:,} documents added, {done.replaced:,} replaced, {done.unchanged:,} unchanged; "
        f'{len(index):,} in all, for {index.system}\nSearch it: steelyard search {index.folder} "..."'
    )


@contextmanager
def _bar(what: str) -> Iterator[Progress]:
    """One bar on standard error, where that is a terminal."""
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bars

    err = console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Bars(*columns, console=err, transient=True, disable=not err.is_terminal) as bars:
        task = bars.add_task(what, total=None)
        yield lambda stage, done, total: bars.update(task, completed=done, total=total)
