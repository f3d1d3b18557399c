"""``steelyard power``: how many queries to label before a comparison."""

from __future__ import annotations

from steelyard.cli.output import Lang, show, wording, write_json
from steelyard.cli.stored import read_margin, read_results


def power(
    *pilot: str,
    margin: float = 2.0,
    systems: int = 2,
    measure: str = "",
    lang: Lang | None = None,
    json: bool = False,
) -> int:
    """Say how many queries are needed, under the correction for all pairs of the systems.

    Two questions have two answers: how many queries show a difference of the margin, and how many show that equal
    systems are no worse by it. A pilot result of a few systems on your own texts says how much they disagree; without
    one, right-or-wrong outcomes that disagree on 20 % of the queries are assumed, and said.

    Args:
        pilot: a result file of a first small run, or none.
        margin: points of 100.
        systems: that will be compared with each other.
        measure: of the pilot; its first when left out.
        lang: en or zh; that of your locale when left out.
        json: print one JSON document instead of text.
    """
    from dataclasses import asdict

    from steelyard.bench.evaluation.judgement import judge
    from steelyard.errors import UsageError
    from steelyard.report.power_view import power_blocks
    from steelyard.stats.planning import pilot_spread, plan

    share = read_margin(margin)
    if share is None or systems < 2:
        raise UsageError("power is of a margin and of two systems or more: --margin 3 --systems 4")
    spread = None
    if pilot:
        verdict = judge(
            read_results(pilot, "steelyard power results/pilot.json", lang, quiet=json), measure or None
        ).verdict
        spread = pilot_spread(verdict.comparisons)
        if spread is None:
            raise UsageError("a pilot needs two systems: weigh another one on the same texts")
    found = plan(share, systems, spread)
    if json:
        write_json(asdict(found) | {"pilot": bool(pilot)})
    else:
        show(power_blocks(found, systems, wording(lang), pilot=bool(pilot)))
    return 0
