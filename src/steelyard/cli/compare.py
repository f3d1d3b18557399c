"""``steelyard compare``: stored results judged again."""

from __future__ import annotations

from steelyard.cli.output import Lang, show, wording, write_json
from steelyard.cli.stored import read_margin, read_results


def compare(
    *results: str, measure: str = "", margin: float | None = None, lang: Lang | None = None, json: bool = False
) -> int:
    """Judge stored results again: one file alone, or the systems of several side by side.

    Several results are put together when they were made on the same queries; a system that stands in
    more than one of them is shown with its file's number. `published:a100-8x24` is a table that somebody
    else published.

    Args:
        results: result files, or published:NAME.
        measure: the measure to judge by; the first of the result when left out.
        margin: points that a system may lose and still be no worse; 2 when left out.
        lang: en or zh; that of your locale when left out.
        json: print one JSON document instead of the table.
    """
    from steelyard.report.content import compose
    from steelyard.report.verdict_view import verdict_blocks

    result = read_results(results, "steelyard compare results/zh-traps.json", lang, quiet=json)
    report = compose(result, measure=measure or None, origins=results, margin=read_margin(margin))
    if json:
        write_json(report.judgement.to_dict())
    else:
        show(verdict_blocks(report, wording(lang)))
    return 0
