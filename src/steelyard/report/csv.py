"""A report as one long CSV: every row says which table it belongs to, so that a pivot table takes it apart again."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator, Mapping

from steelyard.report.content import Report
from steelyard.stats.intervals import Interval

COLUMNS = (
    "table", "system", "versus", "measure", "category", "kind", "value", "low", "high", "n", "p", "p_holm", "apart",
    "group", "query", "text", "right_answer", "first_hit", "rank",
)  # fmt: skip
_FORMULA = ("=", "+", "-", "@", "\t", "\r")

Row = Mapping[str, object]


def to_csv(report: Report) -> str:
    """All tables of a report; figures unrounded, between 0 and 1 where the page shows points.

    A text that a spreadsheet would take for a formula gets an apostrophe in front.
    """
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS, restval="", lineterminator="\n")
    writer.writeheader()
    for part in (_figures, _categories, _winners, _pairs, _pace, _costs, _stored, _load, _lost):
        writer.writerows({key: _safe(value) for key, value in row.items()} for row in part(report))
    return out.getvalue()


def _figures(report: Report) -> Iterator[Row]:
    for measure, figures in report.judgement.figures.items():
        judged = measure == report.verdict.measure
        for system, figure in figures.items():
            group = report.verdict.letters[system] if judged else ""
            yield {"table": "figures", "system": system, "measure": measure, "group": group, **_interval(figure)}
    for failed in report.failed:
        yield {"table": "failed", "system": failed.name, "text": failed.error}


def _categories(report: Report) -> Iterator[Row]:
    for category in report.categories:
        for system, figure in report.judgement.categories[category].items():
            base = {"table": "categories", "system": system, "measure": report.verdict.measure, "category": category}
            yield {**base, **_interval(figure)}


def _winners(report: Report) -> Iterator[Row]:
    for system, shares in report.judgement.winners.items():
        for kind in report.kinds:
            yield {"table": "stood_first", "system": system, "kind": kind, "value": shares.get(kind, 0.0)}


def _pairs(report: Report) -> Iterator[Row]:
    for c in report.verdict.comparisons:
        yield {
            "table": "pairs", "system": c.a, "versus": c.b, "measure": c.measure, "value": c.difference,
            "low": c.low, "high": c.high, "n": report.verdict.n, "p": c.p, "p_holm": c.p_holm,
            "apart": "yes" if c.distinguishable else "no",
        }  # fmt: skip


def _pace(report: Report) -> Iterator[Row]:
    for p in report.pace.points if report.pace else ():
        front = "front" if p.front else ""
        yield {
            "table": "milliseconds_per_query", "system": p.system, "kind": front, "value": p.milliseconds,
            "low": p.low, "high": p.high,
        }  # fmt: skip


def _costs(report: Report) -> Iterator[Row]:
    for bars in report.costs:
        for system, figure in bars.figures.items():
            yield {
                "table": "costs", "system": system, "measure": bars.key, "value": figure.value, "low": figure.low,
                "high": figure.high, "n": figure.rounds,
            }  # fmt: skip


def _stored(report: Report) -> Iterator[Row]:
    for system in report.result.weighed:
        for kept in system.costs.storage if system.costs else ():
            yield {
                "table": "bytes_a_million_documents", "system": system.name,
                "measure": f"{kept.precision} x {kept.dimension}", "value": kept.bytes_per_million,
            }  # fmt: skip


def _load(report: Report) -> Iterator[Row]:
    for system in report.result.weighed:
        for level in system.costs.load if system.costs else ():
            figures = {"texts_per_second": level.texts_per_second, "p50_ms": level.p50_ms, "p95_ms": level.p95_ms}
            for name, figure in figures.items():
                if figure is not None:
                    yield {
                        "table": "load", "system": system.name, "measure": name, "kind": f"{level.clients} clients",
                        "value": figure.value, "low": figure.low, "high": figure.high, "n": figure.rounds,
                    }  # fmt: skip


def _lost(report: Report) -> Iterator[Row]:
    documents = report.result.documents
    for lost in report.lost.shown:
        query = lost.query
        for loss in lost.losses:
            yield {
                "table": "lost", "system": loss.system, "category": query.category or "", "kind": loss.winner,
                "query": query.id, "text": query.text, "rank": loss.rank or "",
                "right_answer": documents.get(query.relevant[0], ""),
                "first_hit": documents.get(loss.hits[0], "") if loss.hits else "",
            }  # fmt: skip


def _interval(figure: Interval) -> dict[str, object]:
    return {"value": figure.estimate, "low": figure.low, "high": figure.high, "n": figure.n}


def _safe(value: object) -> object:
    if isinstance(value, float) and not math.isfinite(value):
        return ""
    if isinstance(value, str) and value.startswith(_FORMULA):
        return "'" + value
    return value
