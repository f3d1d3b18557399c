"""The verdict in words, in the language of the report."""

from __future__ import annotations

from steelyard.report.content import Report
from steelyard.report.wording import Wording
from steelyard.stats.power import MOST_QUERIES, queries_needed
from steelyard.stats.verdict import Comparison


def headline(report: Report, w: Wording) -> str:
    """Who is ahead, in one sentence."""
    verdict = report.verdict
    measure = w.name("measure", verdict.measure)
    first = verdict.groups[0] if verdict.groups else ()
    if not verdict.comparisons:
        return w("verdict.one", measure=measure)
    if not any(c.distinguishable for c in verdict.comparisons):
        return w("verdict.all_alike", measure=measure, count=len(verdict.figures), n=verdict.n)
    if len(first) == 1:
        return w("verdict.one_ahead", best=first[0], measure=measure, n=verdict.n)
    return w("verdict.best_group", measure=measure, n=verdict.n, names=w.join(first))


def reach(report: Report, w: Wording) -> str:
    """What so many queries can show; empty for one system."""
    verdict = report.verdict
    if not verdict.comparisons:
        return ""
    if verdict.detectable is None:
        return w("verdict.no_reach")
    points = all(c.points for c in verdict.comparisons)
    amount = f"{100 * verdict.detectable:.1f} {w('text.points')}" if points else f"{verdict.detectable:.3g}"
    return w("verdict.reach", amount=amount)


def needed(report: Report, w: Wording) -> tuple[str, ...]:
    """How many queries the best system and the first other one that it cannot be told from would need."""
    if not report.judgement.needed:
        return ()
    figures = report.verdict.figures
    pair = next(c for c in report.verdict.comparisons if _undecided(report, c))
    a, b = figures[pair.a].estimate, figures[pair.b].estimate
    need = queries_needed(a, b)
    count = w("verdict.more_than", count=f"{MOST_QUERIES:,}") if need.n is None else f"{need.n:,}"
    share = f"{100 * need.discordance:.1f}"
    return (
        w("verdict.needed", a=pair.a, b=pair.b, count=count, low=f"{100 * a:.1f}", high=f"{100 * b:.1f}",
          share=share, n=report.verdict.n),
    )  # fmt: skip


def advice(report: Report, w: Wording) -> str:
    """That of equals the cheaper is the better one; empty where the best stands alone."""
    groups = report.verdict.groups
    return w("verdict.cheaper") if groups and len(groups[0]) > 1 and report.verdict.comparisons else ""


def remarks(report: Report, w: Wording) -> tuple[str, ...]:
    """What a reader must know besides: what was skipped, cut, or failed. Notes of engines stay in their English."""
    result = report.result
    lines = [result.note] if result.note else []
    if len(report.origins) > 1:
        lines.append(w("reproduce.several", origins=w.join(report.origins)))
    if report.judgement.skipped:
        lines.append(w("reproduce.skipped", count=len(report.judgement.skipped)))
    if not result.complete:
        lines.append(w("reproduce.interrupted"))
    for system in result.systems:
        lines += [note if note.startswith(system.name) else f"{system.name}: {note}" for note in system.notes]
        if system.error:
            lines.append(w("reproduce.system_failed", system=system.name, error=system.error))
        if system.cache.trouble:
            lines.append(f"{system.name}: {system.cache.trouble}")
    return (*lines, *(f"{result.suite.name}: {finding}" for finding in result.suite.findings))


def _undecided(report: Report, pair: Comparison) -> bool:
    a, b = report.verdict.figures[pair.a], report.verdict.figures[pair.b]
    binary = a.method == b.method == "wilson"
    return binary and not pair.distinguishable and a.estimate != b.estimate
