"""Vectors as features: the linear probe with its test, the clusters with their interval."""

from __future__ import annotations

from collections.abc import Iterator

from steelyard.bench.evaluation.result import FeatureRecord, Result
from steelyard.measures.clustering import as_codes, v_difference
from steelyard.report import sentences
from steelyard.report.content import Report
from steelyard.report.table import Block, Entry, Line, Spread, Table, make_table
from steelyard.wording.numbers import CHANGE, POINTS
from steelyard.wording.words import Wording


def feature_blocks(report: Report, w: Wording) -> Iterator[Block]:
    """The table, the verdict by the probe, and the clusters of the best against the others."""
    yield features_table(report, w)
    yield Line(sentences.caption(report, w), "quiet")
    yield Line(sentences.headline(report, w), "heading")
    yield from map(Line, (*cluster_lines(report.result, w), *sentences.remarks(report, w)))


def features_table(report: Report, w: Wording) -> Table:
    """Systems best first by the probe."""
    records = {s.name: s.features for s in report.result.weighed}
    figures, letters = report.verdict.figures, report.verdict.letters
    labels = len({q.category for q in report.result.queries})

    def clusters(name: str) -> FeatureRecord | None:
        return records[name]

    entries: tuple[Entry[str], ...] = (
        Entry("table.system", lambda n: n),
        Entry("measure.probe", lambda n: Spread.of(figures[n]), POINTS, part="value"),
        Entry("table.interval", lambda n: Spread.of(figures[n]), POINTS, "", part="ends"),
        Entry("table.letters", lambda n: letters[n], key="group"),
        Entry("features.v_measure", lambda n: _v(clusters(n)), POINTS, part="value"),
        Entry("table.interval", lambda n: _v(clusters(n)), POINTS, "", part="ends"),
        Entry("features.restarts", lambda n: _restarts(clusters(n)), POINTS, "", part="ends"),
    )
    suite = report.result.suite
    title = w("text.titled", title=suite.name, text=w("features.title", texts=suite.queries, labels=labels))
    return make_table("features", figures, entries, w, title)


def cluster_lines(result: Result, w: Wording) -> list[str]:
    """The clusters of the best system against those of each other one, resampled together."""
    known = {s.name: s.features for s in result.weighed if s.features}
    if len(known) < 2:
        return []
    labels = as_codes([q.category or "" for q in result.queries])
    codes = {name: as_codes([f"{c:09}" for c in f.clusters]) for name, f in known.items()}
    best = max(known, key=lambda name: known[name].v_measure)
    lines = []
    for name in known:
        if name != best:
            found, low, high = v_difference(labels, codes[best], codes[name], seed=result.seed)
            key = "features.better" if low > 0 else "features.open"
            ends = CHANGE.range(low, high)
            lines.append(w(key, best=best, name=name, difference=CHANGE.number(found), ends=ends))
    return lines


def _v(found: FeatureRecord | None) -> Spread | None:
    return Spread(found.v_measure, found.low, found.high) if found else None


def _restarts(found: FeatureRecord | None) -> Spread | None:
    return Spread(found.v_measure, *found.restarts) if found else None
