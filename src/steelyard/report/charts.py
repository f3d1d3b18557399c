"""The pictures of a report, each one Altair chart with its alternative text."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from steelyard.bench.advice.system_metadata import COSTS
from steelyard.report.content import Report
from steelyard.report.drawing import (
    BLUE,
    CURVES,
    GREY,
    KIND_COLOURS,
    ORANGE,
    ROW,
    Key,
    Picture,
    Row,
    columns_axis,
    data,
    decades,
    drawn,
    finish,
    load_altair,
    names_axis,
)
from steelyard.report.economy import CostBars, Pace, PacePoint
from steelyard.report.labels import PLACES, label_places
from steelyard.report.sweeps import Sweep
from steelyard.wording.numbers import amount, short
from steelyard.wording.words import Wording

_PLAIN = ",.3~r"  # 2,000 and 0.05, never 2e+3


def pictures(report: Report, w: Wording) -> tuple[Picture, ...]:
    """Every chart that the result has figures for.

    Raises:
        MissingExtraError: Altair is not installed.
    """
    found = [_intervals(report, w)]
    if report.categories:
        found.append(_heat_map(report, w))
    if report.judgement.winners:
        found.append(_fooled(report, w))
    if report.pace:
        found.append(_pareto(report, report.pace, w))
    found += [_sweep(report, sweep, w) for sweep in report.sweeps]
    found += [_costs(report, bars, w) for bars in report.costs if bars.key not in COSTS or COSTS[bars.key].drawn]
    return tuple(found)


def _measure(report: Report, w: Wording) -> str:
    return w.measure(report.verdict.measure)


def _intervals(report: Report, w: Wording) -> Picture:
    """The judged measure with its interval: the picture of the main table."""
    alt = load_altair()
    measure, figures = _measure(report, w), report.verdict.figures
    rows: list[Row] = [
        {**drawn(report, f), "system": name, "label": f"{amount(f.estimate, points=report.points)}  {letters}"}
        for (name, f), letters in zip(figures.items(), report.verdict.letters.values(), strict=True)
    ]
    base = alt.Chart(data(rows)).encode(y=alt.Y("system:N", sort=list(figures), title=None, axis=names_axis()))
    x = alt.X("value:Q", title=measure, scale=alt.Scale(zero=False, nice=True), axis=alt.Axis(tickCount=6))
    layers = base.mark_rule(size=2, color=BLUE).encode(x=alt.X("low:Q", title=measure), x2="high:Q")
    layers += base.mark_point(size=70, filled=True, color=BLUE, opacity=1).encode(x=x)
    layers += base.mark_text(align="left", dx=8).encode(x="high:Q", text="label:N")
    title = f"{measure}, {w('table.interval')}"
    best, figure = next(iter(figures.items()))
    says = f"{title}: {best} {amount(figure.estimate, points=report.points)}"
    return Picture("intervals", title, says, finish(layers, ROW * len(rows)))


def _pareto(report: Report, found: Pace, w: Wording) -> Picture:
    measure = _measure(report, w)
    front = w.join([p.system for p in found.points if p.front])
    says = w("pareto.alt", measure=measure, names=front)
    return Picture("pareto", w("section.pareto"), says, finish(_pareto_layers(report, found, w), 340))


def _pareto_layers(report: Report, found: Pace, w: Wording) -> Any:
    alt = load_altair()
    measure = _measure(report, w)
    low, high = min(p.low for p in found.points) / 1.8, max(p.high for p in found.points) * 3
    times = alt.Scale(type="log", domain=[low, high], nice=False)
    axis = alt.Axis(values=decades(low, high), format=_PLAIN)
    rows = _pareto_rows(report, found.points)
    base = alt.Chart(data(rows)).encode(
        x=alt.X("ms:Q", title=w(f"pareto.x_{found.source}"), scale=times, axis=axis),
        y=alt.Y("value:Q", title=measure, scale=alt.Scale(zero=False, nice=True), axis=alt.Axis(tickCount=6)),
    )
    tips = [alt.Tooltip("system:N", title=w("table.system")), alt.Tooltip("tip:N", title=measure)]
    tips.append(alt.Tooltip("ms:Q", title=w("pareto.time"), format=".3~g"))
    fill = alt.condition("datum.front", alt.value(BLUE), alt.value("transparent"))
    on_front = base.transform_filter("datum.front")
    layers = on_front.mark_line(color=BLUE, interpolate="step-after", strokeDash=[3, 3], strokeWidth=1.5)
    layers += base.mark_rule(color=GREY).encode(y=alt.Y("low:Q", title=measure), y2="high:Q")
    layers += base.mark_rule(color=GREY).encode(x=alt.X("ms_low:Q", scale=times), x2="ms_high:Q")
    layers += base.mark_point(size=90, stroke=BLUE, strokeWidth=2, opacity=1).encode(fill=fill, tooltip=tips)
    used = {row["place"] for row in rows}
    for place in (p for p in PLACES if p.name in used):
        text = base.transform_filter(f"datum.place == '{place.name}'")
        layers += text.mark_text(align=place.align, dx=place.dx, dy=place.dy, limit=260).encode(text="label:N")
    return layers


def _pareto_rows(report: Report, points: Sequence[PacePoint]) -> list[Row]:
    labels = {p.system: f"{p.system} ({report.verdict.letters[p.system]})" for p in points}
    places = label_places([(labels[p.system], math.log10(p.milliseconds), p.figure.estimate) for p in points])
    return [
        {
            **drawn(report, p.figure), "system": p.system, "label": labels[p.system],
            "ms": p.milliseconds, "ms_low": p.low, "ms_high": p.high, "front": p.front, "place": place,
        }
        for p, place in zip(points, places, strict=True)
    ]  # fmt: skip


def _sweep(report: Report, sweep: Sweep, w: Wording) -> Picture:
    measure, option = _measure(report, w), w.name("sweep", sweep.option)
    families = [c.family for c in sweep.curves]
    looks = [CURVES[i % len(CURVES)] for i in range(len(families))]
    legend = tuple(Key(f, colour, dash) for f, (colour, dash) in zip(families, looks, strict=True))
    says = w("sweep.alt", measure=measure, option=option, names=w.join(families))
    title = w("sweep.title", measure=measure, option=option)
    spec = finish(_sweep_layers(report, sweep, w, legend), 280)
    return Picture(f"sweep-{sweep.option}", title, says, spec, legend if len(legend) > 1 else ())


def _sweep_layers(report: Report, sweep: Sweep, w: Wording, legend: Sequence[Key]) -> Any:
    alt = load_altair()
    rows: list[Row] = [
        {**drawn(report, s.figure), "family": c.family, "at": s.value, "system": s.system}
        for c in sweep.curves
        for s in c.spots
    ]
    ticks = sorted({s.value for c in sweep.curves for s in c.spots})
    doubling = ticks[0] > 0 and ticks[-1] / ticks[0] >= 4
    scale = alt.Scale(type="log", base=2, nice=False, padding=12) if doubling else alt.Scale(zero=False, padding=12)
    axis = alt.Axis(values=ticks, format=_PLAIN, labelOverlap=True)
    domain = [k.label for k in legend]
    colours = alt.Scale(domain=domain, range=[k.colour for k in legend])
    dashes = alt.Scale(domain=domain, range=[list(k.dash) for k in legend])
    base = alt.Chart(data(rows)).encode(
        x=alt.X("at:Q", title=w.name("sweep", sweep.option), scale=scale, axis=axis),
        color=alt.Color("family:N", title=None, scale=colours),
    )
    measure = _measure(report, w)
    y = alt.Y("value:Q", title=measure, scale=alt.Scale(zero=False, nice=True), axis=alt.Axis(tickCount=6))
    tips = [alt.Tooltip("system:N", title=w("table.system")), alt.Tooltip("tip:N", title=measure)]
    layers = base.mark_area(opacity=0.18).encode(y=alt.Y("low:Q", title=measure), y2="high:Q")
    layers += base.mark_line(strokeWidth=2).encode(y=y, strokeDash=alt.StrokeDash("family:N", title=None, scale=dashes))
    return layers + base.mark_point(filled=True, size=60, opacity=1).encode(y=y, tooltip=tips)


def _heat_map(report: Report, w: Wording) -> Picture:
    categories = report.categories
    says = w(
        "categories.alt", measure=_measure(report, w), rows=len(categories), columns=len(report.systems),
        hardest=w.name("category", categories[0]), easiest=w.name("category", categories[-1]),
    )  # fmt: skip
    layers = _heat_layers(report, w)
    return Picture("categories", w("section.categories"), says, finish(layers, ROW * len(categories)))


def _heat_layers(report: Report, w: Wording) -> Any:
    alt = load_altair()
    rows = _heat_rows(report, w)
    order = list(dict.fromkeys(str(row["category"]) for row in rows))
    base = alt.Chart(data(rows)).encode(
        x=alt.X("system:N", sort=list(report.systems), title=None, axis=columns_axis()),
        y=alt.Y("category:N", sort=order, title=None, axis=names_axis(130)),
        tooltip=[
            alt.Tooltip("category:N", title=w("categories.category")),
            alt.Tooltip("system:N", title=w("table.system")),
            alt.Tooltip("tip:N", title=_measure(report, w)),
        ],
    )
    low, high = _ends(rows, report.points)
    scale = alt.Scale(scheme="cividis", domain=[low, high])
    cells = base.mark_rect(cursor="pointer", stroke="transparent")
    ink = alt.condition(f"datum.share >= {(low + high) / 2!r}", alt.value("#000000"), alt.value("#ffffff"))
    texts = base.mark_text(cursor="pointer").encode(text="label:N", color=ink)
    return cells.encode(color=alt.Color("share:Q", scale=scale, legend=None)) + texts


def _heat_rows(report: Report, w: Wording) -> list[Row]:
    found = report.judgement.categories
    return [
        {
            **drawn(report, f), "category": _counted(report, c, w), "id": c, "system": s, "share": f.estimate,
            "label": f"{100 * f.estimate:.0f}" if report.points else short(f.estimate),
        }
        for c in report.categories
        for s, f in found[c].items()
        if f.n
    ]  # fmt: skip


def _counted(report: Report, category: str, w: Wording) -> str:
    count = max(f.n for f in report.judgement.categories[category].values())
    return f"{w.name('category', category)} ({count})"


def _ends(rows: Sequence[Row], points: bool) -> tuple[float, float]:
    """The ends of the colour scale; for shares it begins at 0 and ends at a round value."""
    values = [v for row in rows if isinstance(v := row["share"], float)]
    least, most = min(values, default=0.0), max(values, default=1.0)
    return (0.0, next(end for end in (0.25, 0.5, 1.0) if most <= end)) if points else (least, most)


def _fooled(report: Report, w: Wording) -> Picture:
    shares = report.judgement.winners
    best = report.systems[0] if report.systems[0] in shares else next(iter(shares))
    share = f"{100 * shares[best].get('positive', 0.0):.1f}"
    says = w("fooled.alt", columns=len(shares), best=best, share=share)
    legend = tuple(Key(w(f"kind.{kind}"), KIND_COLOURS[kind]) for kind in report.kinds)
    spec = finish(_fooled_layers(report, w, legend), ROW * len(shares))
    return Picture("fooled", w("section.fooled"), says, spec, legend)


def _fooled_layers(report: Report, w: Wording, legend: Sequence[Key]) -> Any:
    alt = load_altair()
    colours = alt.Scale(domain=[k.label for k in legend], range=[k.colour for k in legend])
    tips = [alt.Tooltip("system:N", title=w("table.system")), alt.Tooltip("kind:N", title=w("lost.first_hit"))]
    tips.append(alt.Tooltip("tip:N", title="%"))
    base = alt.Chart(data(_fooled_rows(report, w))).encode(
        y=alt.Y("system:N", sort=list(report.judgement.winners), title=None, axis=names_axis())
    )
    x = alt.X("from:Q", title="%", scale=alt.Scale(domain=[0, 100]), axis=alt.Axis(tickCount=5))
    bars = base.mark_bar(cursor="pointer").encode(
        x=x, x2="to:Q", color=alt.Color("kind:N", title=None, scale=colours), tooltip=tips
    )
    ink = alt.condition("datum.dark", alt.value("#ffffff"), alt.value("#000000"))
    return bars + base.mark_text().encode(x="middle:Q", text="label:N", color=ink)


def _fooled_rows(report: Report, w: Wording) -> list[Row]:
    rows: list[Row] = []
    for system, found in report.judgement.winners.items():
        start = 0.0
        for kind in report.kinds:
            share = 100 * found.get(kind, 0.0)
            row = {"system": system, "kind": w(f"kind.{kind}"), "id": kind, "from": start, "to": start + share}
            label = f"{share:.0f}" if share >= 8 else ""
            dark = kind in ("positive", "none")
            rows.append({**row, "middle": start + share / 2, "label": label, "dark": dark, "tip": f"{share:.1f} %"})
            start += share
    return rows


def _costs(report: Report, bars: CostBars, w: Wording) -> Picture:
    title, figures = w(f"costs.{bars.key}"), bars.figures
    ordered = sorted(figures, key=lambda s: figures[s].value)
    low, high = figures[ordered[0]], figures[ordered[-1]]
    says = w(
        "costs.alt", title=title, columns=len(figures), low=short(low.value), cheap=ordered[0],
        high=short(high.value), dear=ordered[-1],
    )  # fmt: skip
    return Picture(f"cost-{bars.key}", title, says, finish(_cost_layers(report, bars), ROW * len(figures)))


def _cost_layers(report: Report, bars: CostBars) -> Any:
    alt = load_altair()
    rows: list[Row] = [
        {"system": s, "value": f.value, "low": f.low, "high": f.high, "label": short(f.value)}
        for s, f in bars.figures.items()
    ]
    order = [s for s in report.systems if s in bars.figures]
    base = alt.Chart(data(rows)).encode(y=alt.Y("system:N", sort=order, title=None, axis=names_axis(150)))
    most = max(f.high for f in bars.figures.values()) or 1.0
    x = alt.X("value:Q", title=None, scale=alt.Scale(domain=[0, 1.2 * most]), axis=alt.Axis(tickCount=4, format=_PLAIN))
    layers = base.mark_bar(color=BLUE, opacity=0.85, height={"band": 0.62}).encode(x=x)
    if any(f.low != f.high for f in bars.figures.values()):
        layers += base.mark_rule(color=ORANGE, size=2).encode(x="low:Q", x2="high:Q")
    return layers + base.mark_text(align="left", dx=5).encode(x="high:Q", text="label:N")
