"""The published experiment's table, in its columns and their order, with an interval beside every figure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from steelyard.bench.evaluation.against import mean
from steelyard.bench.evaluation.result import Result, SystemRecord
from steelyard.report import sentences
from steelyard.report.content import compose
from steelyard.report.table import COUNT, Block, Cell, Entry, Line, Spread, Table, make_table
from steelyard.wording.numbers import POINTS, NumberFormat
from steelyard.wording.words import Wording

MEASURES = ("top1", "hit@3")
_GIVEN, _GIVEN_GB = NumberFormat(given=True), NumberFormat(1e-9, given=True)
Row = tuple[Result, SystemRecord]


def published_blocks(results: Sequence[Result], w: Wording) -> Iterator[Block]:
    """The table, and what differs in each result.

    Raises:
        ResultError: a result has no top1 or hit@3.
    """
    yield published_table(results, w)
    yield Line(w("published.caption"), "quiet")
    for result in results:
        report = compose(result, measure="top1")
        suite = result.suite
        texts = suite.queries + suite.documents
        timed = {s.costs.texts for s in result.weighed if s.costs}
        sample = "" if timed <= {texts} else w("published.sampled", timed=w.join(list(map(str, timed))), texts=texts)
        counts = w("published.counts", queries=suite.queries, documents=suite.documents)
        said = w.paragraph(counts, sample, sentences.headline(report, w), *sentences.below(report, w)[:1])
        yield Line(w("text.titled", title=suite.name, text=said))


def published_table(results: Sequence[Result], w: Wording) -> Table:
    """One row a system, in the results' order."""
    entries: tuple[Entry[Row], ...] = (
        Entry("published.model", lambda r: r[1].name),
        Entry("published.memory", _memory, _GIVEN_GB),
        Entry("published.load", lambda r: Spread.of(r[1].costs.load_seconds) if r[1].costs else None, _GIVEN),
        Entry("published.inference", lambda r: Spread.of(r[1].costs.all_texts_seconds) if r[1].costs else None, _GIVEN),
        Entry("published.speed", lambda r: Spread.of(r[1].costs.texts_per_second) if r[1].costs else None, _GIVEN),
        Entry("published.top1", lambda r: Spread.of(mean(*_named(r), MEASURES[0])), POINTS),
        Entry("published.top3", lambda r: Spread.of(mean(*_named(r), MEASURES[1])), POINTS),
        Entry("published.dimensions", lambda r: (r[1].costs.dimension or None) if r[1].costs else None, COUNT),
    )
    return replace(make_table("published", [(r, s) for r in results for s in r.weighed], entries, w), wide=True)


def _named(row: Row) -> tuple[Result, str]:
    return row[0], row[1].name


def _memory(row: Row) -> Cell:
    """Of the GPU where there is one, else of the whole process, which is marked."""
    costs = row[1].costs
    if costs is None:
        return None
    return Spread.of(costs.gpu_bytes) if costs.gpu_bytes else Spread.of(costs.peak_rss_bytes, "p ")
