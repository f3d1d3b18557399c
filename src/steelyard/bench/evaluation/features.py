"""Vectors as features: a linear probe and clusters on labelled texts, as a result that is judged like any other.

In such a result a query is a labelled text, its category is the label, and the one measure is ``probe``: 1 where a
linear classifier that has not seen the text gives it its label, else 0. Intervals and paired tests follow from that.

Texts are embedded as queries by default: that is the side whose template suits a text on its own (E5 advises so), and
the one that takes an instruction. The default instruction of a retrieval model speaks of retrieval, so it is left out
unless the expression gives one.
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from steelyard.bench.evaluation.cache import VectorCache
from steelyard.bench.evaluation.cached import CachedEncoder, CacheUse
from steelyard.bench.evaluation.environment import read_environment
from steelyard.bench.evaluation.result import (
    CacheRecord,
    FeatureRecord,
    QueryRecord,
    Result,
    SuiteSummary,
    SystemRecord,
    save,
)
from steelyard.bench.evaluation.runner import SilentWatcher, Watcher, cuts
from steelyard.engines.base import TruncationWarning
from steelyard.engines.protocol import Encoder
from steelyard.engines.vectors import cut
from steelyard.errors import SteelyardError, UsageError
from steelyard.measures.clustering import as_codes, k_means, v_interval, v_measure
from steelyard.measures.linear_probe import FOLDS, out_of_fold
from steelyard.measures.names import PROBE
from steelyard.retrieval.builder import SystemBuilder, shaped
from steelyard.retrieval.quantised import quantised
from steelyard.retrieval.resolve import notes, read_systems
from steelyard.retrieval.system import Single, System
from steelyard.suites.labelled import Labelled
from steelyard.types import Role, Vectors

_FEW = 30  # texts a label below which the V-measure is flattered and its interval too narrow


@dataclass(frozen=True)
class FeatureConfig:
    """How to measure.

    Attributes:
        side: whose template is put on.
        folds: of the probe.
        seed: of folds and clusters.
        cache: None computes everything.
        out: where the result is kept; None keeps it in memory only.
    """

    side: Role = Role.QUERY
    folds: int = FOLDS
    seed: int = 20260
    cache: VectorCache | None = None
    out: Path | None = None
    findings: tuple[str, ...] = field(default=())


def weigh_features(
    systems: Sequence[str | System], labelled: Labelled, config: FeatureConfig, watcher: Watcher | None = None
) -> Result:
    """Measures every system; one that fails is recorded with its error and the rest go on.

    Args:
        systems: expressions or resolved systems; each one encoder, cut and quantised as its expression says.
        labelled: the texts.
        config: how.
        watcher: told how far it is.

    Raises:
        DataError: fewer than two labels, or one with fewer texts than folds.
    """
    asked = read_systems(systems)
    watching = watcher or SilentWatcher()
    done = []
    for number, system in enumerate(asked, 1):
        watching.system(system.name, number, len(asked))
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", TruncationWarning)
            try:
                rows_, use = embed(system, labelled.texts, config, watching)
            except SteelyardError as wrong:
                done.append(SystemRecord(name=system.name, error=str(wrong)))
                continue
        shortened = cuts([w.message for w in caught if isinstance(w.message, TruncationWarning)])
        record = _record(system, rows_, labelled, config, use)
        done.append(record.model_copy(update={"notes": (*record.notes, *shortened)}))
    result = _result(labelled, config, done)
    if config.out:
        save(result, config.out)
    return result


def embed(system: System, texts: Sequence[str], config: FeatureConfig, watcher: Watcher) -> tuple[Vectors, CacheUse]:
    """float32[n, d] of a system's one encoder, cut, normalised and quantised as its expression says.

    Raises:
        UsageError: the system is not one encoder.
    """
    if not isinstance(system, Single) or system.encoder is None:
        raise UsageError(f"{system} is not one encoder, so it has no vectors to use as features")
    use, asked = CacheUse(), system.vectors

    def wrap(encoder: Encoder) -> Encoder:
        return CachedEncoder(encoder, config.cache, use, lambda done, total: watcher.step("embed", done, total))

    builder = SystemBuilder(wrap_encoder=wrap)
    try:
        encoder = shaped(builder.encoder(system.encoder), asked)
        vectors = encoder.encode(texts, config.side, asked.instruction if asked.instructed else "")
    finally:
        builder.close()
    return quantised(cut(vectors, asked.dimension), asked.precision), use


def _record(system: System, vectors: Vectors, labelled: Labelled, config: FeatureConfig, use: CacheUse) -> SystemRecord:
    given = out_of_fold(vectors, labelled.labels, config.folds, config.seed)
    values = tuple(float(a == b) for a, b in zip(given, labelled.labels, strict=True))
    return SystemRecord(
        name=system.name,
        values={PROBE: values},
        features=clusters(vectors, labelled.labels, config.seed),
        cache=CacheRecord(found=use.found, computed=use.computed, trouble=use.trouble),
        notes=notes(system),
    )


def clusters(vectors: Vectors, labels: Sequence[str], seed: int) -> FeatureRecord:
    """As many clusters as there are labels, and how well they agree."""
    codes = as_codes(labels)
    found = k_means(vectors, len(set(labels)), seed)
    every = [v_measure(codes, c) for c in found]
    low, high = v_interval(codes, found[0], seed=seed)
    return FeatureRecord(
        v_measure=every[0],
        low=low,
        high=high,
        restarts=(min(every), max(every)),
        clusters=tuple(np.asarray(found[0]).tolist()),
    )


def _result(labelled: Labelled, config: FeatureConfig, done: Sequence[SystemRecord]) -> Result:
    counts = Counter(labelled.labels)
    rare = [label for label, count in counts.items() if count < _FEW]
    few = f"{len(rare)} of {len(counts)} labels have fewer than {_FEW} texts: V-measures are flattered" if rare else ""
    queries = tuple(
        QueryRecord(id=f"t{i}", text=text, category=label)
        for i, (text, label) in enumerate(zip(labelled.texts, labelled.labels, strict=True), 1)
    )
    return Result(
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        suite=SuiteSummary(
            name=labelled.name,
            version=labelled.card.version,
            licence=labelled.card.licence,
            checksum=labelled.checksum,
            queries=len(queries),
            documents=0,
            findings=(*config.findings, *((few,) if few else ())),
        ),
        measures=(PROBE,),
        seed=config.seed,
        depth=0,
        complete=True,
        environment=read_environment(),
        queries=queries,
        systems=tuple(done),
        note=f"Labelled texts: linear probe in {config.folds} folds, k-means of {len(counts)} clusters. Always the "
        f"commonest label would be right in {100 * labelled.commonest:.1f} %.",
    )
