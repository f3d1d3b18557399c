"""Sweeps, costs, advice, diagnosis, serving and reports, each in one call."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from steelyard.api.evaluation import Evaluation, evaluate
from steelyard.bench.costing.costs import CostConfig, Costed, measure_costs, with_costs
from steelyard.bench.evaluation.join import join
from steelyard.bench.evaluation.result import Result, load
from steelyard.bench.evaluation.sweep import Axes, ladder, variants
from steelyard.retrieval.resolve import read_system
from steelyard.suites.registry import open_suite
from steelyard.suites.suite import Suite

if TYPE_CHECKING:
    from steelyard.bench.advice.recommend import Advice
    from steelyard.bench.advice.scenario import Limits
    from steelyard.doctor.finding import Diagnosis

Source = Evaluation | Result | str | Path


def sweep(
    system: str, suite: Suite | str | Path = "zh-traps", axes: Axes | None = None, *, language: str = ""
) -> Evaluation:
    """Varies one system over one pass of its vectors; every variant is a system of the result.

    Args:
        system: an expression without a sweep.
        suite: a suite, the name of one, or a path.
        axes: what is varied; the usual dimensions when None.
        language: of what is shown.

    Raises:
        UsageError: an axis that the system does not have.
    """
    base = read_system(system)
    return evaluate(variants(base, axes or Axes(dimensions=ladder(base))), suite, language=language)


def costs(
    systems: Iterable[str], suite: Suite | str | Path = "zh-traps", config: CostConfig | None = None
) -> tuple[Costed, ...]:
    """What systems take to run: load, memory, latency, throughput, storage, each in processes of its own.

    Args:
        systems: expressions.
        suite: whose texts are embedded.
        config: rounds, texts, prices.
    """
    texts = suite if isinstance(suite, Suite) else open_suite(suite)
    return measure_costs(tuple(systems), texts, config or CostConfig())


def add_costs(source: Source, costed: Iterable[Costed]) -> Evaluation:
    """A result with the costs of its systems, so that advice and reports know them."""
    return Evaluation(with_costs(result_of([source]), tuple(costed)))


def advise(source: Source, scenario: str = "edge", *, limits: Limits | None = None, measure: str = "") -> Advice:
    """The system to take for a scenario: the choice, its reason and its price.

    Args:
        source: an evaluation, a result, or the path of one.
        scenario: high-concurrency, multilingual, features, edge, instruction, or the path of your own TOML file.
        limits: what must be kept.
        measure: to judge by; the scenario's or the result's first when empty.
    """
    from steelyard.bench.advice.recommend import advise as choose
    from steelyard.bench.advice.scenario import load_scenario

    return choose(result_of([source]), load_scenario(scenario), limits, measure)


def diagnose(target: str | Path, recipe: str | None = None, **options: Any) -> Diagnosis:
    """What is wrong with a model's folder or a server, how sure that is, and the fix.

    Args:
        target: a folder, or the URL where an OpenAI-compatible API begins.
        recipe: what it should be; found by the target when None.
        options: fields of :class:`steelyard.doctor.examine.Request`.
    """
    from steelyard.doctor.examine import Request, examine

    return examine(Request(str(target), recipe, **options))


def serve(*models: str, host: str = "127.0.0.1", port: int = 8080) -> bool:
    """Serves models for OpenAI's client and others until SIGTERM; returns whether all requests were finished.

    Args:
        models: names of ``steelyard models``, folders, or ``maxsim:MODEL``; e5-small when there is none.
        host: that it binds.
        port: that it binds; 0 for any.

    Raises:
        MissingExtraError: the extra ``serve`` is not installed.
    """
    from steelyard.engines.packages import require

    require("fastapi", "sy.serve", "serve")
    from steelyard.serving.app import build_app
    from steelyard.serving.local_service import local_service
    from steelyard.serving.models import Wanted, open_models
    from steelyard.serving.run import Address, listen, serve_app
    from steelyard.serving.settings import Behaviour, Limits

    loaded = open_models([Wanted.read(m) for m in models or ("e5-small",)], None, "model")
    service = local_service(loaded, Limits(), Behaviour(), None)
    with listen(Address(host, port)) as sock:
        service.host.start()
        return serve_app(build_app(service), sock, 30.0)


def write_report(source: Source | Iterable[Source], path: str | Path, *, language: str = "en") -> tuple[Path, ...]:
    """Writes a report; the ending of the path says how: .html (one offline page), .md, .csv, .png, .svg.

    Args:
        source: an evaluation, a result, the path of one, or several of the same texts.
        path: the file.
        language: en or zh.
    """
    from steelyard.report.content import compose
    from steelyard.report.write import choose_format
    from steelyard.report.write import write_report as write
    from steelyard.wording.words import load_wording

    sources = [source] if isinstance(source, Evaluation | Result | str | Path) else list(source)
    origins = [str(s) for s in sources if isinstance(s, str | Path)]
    kind = choose_format(None, Path(path))
    return write(compose(result_of(sources), origins=origins), load_wording(language), Path(path), kind)


def result_of(sources: Iterable[Source]) -> Result:
    """One result from evaluations, results and files, put together where there are several."""
    kept = list(sources)
    results = [s.result if isinstance(s, Evaluation) else s if isinstance(s, Result) else load(s) for s in kept]
    return join(results, [str(s) if isinstance(s, str | Path) else f"result {i}" for i, s in enumerate(kept, 1)])
