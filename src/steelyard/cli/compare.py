"""``steelyard compare``: stored results judged again, and those of other tools."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cyclopts import Parameter

from steelyard.cli.output import Lang, show, wording, write_json
from steelyard.cli.stored import read_margin, read_suites

if TYPE_CHECKING:
    from collections.abc import Sequence

    from steelyard.bench.evaluation.result import Result

MTEB, TREC = "mteb:", "trec:"


@Parameter(name="*")
@dataclass(frozen=True)
class CompareOptions:
    """How to compare.

    Attributes:
        measure: the measure to judge by; the first of the result when left out.
        margin: points that a system may lose and still be no worse; 2 when left out.
        qrels: the judgements that `trec:` runs, or the predictions in a folder of mteb's, are measured with.
        lang: en or zh; that of your locale when left out.
        json: print one JSON document instead of the table.
    """

    measure: str = ""
    margin: float | None = None
    qrels: Path | None = None
    lang: Lang | None = None
    json: bool = False


def compare(*results: str, options: CompareOptions | None = None) -> int:
    """Judge stored results again: one file alone, the systems of several side by side, or other tools' results.

    Results of one suite are put together; a system that stands in more than one of them is shown with its file's
    number. Results of several suites get a verdict each, and one over all of them with the suite as the unit.

    - `published:a100-8x24` is a table that somebody else published
    - `mteb:FOLDER` is a folder of mteb's results of several models: tie groups over its tasks
    - `trec:RUN1,RUN2` with `--qrels FILE` are run files in TREC's form

    Args:
        results: result files, or one of the forms above.
    """
    from steelyard.report.suites_view import judged_reports, report_blocks

    asked = options or CompareOptions()
    margin = read_margin(asked.margin)
    reports = judged_reports(_read(results, asked), asked.measure, margin)
    if asked.json:
        found = [r.judgement.to_dict() | {"suite": r.result.suite.name} for r in reports]
        write_json(found if len(found) > 1 else found[0])
    else:
        show(report_blocks(reports, wording(asked.lang)))
    return 0


def _read(sources: Sequence[str], asked: CompareOptions) -> list[tuple[Result, list[str]]]:
    from steelyard.bench.evaluation.external.mteb_folder import read_mteb, read_predictions
    from steelyard.bench.evaluation.external.trec_runs import read_runs
    from steelyard.errors import UsageError

    foreign = [s for s in sources if s.startswith((MTEB, TREC))]
    if not foreign:
        if asked.qrels:
            raise UsageError("--qrels belongs to run files: steelyard compare trec:RUN1,RUN2 --qrels FILE")
        return read_suites(sources, "steelyard compare results/zh-traps.json", asked.lang, quiet=asked.json)
    if len(sources) > 1:
        raise UsageError(f"{foreign[0]} is compared on its own; separate runs by commas, as in trec:RUN1,RUN2")
    (source,) = sources
    if source.startswith(MTEB):
        folder = Path(source.removeprefix(MTEB)).expanduser()
        return [(read_predictions(folder, asked.qrels) if asked.qrels else read_mteb(folder), [source])]
    runs = [Path(p.strip()).expanduser() for p in source.removeprefix(TREC).split(",") if p.strip()]
    if not runs or asked.qrels is None:
        raise UsageError("run files are measured with judgements: steelyard compare trec:RUN1,RUN2 --qrels FILE")
    return [(read_runs(runs, asked.qrels), [source])]
