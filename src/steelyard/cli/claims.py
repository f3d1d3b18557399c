"""``steelyard claims``: the published experiment's eight claims, tested on the user's own systems and texts."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from steelyard.cli.codes import code_of
from steelyard.cli.costs import CostOptions
from steelyard.cli.output import progress_bar, show, write_json
from steelyard.cli.reading import ReadingOptions
from steelyard.cli.stored import choose, tell

if TYPE_CHECKING:
    from steelyard.bench.evaluation.result import Result

DEFAULT_SYSTEMS = ("e5-small", "use-multilingual", "minilm-en", "bm25", "bm25 + e5-small >> maxsim[top=5]")
DEFAULT_DIMENSIONS = (512, 1024)


@Parameter(name="*")
@dataclass(frozen=True)
class ClaimOptions:
    """What to test on.

    Attributes:
        systems: expressions. Without any, systems that work with nothing but this installation.
        claims: a file of your own claims, as published_claims.toml in steelyard/bench/advice; the published eight
            when left out.
        suite: a name of `steelyard suites`, or your own folder or file.
        result: a stored result, or published:NAME; nothing is weighed then.
        labelled: for the claim about semantic richness: a result of `steelyard features`, or texts that it takes
            (`zh-reviews`, `zh-en-topics`, your own table).
        dims: sizes at which "most of the quality" is asked for; 512 and 1024 as claimed.
        instructions: a file with further task texts, one a line.
        margin: points that do not matter.
        max_p95_ms: what an engineering choice must keep.
        measure: what to judge by.
        out: the result file; `results/claims-SUITE.json` when left out.
        cache: keep vectors and scores for the next run.
        json: print one JSON document instead of text.
        reading: how your own files are read.
        costs: how to measure costs, for the claims that need them.
    """

    systems: Annotated[tuple[str, ...], Parameter(consume_multiple=True, negative="")] = ()
    claims: Path | None = None
    suite: str = "zh-traps"
    result: str = ""
    labelled: str = ""
    dims: Annotated[str, Parameter(name=["--dims", "--dimensions"])] = ""
    instructions: Path | None = None
    margin: float = 5.0
    max_p95_ms: float | None = None
    measure: str = "top1"
    out: Path | None = None
    cache: Annotated[bool, Parameter(negative="--no-cache")] = True
    json: bool = False
    reading: ReadingOptions = field(default_factory=ReadingOptions)
    costs: CostOptions = field(default_factory=CostOptions)


def claims(*numbers: int, options: ClaimOptions | None = None) -> int:
    """Test published claims, or a file of your own, on your systems and texts.

    Each answer (holds, does not hold, cannot be told, not tested) comes with its figures. A claim about models that
    are not among yours is not tested. A claim of no difference holds only where the interval excludes a larger one.

    1. BGE-M3 is the best value for ordinary Chinese retrieval.
    2. More parameters do not bring more Top-1.
    3. 4B and 8B win in recall and semantic richness.
    4. Cost climbs steeply with size.
    5. An instruction adds 5-10 points of Top-1.
    6. 512 or 1024 dimensions keep most of the quality.
    7. BGE-M3 recall + Qwen3-Reranker is the best engineering choice.
    8. Leaderboard first is not best in practice.

    Exit code 0 says that the tests were made, whatever the answers; `--json` gives them to a program.

    Args:
        numbers: from 1; all of them when left out.
    """
    from steelyard.bench.advice.claim_run import chosen, needs
    from steelyard.bench.advice.claims import judge_claim, load_claims
    from steelyard.bench.advice.evidence import Evidence
    from steelyard.bench.evaluation.result import load
    from steelyard.cli.sweep import read_integers
    from steelyard.errors import UsageError
    from steelyard.report.claims_view import claim_blocks

    asked = options or ClaimOptions()
    if not 0 < asked.margin < 100:
        raise UsageError(f"--margin takes points between 0 and 100, not {asked.margin:g}")
    known = load_claims(asked.claims)
    picked = chosen(numbers, known)
    dimensions = read_integers(asked.dims, "--dims") or DEFAULT_DIMENSIONS
    result = load(asked.result) if asked.result else _run(needs(picked, known), dimensions, asked)
    evidence = Evidence(
        result=result,
        measure=asked.measure,
        margin=asked.margin / 100,
        features=_features(result, asked) if asked.labelled else None,
        dimensions=dimensions,
        max_p95_ms=asked.max_p95_ms,
    )
    findings = [judge_claim(number, evidence, known) for number in picked]
    if asked.json:
        write_json([asdict(f) for f in findings])
    else:
        show(claim_blocks(findings))
    return code_of(evidence.result.systems)


def _run(needed: frozenset[str], dimensions: tuple[int, ...], asked: ClaimOptions) -> Result:
    from steelyard.bench.advice.claim_run import costed, with_variants
    from steelyard.bench.costing.costs import expected, measure_costs, with_costs
    from steelyard.bench.evaluation.cache import VectorCache, default_cache_path
    from steelyard.bench.evaluation.result import save
    from steelyard.bench.evaluation.runner import WeighConfig, weigh
    from steelyard.cli.sweep import read_lines
    from steelyard.measures.names import with_votes
    from steelyard.retrieval.resolve import read_systems
    from steelyard.wording.words import say

    systems = read_systems(asked.systems or DEFAULT_SYSTEMS)
    instructions = read_lines(asked.instructions) if asked.instructions else ()
    nodes = with_variants(systems, needed, dimensions, instructions)
    costs = asked.costs.config()
    suite = asked.reading.open(asked.suite)
    path = choose(asked.out, "claims-", suite, [str(n) for n in nodes]).path
    measures = with_votes((asked.measure, *suite.votes))
    cache = VectorCache(default_cache_path()) if asked.cache else None
    if not asked.json:
        begin = {"systems": len(nodes), "queries": len(suite.queries)}
        held = cache.stats().entries if cache else 0
        lines = [say("progress.claims_begin", documents=len(suite.documents), entries=held, **begin)]
        tell([*lines, *([expected(costed(systems, nodes), costs)] if "costs" in needed else [])], None)
    with progress_bar(quiet=asked.json) as watcher:
        result = weigh(nodes, suite, WeighConfig(measures=measures, cache=cache), None, watcher)
        if "costs" in needed:
            result = with_costs(result, measure_costs(costed(systems, nodes), suite, costs, watcher))
    save(result, path)
    return result


def _features(result: Result, asked: ClaimOptions) -> Result:
    """A stored result, or one made of the result's models as they are."""
    from steelyard.bench.evaluation.cache import VectorCache, default_cache_path
    from steelyard.bench.evaluation.features import FeatureConfig, weigh_features
    from steelyard.bench.evaluation.result import load
    from steelyard.retrieval.resolve import Resolver
    from steelyard.retrieval.system import Single
    from steelyard.suites.labelled_tiers import open_labelled

    if Path(asked.labelled).suffix == ".json":
        return load(asked.labelled)
    known = Resolver().known
    systems = [s for record in result.weighed if (s := known(record.name)) and not s.node.options]
    models = [s for s in systems if isinstance(s, Single) and s.encoder and s.encoder.here]
    config = FeatureConfig(cache=VectorCache(default_cache_path()) if asked.cache else None)
    with progress_bar(quiet=asked.json) as watcher:
        return weigh_features(models, open_labelled(asked.labelled), config, watcher)
