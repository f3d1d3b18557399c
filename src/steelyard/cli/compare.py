"""``steelyard compare``: stored results judged again."""

from __future__ import annotations

from steelyard.cli.output import Lang, show, wording, write_json


def compare(*results: str, measure: str = "", lang: Lang | None = None, json: bool = False) -> int:
    """Judge stored results again: one file alone, or the systems of several side by side.

    Several results are put together when they were made on the same queries; a system that stands in
    more than one of them is shown with its file's number. `published:a100-8x24` is a table that somebody
    else published.

    Args:
        results: result files, or published:NAME.
        measure: the measure to judge by; the first of the result when left out.
        lang: en or zh; that of your locale when left out.
        json: print one JSON document instead of the table.
    """
    from steelyard.bench.evaluation.join import join
    from steelyard.bench.evaluation.result import load
    from steelyard.errors import UsageError
    from steelyard.report.content import compose
    from steelyard.report.verdict_view import verdict_blocks

    if not results:
        raise UsageError("name one result file or more, e.g. steelyard compare results/zh-traps.json")
    result = join([load(r) for r in results], results)
    report = compose(result, measure=measure or None, origins=results)
    if json:
        write_json(report.judgement.to_dict())
    else:
        show(verdict_blocks(report, wording(lang)))
    return 0
