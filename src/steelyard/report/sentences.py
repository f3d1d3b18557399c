"""The verdict in words, in the language of the report."""

from __future__ import annotations

from steelyard.report.content import Report
from steelyard.wording.words import Wording


def headline(report: Report, w: Wording) -> str:
    """Which systems rank first, in one sentence."""
    return w.of(report.verdict.headline)


def below(report: Report, w: Wording) -> tuple[str, ...]:
    """What guards separate, what so many queries can show, how many it would take, and what may replace the best."""
    found = report.judgement
    lines = (w.of(found.verdict.reach), *map(w.of, found.needed), *backing(report, w))
    return tuple(filter(None, lines))


def guards(report: Report, w: Wording) -> tuple[str, ...]:
    """What guards separate and the judged measure does not."""
    return tuple(w("verdict.guard", text=pair.sentence) for pair in report.judgement.separated)


def replaced(report: Report, w: Wording) -> tuple[str, ...]:
    """Which systems are no worse than the best by every measure that votes; nothing without margins."""
    found = report.judgement.replaced
    margin = next((r.margin_text for r in found.values()), "")
    if not margin:
        return ()
    best, allowed = report.systems[0], tuple(name for name, r in found.items() if r.allowed)
    if allowed:
        return (w("votes.allowed", names=allowed, best=best, margin=margin),)
    return (w("votes.nobody", best=best, margin=margin),)


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
    """What the recommendation gives up and cannot carry, and what was in reach."""
    advised = bool(reason(report, w))
    judged = report.judgement
    lower = [line for line in report.advice.gives_up if line.key == "advice.points_to"] if advised else []
    cautions = report.advice.cautions if advised else ()
    found = [*(w("advice.gives_up", what=line) for line in lower), *map(w.of, cautions)]
    return tuple(filter(None, (*found, w.of(report.verdict.reach), *map(w.of, judged.needed))))


def backing(report: Report, w: Wording) -> tuple[str, ...]:
    """What guards separate, what may replace the best, and what was assumed."""
    return (*guards(report, w), *replaced(report, w), *map(w.of, report.judgement.notes))


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
    return tuple(w("text.engine", engine=w.of(engine)) for engine in found)


def _of_system(name: str, note: str, w: Wording) -> str:
    return w.of(note) if note.startswith(name) else w("text.titled", title=name, text=w.of(note))


def remarks(report: Report, w: Wording) -> tuple[str, ...]:
    """What a reader must know besides: what was skipped, cut, or failed. Errors stay in their English."""
    result = report.result
    lines = [result.note] if result.note else []
    if len(report.origins) > 1:
        lines.append(w("reproduce.several", origins=w.join(report.origins)))
    if report.judgement.skipped:
        lines.append(w("reproduce.skipped", count=len(report.judgement.skipped)))
    if not result.complete:
        lines.append(w("reproduce.interrupted"))
    for system in result.systems:
        lines += [_of_system(system.name, note, w) for note in system.notes]
        if system.error:
            lines.append(w("reproduce.system_failed", system=system.name, error=system.error))
        if system.cache.trouble:
            lines.append(f"{system.name}: {system.cache.trouble}")
    return (*lines, *(f"{result.suite.name}: {finding}" for finding in result.suite.findings))
