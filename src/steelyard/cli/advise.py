"""``steelyard advise``: which system to take, why, and what that gives up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cyclopts import Parameter

from steelyard.cli.output import Lang, show, wording, write_json
from steelyard.cli.stored import read_margin, read_results

if TYPE_CHECKING:
    from collections.abc import Iterator

    from steelyard.bench.advice.recommend import Advice
    from steelyard.bench.advice.scenario import Limits
    from steelyard.bench.evaluation.result import Result
    from steelyard.report.table import Block
    from steelyard.wording.words import Wording


@Parameter(name="*")
@dataclass(frozen=True)
class AdviseOptions:
    """What counts and what must be kept.

    Attributes:
        scenario: high-concurrency, multilingual, features, edge, instruction, or your own TOML file; a line on each of
            them when left out.
        max_p95_ms: limit on one query's latency.
        max_memory_gb: limit on memory: the GPU's where there is one, else the process's.
        max_storage_gb: limit on a million documents' vectors.
        max_dimension: limit on a vector's size.
        licences: allowed ones, separated by commas, as `steelyard models` names them.
        languages: that every model must know, separated by commas, as zh,en.
        measure: what to judge by; the scenario's or the result's first when left out.
        margin: points that a cheaper system may lose; 2 when left out.
        lang: en or zh; that of your locale when left out.
        json: print one JSON document instead of text.
    """

    scenario: str = ""
    max_p95_ms: float | None = None
    max_memory_gb: float | None = None
    max_storage_gb: float | None = None
    max_dimension: int | None = None
    licences: str = ""
    languages: str = ""
    measure: str = ""
    margin: float | None = None
    lang: Lang | None = None
    json: bool = False

    def limits(self) -> Limits:
        """The limits, checked.

        Raises:
            UsageError: a limit that nothing can keep.
        """
        from pydantic import ValidationError

        from steelyard.bench.advice.scenario import Limits
        from steelyard.errors import UsageError

        try:
            return Limits(
                p95_ms=self.max_p95_ms,
                memory_gb=self.max_memory_gb,
                storage_gb=self.max_storage_gb,
                dimension=self.max_dimension,
                licences=_entries(self.licences),
                languages=_entries(self.languages.casefold()),
            )
        except ValidationError as wrong:
            first = wrong.errors()[0]
            raise UsageError(f"limit {first['loc'][0]}: {first['msg']}") from None


def advise(*results: str, options: AdviseOptions | None = None) -> int:
    """Choose a system for a scenario from stored results: the Pareto front, the choice, its reason, its price.

    A cheaper system is taken only where it is shown to be no worse by every measure that votes on the suite.
    Latency and memory need measured costs: `steelyard weigh --costs` or `steelyard costs --into RESULT`.

    Args:
        results: result files of the same suite.
    """

    asked = options or AdviseOptions()
    result = read_results(
        results, "steelyard advise results/zh-traps.json --scenario edge", asked.lang, quiet=asked.json
    )
    found = _advice(result, asked)
    if asked.json:
        write_json([a.to_dict() for a in found])
    else:
        show(_blocks(found, wording(asked.lang), whole=bool(asked.scenario)))
    return 0


def _advice(result: Result, asked: AdviseOptions) -> list[Advice]:
    from steelyard.bench.advice.recommend import advise as choose
    from steelyard.bench.advice.scenario import load_scenario, scenario_names

    limits, margin = asked.limits(), read_margin(asked.margin)
    if asked.scenario:
        return [choose(result, load_scenario(asked.scenario), limits, asked.measure, margin)]
    scenarios = [load_scenario(name) for name in scenario_names()]
    fitting = [s for s in scenarios if not s.measure or s.measure in result.measures]
    return [choose(result, s, limits, asked.measure, margin) for s in fitting]


def _blocks(found: list[Advice], w: Wording, *, whole: bool) -> Iterator[Block]:
    """In full, or a line on each scenario, those that need another result, and where more is told."""
    from steelyard.bench.advice.scenario import load_scenario, scenario_names
    from steelyard.report.advice_view import advice_blocks, advice_lines
    from steelyard.report.table import Line

    for advice in found:
        yield from advice_blocks(advice, w) if whole else advice_lines(advice, w)
    if whole:
        return
    told = {a.scenario.name for a in found}
    for scenario in (load_scenario(name) for name in scenario_names() if name not in told):
        missing = w("advice.elsewhere", measure=w.measure(scenario.measure))
        yield Line(w("text.titled", title=scenario.name, text=missing))
    yield Line("")
    yield Line(w("advice.more"), "quiet")


def _entries(text: str) -> tuple[str, ...]:
    return tuple(entry.strip() for entry in text.split(",") if entry.strip())
