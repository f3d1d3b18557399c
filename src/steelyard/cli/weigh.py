"""``steelyard weigh``: systems on a suite, with intervals and what can be told apart."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from steelyard.cli.codes import code_of
from steelyard.cli.output import Lang, console, progress_bar, show, wording, write_json
from steelyard.cli.reading import ReadingOptions
from steelyard.cli.stored import choose, read_margin

if TYPE_CHECKING:
    from collections.abc import Sequence

    from steelyard.bench.evaluation.result import Result
    from steelyard.bench.evaluation.runner import Watcher, WeighConfig
    from steelyard.retrieval.system import System
    from steelyard.suites.suite import Suite
    from steelyard.wording.words import Wording

DEFAULT_SYSTEMS = ("bm25", "e5-small", "use-multilingual", "minilm-en", "bm25 + e5-small")


@Parameter(name="*")
@dataclass(frozen=True)
class WeighOptions:
    """How to weigh.

    Attributes:
        suite: a name of `steelyard suites`, or your own folder or file (BEIR, TREC, JSONL, CSV, Parquet, plain text);
            given several times, each suite gets a verdict, and all of them together one.
        measures: comma-separated, the first is judged: top1, hit@k, recall@k, P@k, mrr, ndcg@k, map.
        margin: points that a system may lose and still be no worse; 2 when left out.
        depth: hits asked of every system.
        seed: of every random draw.
        out: the result file; `results/SUITE.json` when left out, or `SUITE-2.json` where that holds another run.
        cache: keep vectors and scores for the next run.
        fresh: do not go on from an earlier result file that was interrupted.
        costs: measure load, memory, latency and throughput as well, each system in processes of its own.
        lang: en or zh; that of your locale when left out.
        json: print the result document instead of the table.
        reading: how your own files are read.
    """

    suite: Annotated[tuple[str, ...], Parameter(negative="")] = ("zh-traps",)
    measures: str = ""
    margin: float | None = None
    depth: int = 100
    seed: int = 20260
    out: Path | None = None
    cache: Annotated[bool, Parameter(negative="--no-cache")] = True
    fresh: bool = False
    costs: bool = False
    lang: Lang | None = None
    json: bool = False
    reading: ReadingOptions = field(default_factory=ReadingOptions)


def weigh(*systems: str, options: WeighOptions | None = None) -> int:
    """Weigh retrieval systems on a suite and say which of them can be told apart.

    A system is written as an expression, quoted for the shell:

    - `bm25` is lexical; `e5-small` is a model of `steelyard models`
    - `"e5-small[dim=64|128|384]"` is a sweep: one system for each value
    - `"bm25 + e5-small"` fuses by reciprocal ranks, `"bm25 + e5-small[weight=2]"` by weighted scores
    - `"bm25 + e5-small >> maxsim[top=20]"` reranks
    - `openai:NAME@http://localhost:30000/v1` is any OpenAI-compatible endpoint

    A run that is interrupted keeps what was finished in the result file; the same command goes on from it.

    Args:
        systems: expressions; without any, five systems that work with nothing but this installation.
    """
    from steelyard.errors import UsageError
    from steelyard.retrieval.resolve import read_systems

    asked = options or WeighOptions()
    nodes = read_systems(systems or DEFAULT_SYSTEMS)
    if asked.out and len(asked.suite) > 1:
        raise UsageError("--out names one file, and every suite has its own: leave it out where there are several")
    margin = read_margin(asked.margin)
    suites = [asked.reading.open(suite) for suite in asked.suite]
    done = [_run(nodes, texts, asked) for texts in suites]
    if asked.json:
        write_json([r for r, _ in done] if len(done) > 1 else done[0][0])
    else:
        _show(done, wording(asked.lang), margin)
    return code_of([s for result, _ in done for s in result.systems])


def _run(nodes: Sequence[System], texts: Suite, asked: WeighOptions) -> tuple[Result, Path]:
    from steelyard.bench.evaluation.result_files import keep_costs
    from steelyard.bench.evaluation.runner import weigh as run

    file = choose(asked.out, "", texts, [str(n) for n in nodes], asked.lang)
    path, config = file.path, _config(texts, asked, file.path)
    previous = None if asked.fresh else _previous(file.earlier, texts, config)
    with progress_bar(quiet=asked.json, lang=asked.lang) as watcher:
        result = run(nodes, texts, config, previous, watcher)
        if asked.costs:
            result = _with_costs(result, nodes, texts, path, watcher)
        elif file.earlier:
            result = keep_costs(result, file.earlier, path)
    return result, path


def _config(texts: Suite, asked: WeighOptions, path: Path) -> WeighConfig:
    from steelyard.bench.evaluation.cache import VectorCache, default_cache_path
    from steelyard.bench.evaluation.runner import WeighConfig
    from steelyard.measures.names import with_votes
    from steelyard.suites.audit import remarks

    names = tuple(m.strip() for m in asked.measures.replace("，", ",").split(",") if m.strip())
    return WeighConfig(
        measures=names or with_votes(texts.votes),
        depth=asked.depth,
        seed=asked.seed,
        out=path,
        cache=VectorCache(default_cache_path()) if asked.cache else None,
        findings=remarks(texts),
    )


def _previous(earlier: Result | None, texts: Suite, config: WeighConfig) -> Result | None:
    from steelyard.bench.evaluation.runner import resumable

    return earlier if earlier and not earlier.complete and resumable(earlier, texts, config) else None


def _with_costs(result: Result, nodes: Sequence[System], texts: Suite, path: Path, watcher: Watcher) -> Result:
    from steelyard.bench.costing.costs import CostConfig, measure_costs, with_costs
    from steelyard.bench.evaluation.result import save

    result = with_costs(result, measure_costs(nodes, texts, CostConfig(), watcher))
    save(result, path)
    return result


def _show(done: Sequence[tuple[Result, Path]], w: Wording, margin: float | None) -> None:
    from steelyard.report.suites_view import judged_reports, report_blocks
    from steelyard.report.table import Line

    weighed = [(result, path) for result, path in done if result.weighed]
    for result, _ in done:
        for system in result.systems if not result.weighed else ():
            console(stderr=True).print(f"{system.name} failed: {system.error}", markup=False, soft_wrap=True)
    if not weighed:
        return
    reports = judged_reports([(result, ()) for result, _ in weighed], margin=margin)
    hints = [Line(w("hint.result", path=path)) for _, path in weighed]
    show([*report_blocks(reports, w), Line(""), *hints])
