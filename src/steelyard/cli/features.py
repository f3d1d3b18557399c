"""``steelyard features``: vectors as features for classification and clustering."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from steelyard.cli.codes import code_of
from steelyard.cli.output import Lang, progress_bar, show, wording, write_json
from steelyard.cli.stored import choose


@Parameter(name="*")
@dataclass(frozen=True)
class FeatureOptions:
    """What to measure on.

    Attributes:
        labelled: `zh-reviews`, `zh-reviews:4000`, `zh-en-topics`, or your own table (CSV, TSV, JSON Lines, Parquet)
            with a text and its label a row.
        text: the column of the texts.
        label: the column of the labels.
        side: whose template is put on the texts; `query` is what E5 and instructed models are advised for.
        folds: parts of the probe; every label needs as many texts.
        seed: of folds and clusters.
        out: the result file; `results/features-FILE.json` when left out.
        cache: keep vectors for the next run.
        lang: en or zh; that of your locale when left out.
        json: print the result document instead of the table.
    """

    labelled: str = "zh-reviews"
    text: str = "text"
    label: str = "label"
    side: Literal["query", "document"] = "query"
    folds: int = 5
    seed: int = 20260
    out: Path | None = None
    cache: Annotated[bool, Parameter(negative="--no-cache")] = True
    lang: Lang | None = None
    json: bool = False


def features(*systems: str, options: FeatureOptions | None = None) -> int:
    """Measure vectors as features: accuracy of a linear probe and V-measure of clusters, on labelled texts.

    The result is an ordinary one, with the measure `probe`: compare it, report it, and ask
    `steelyard advise RESULT --scenario features`. An instruction is put on only where an expression gives one.

    Args:
        systems: expressions of one encoder each, as `"e5-small[dim=128|384]"`.
    """
    from steelyard.bench.evaluation.cache import VectorCache, default_cache_path
    from steelyard.bench.evaluation.features import FeatureConfig, weigh_features
    from steelyard.errors import UsageError
    from steelyard.report.content import compose
    from steelyard.report.features_view import feature_blocks
    from steelyard.report.table import Line
    from steelyard.retrieval.resolve import read_systems
    from steelyard.suites.labelled_tiers import open_labelled
    from steelyard.types import Role

    asked = options or FeatureOptions()
    if not systems or asked.folds < 2:
        raise UsageError("name systems, and 2 folds or more: steelyard features e5-small --labelled my.csv --folds 5")
    nodes = read_systems(systems)
    labelled = open_labelled(asked.labelled, asked.text, asked.label)
    path = choose(asked.out, "features-", labelled, [str(n) for n in nodes]).path
    config = FeatureConfig(
        side=Role(asked.side),
        folds=asked.folds,
        seed=asked.seed,
        cache=VectorCache(default_cache_path()) if asked.cache else None,
        out=path,
    )
    with progress_bar(quiet=asked.json, lang=asked.lang) as watcher:
        result = weigh_features(nodes, labelled, config, watcher)
    if asked.json:
        write_json(result)
    else:
        w = wording(asked.lang)
        show([*feature_blocks(compose(result), w), Line(""), Line(w("hint.features", path=path))])
    return code_of(result.systems)
