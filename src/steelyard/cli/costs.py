"""``steelyard costs``: what systems take to run, each measured in processes of its own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from steelyard.cli.codes import code_of
from steelyard.cli.output import Lang, progress_bar, show, wording, write_json
from steelyard.cli.reading import ReadingOptions
from steelyard.cli.stored import tell

if TYPE_CHECKING:
    from steelyard.bench.costing.costs import CostConfig
    from steelyard.cost.price import Price


@Parameter(name="*")
@dataclass(frozen=True)
class CostOptions:
    """How to measure costs.

    Attributes:
        rounds: processes for each system; fewer than four tell no two systems apart.
        seconds: for each point that is measured in a process.
        texts: of the suite that are embedded, at the most.
        cold: also load with the weight files out of the page cache.
        share: measure one of the systems that differ in the dimension alone, for all of them.
        price_per_hour: of this machine, in your currency.
        price_per_million_tokens: of the endpoint, in your currency.
    """

    rounds: int = 4
    seconds: float = 0.5
    texts: int = 256
    cold: Annotated[bool, Parameter(negative="--no-cold")] = True
    share: Annotated[bool, Parameter(negative="--no-share")] = True
    price_per_hour: float | None = None
    price_per_million_tokens: float | None = None

    def config(self) -> CostConfig:
        """The same, checked.

        Raises:
            UsageError: a number that measures nothing, or a price that is none.
        """
        from steelyard.bench.costing.costs import CostConfig
        from steelyard.bench.costing.worker import Plan
        from steelyard.errors import UsageError

        if self.rounds < 1 or self.seconds <= 0 or self.texts < 2:
            raise UsageError("--rounds takes 1 or more, --seconds more than 0, --texts 2 or more")
        plan = Plan(seconds=self.seconds)
        return CostConfig(self.rounds, plan, self.texts, self.cold, self.share, self._price())

    def _price(self) -> Price | None:
        from steelyard.cost.price import Price, bill

        if self.price_per_hour is None and self.price_per_million_tokens is None:
            return None
        price = Price(per_hour=self.price_per_hour, per_million_tokens=self.price_per_million_tokens)
        bill(price, None, None)  # refuses what makes no price before anything is measured
        return price


def costs(
    *systems: str,
    suite: str = "zh-traps",
    into: Path | None = None,
    lang: Lang | None = None,
    json: bool = False,
    options: CostOptions | None = None,
    reading: ReadingOptions | None = None,
) -> int:
    """Measure what systems take to run: load, memory, latency, throughput, storage, and an endpoint under load.

    Every system is measured in fresh processes, by turns, and watched from outside. A figure is the median of
    the rounds and carries their range; fewer than four rounds tell no two systems apart.

    Args:
        systems: expressions as `steelyard weigh` takes them; those of --into when left out.
        suite: whose texts are embedded: a name of `steelyard suites`, or your own folder or file.
        into: a result file whose systems get these costs.
        lang: en or zh; that of your locale when left out.
        json: print one JSON document instead of tables.
    """
    from steelyard.bench.costing.costs import expected, measure_costs, with_costs
    from steelyard.bench.evaluation.result import load, save
    from steelyard.errors import UsageError
    from steelyard.report.costs import cost_blocks
    from steelyard.report.table import Line
    from steelyard.retrieval.resolve import read_systems

    config = (options or CostOptions()).config()
    stored = load(into) if into else None
    asked = systems or (tuple(s.name for s in stored.weighed) if stored else ())
    if not asked:
        raise UsageError("name one system or more, e.g. steelyard costs e5-small bm25, or a result with --into FILE")
    nodes = read_systems(asked)
    if not json:
        tell([expected(nodes, config)], lang)
    with progress_bar(quiet=json, lang=lang) as watcher:
        costed = measure_costs(nodes, (reading or ReadingOptions()).open(suite), config, watcher)
    if stored and into:
        save(with_costs(stored, costed), into)
    if json:
        write_json({c.name: c.record.model_dump() if c.record else {"error": c.error} for c in costed})
    else:
        w = wording(lang)
        failed = (w("reproduce.system_failed", system=c.name, error=c.error) for c in costed if c.error)
        show([*cost_blocks({c.name: c.record for c in costed if c.record}, w), *map(Line, failed)])
    return code_of(costed)
