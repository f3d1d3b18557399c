"""``steelyard table``: the published experiment's table for any set of models."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from steelyard.cli.codes import code_of
from steelyard.cli.costs import CostOptions
from steelyard.cli.output import Lang, progress_bar, show, wording, write_json

if TYPE_CHECKING:
    from steelyard.bench.evaluation.result import Result


@Parameter(name="*")
@dataclass(frozen=True)
class TableOptions:
    """What to make the table from.

    Attributes:
        suite: for systems that are weighed now.
        out: where their result is kept; `results/table-SUITE.json` when left out.
        cache: keep vectors and scores for the next run; timings never use it.
        lang: en or zh; that of your locale when left out.
        json: print the results instead of the table.
        costs: how to measure costs.
    """

    suite: str = "zh-traps-mini"
    out: Path | None = None
    cache: Annotated[bool, Parameter(negative="--no-cache")] = True
    lang: Lang | None = None
    json: bool = False
    costs: CostOptions = field(default_factory=CostOptions)


def table(*sources: str, options: TableOptions | None = None) -> int:
    """Print model, memory, load, inference, texts/s, Top-1, Top-3 and dimensions, with an interval beside each.

    Columns and order are those of a published comparison on 8 queries x 24 documents, which
    `published:a100-8x24` holds; the default suite has its shape. Systems are weighed and their costs measured
    now; result files and published tables are shown as they are.

    Args:
        sources: systems, result files, published:NAME, or all of these together.
    """
    from steelyard.bench.evaluation.result import PUBLISHED, load
    from steelyard.errors import UsageError
    from steelyard.report.published_table import published_blocks

    asked = options or TableOptions()
    if not sources:
        raise UsageError("name systems or results, e.g. steelyard table e5-small bm25 published:a100-8x24")
    stored = [s for s in sources if s.startswith(PUBLISHED) or Path(s).is_file()]
    systems = [s for s in sources if s not in stored]
    results = ([_measure(systems, asked)] if systems else []) + [load(s) for s in stored]
    if asked.json:
        write_json([r.model_dump(by_alias=True) for r in results])
    else:
        show(published_blocks(results, wording(asked.lang)))
    return code_of(s for r in results for s in r.systems)


def _measure(systems: list[str], asked: TableOptions) -> Result:
    from steelyard.bench.costing.costs import measure_costs, with_costs
    from steelyard.bench.evaluation.cache import VectorCache, default_cache_path
    from steelyard.bench.evaluation.result import save
    from steelyard.bench.evaluation.runner import WeighConfig, weigh
    from steelyard.report.published_table import MEASURES
    from steelyard.retrieval.resolve import read_systems
    from steelyard.suites.registry import open_suite

    nodes = read_systems(systems)
    config = asked.costs.config()
    suite = open_suite(asked.suite)
    cache = VectorCache(default_cache_path()) if asked.cache else None
    with progress_bar(quiet=asked.json, lang=asked.lang) as watcher:
        result = weigh(nodes, suite, WeighConfig(measures=MEASURES, cache=cache), None, watcher)
        result = with_costs(result, measure_costs(nodes, suite, config, watcher))
    save(result, asked.out or Path("results") / f"table-{Path(suite.name).stem}.json")
    return result
