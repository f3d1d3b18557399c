"""A report as a file, or as a folder of pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, get_args

from steelyard.errors import ResultError, UsageError
from steelyard.files import write_atomic
from steelyard.report.content import Report
from steelyard.wording.words import Wording

Format = Literal["html", "md", "csv", "png", "svg"]
FORMATS: tuple[Format, ...] = get_args(Format)
_PICTURES = ("png", "svg")


def choose_format(asked: Format | None, out: Path | None) -> Format:
    """The format asked for, else that of the file's ending, else HTML.

    Raises:
        UsageError: there is no such format, or the ending says another one.
    """
    ending = out.suffix.removeprefix(".").lower() if out else ""
    named = {"htm": "html", "markdown": "md"}.get(ending, ending)
    known = next((f for f in FORMATS if f == (asked or named or "html")), None)
    if known is None:
        raise UsageError(f"a report is {', '.join(FORMATS)}, not {asked or ending!r}; name one with --format")
    if named in FORMATS and named != known and known not in _PICTURES:
        raise UsageError(f"--format {known} and --out {out} disagree; leave one of them out")
    return known


def default_path(source: str, kind: Format) -> Path:
    """Where a report goes when nobody says: beside its result; pictures into a folder."""
    published = source.startswith("published:")
    base = Path(source.removeprefix("published:")) if published else Path(source).with_suffix("")
    return base.with_name(f"{base.name}-{kind}") if kind in _PICTURES else base.with_name(f"{base.name}.{kind}")


def write_report(report: Report, w: Wording, path: Path, kind: Format) -> tuple[Path, ...]:
    """Writes a report whole or not at all.

    Args:
        report: what it says.
        w: in which words.
        path: the file; for pictures the folder that they go into.
        kind: how.

    Returns:
        The files that were written.

    Raises:
        MissingExtraError: HTML and pictures need the extra ``report``.
        ResultError: the file cannot be written.
    """
    if kind == "png" or kind == "svg":
        from steelyard.report.images import write_pictures

        return write_pictures(report, w, path, kind)
    _replace(path, _text(report, w, kind))
    return (path,)


def _text(report: Report, w: Wording, kind: Format) -> str:
    if kind == "md":
        from steelyard.report.markdown import to_markdown

        return to_markdown(report, w)
    if kind == "csv":
        from steelyard.report.csv import to_csv

        return "\ufeff" + to_csv(report)  # without the mark, spreadsheets take Chinese for something else
    from steelyard.report.page import to_page

    return to_page(report, w)


def _replace(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, text.encode("utf-8", "replace"))
    except OSError as wrong:
        raise ResultError(
            f"{path} cannot be written: {wrong.strerror or wrong}. Give another place with --out"
        ) from wrong
