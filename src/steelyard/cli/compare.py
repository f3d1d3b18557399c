"""``steelyard compare``: stored results judged again."""

from __future__ import annotations

from steelyard.cli.output import console, write_json


def compare(*results: str, measure: str = "", json: bool = False) -> int:
    """Judge stored results again: one file alone, or the systems of several side by side.

    Several results are put together when they were made on the same queries; a system that stands in
    more than one of them is shown with its file's number. `published:a100-8x24` is a table that somebody
    else published.

    Args:
        results: result files, or published:NAME.
        measure: the measure to judge by; the first of the result when left out.
        json: print one JSON document instead of the table.
    """
    from steelyard.bench.evaluation.join import join
    from steelyard.bench.evaluation.judgement import judge
    from steelyard.bench.evaluation.result import load
    from steelyard.errors import UsageError
    from steelyard.report.terminal import print_verdict

    if not results:
        raise UsageError("name one result file or more, e.g. steelyard compare results/zh-traps.json")
    result = join([load(r) for r in results], results)
    verdict = judge(result, measure or None)
    if json:
        write_json(verdict.to_dict())
    else:
        print_verdict(console(), result, verdict)
    return 0
