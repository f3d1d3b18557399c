"""``steelyard report``: stored results as a page, Markdown, CSV or pictures."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from steelyard.cli.output import Lang, console, wording
from steelyard.cli.stored import read_margin, read_results


@Parameter(name="*")
@dataclass(frozen=True)
class ReportOptions:
    """How to report.

    Attributes:
        out: the file, or the folder for pictures; beside the first result when left out.
        kind: html is one offline page; png and svg are one picture a chart. By the ending of --out when left out.
        lang: en or zh; that of your locale when left out.
        measure: the measure to judge by; the first of the result when left out.
        margin: points that a system may lose and still be no worse; 2 when left out.
        browse: show it in the browser.
    """

    out: Path | None = None
    kind: Annotated[Literal["html", "md", "csv", "png", "svg"] | None, Parameter(name="--format")] = None
    lang: Lang | None = None
    measure: str = ""
    margin: float | None = None
    browse: Annotated[bool, Parameter(name="--open", negative="")] = False


def report(*results: str, options: ReportOptions | None = None) -> int:
    """Report stored results: one HTML page that needs no network, or the same as Markdown, CSV, PNG or SVG.

    The verdict comes first, then the table with intervals, where it is hard, what fooled each system with every
    lost query beside its right answer, time and cost, every pair, and how to make it again. Several results are
    put together as `steelyard compare` does it.

    Args:
        results: result files, or published:NAME.
    """
    from steelyard.report.content import compose
    from steelyard.report.write import choose_format, default_path, write_report

    asked = options or ReportOptions()
    kind = choose_format(asked.kind, asked.out)
    result = read_results(results, "steelyard report results/zh-traps.json", asked.lang)
    content = compose(result, measure=asked.measure or None, origins=results, margin=read_margin(asked.margin))
    path = asked.out or default_path(results[0], kind)
    written = write_report(content, wording(asked.lang), path, kind)
    for file in written:
        console().print(f"{file} ({file.stat().st_size / 1000:,.0f} kB)", markup=False, soft_wrap=True)
    if asked.browse:
        import webbrowser

        webbrowser.open(written[0].resolve().as_uri())
    return 0
