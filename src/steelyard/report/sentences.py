"""The verdict in words, in the language of the report."""

from __future__ import annotations

from steelyard.report.content import Report
from steelyard.stats.power import MOST_QUERIES, queries_needed
from steelyard.stats.verdict import Comparison
from steelyard.wording.words import Wording


def headline(report: Report, w: Wording) -> str:
    """Which systems rank first, in one sentence."""
    return w.of(report.verdict.headline)


def below(report: Report, w: Wording) -> tuple[str, ...]:
    """What so many queries can show, and how many it would take."""
    return tuple(filter(None, (w.of(report.verdict.reach), *needed(report, w), advice(report, w))))


def title(report: Report, w: Wording) -> str:
    """The recommendation; the verdict where there is nothing to choose, or nothing that is known to be right."""
    hopeless = all(f.low <= 0 for f in report.verdict.figures.values())
    if not report.verdict.comparisons or hopeless:
        return headline(report, w)
    return w("recommend.take", choice=report.advice.choice)


def reason(report: Report, w: Wording) -> str:
    """Why that system; the verdict where it is the title."""
    groups = report.verdict.groups
    tied = bool(groups) and len(groups[0]) > 1
    if title(report, w) == headline(report, w):
        return ""
    return w.of(report.advice.reason) if tied else headline(report, w)


def details(report: Report, w: Wording) -> tuple[str, ...]:
    """What the recommendation gives up and cannot carry, and what so many queries can show."""
    advised = bool(reason(report, w))
    lower = [line for line in report.advice.gives_up if line.key == "advice.points_to"] if advised else []
    cautions = report.advice.cautions if advised else ()
    found = [w("advice.gives_up", what=line) for line in lower]
    found += [w.of(line) for line in cautions if not lower or line.key != "advice.unproved"]
    return tuple(filter(None, (*found, w.of(report.verdict.reach), *needed(report, w))))


def lost_intro(report: Report, w: Wording) -> str:
    """Which queries count as lost, and how many there are."""
    lost = report.lost
    key = "lost.intro" if lost.measure == "top1" else "lost.intro_by"
    return w(key, total=lost.total, queries=len(report.result.queries), measure=w.measure(lost.measure))


def glossary(w: Wording) -> list[tuple[str, str, str]]:
    """Key, term and explanation of every entry."""
    keys = [key.partition(".")[2] for key in w.words if key.startswith("glossary.")]
    return [(key, w(f"term.{key}"), w(f"glossary.{key}")) for key in keys]


def caption(report: Report, w: Wording) -> str:
    """What the main table's figures are."""
    key = "table.caption" if report.points else "table.caption_plain"
    return w(key, measure=w.measure(report.verdict.measure), alpha=f"{report.verdict.alpha:g}")


def engines(report: Report, w: Wording) -> tuple[str, ...]:
    """Which backend ran each model."""
    found = dict.fromkeys(str(engine) for system in report.result.weighed for engine in system.engines)
    return tuple(w("text.engine", engine=engine) for engine in found)


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
