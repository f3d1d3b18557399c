"""What all charts share: colours, fonts, axes, and the value that a finished chart is.

Colours are told apart by people who see colours differently: Okabe and Ito's palette for kinds and curves, cividis for
amounts. Nothing is said by colour alone: marks carry names, figures, shapes or dashes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from steelyard.errors import MissingExtraError, install_line
from steelyard.report.content import KINDS, Report
from steelyard.stats.intervals import Interval
from steelyard.wording.numbers import amount, span

INSTALL = install_line("report")
FONT = "system-ui, 'Noto Sans', 'Noto Sans CJK SC', 'PingFang SC', 'Microsoft YaHei', 'DejaVu Sans', sans-serif"
ROW = 26
"""Pixels of a row."""

BLUE, ORANGE, GREEN, VERMILION, SKY, PURPLE, GREY = (
    "#0072B2", "#E69F00", "#009E73", "#D55E00", "#56B4E9", "#CC79A7", "#8C8C8C",
)  # fmt: skip
KIND_COLOURS = dict(zip(KINDS, (BLUE, ORANGE, VERMILION, SKY, "#A9A9A9", "#6B6B6B"), strict=True))
CURVES: tuple[tuple[str, tuple[int, ...]], ...] = (
    (BLUE, (1, 0)), (VERMILION, (6, 3)), (GREEN, (2, 2)), (ORANGE, (8, 3, 2, 3)), (PURPLE, (4, 4)), (SKY, (1, 3)),
)  # fmt: skip

Row = dict[str, object]


@dataclass(frozen=True, slots=True)
class Key:
    """One entry of a legend: a line of this dash where there is one, else a square."""

    label: str
    colour: str
    dash: tuple[int, ...] = ()


@dataclass(frozen=True)
class Picture:
    """One chart.

    Attributes:
        key: names it within the report; a file name's stem.
        title: of the picture when it stands alone.
        alt: what it shows, in a sentence.
        spec: Vega-Lite, as wide as its container.
        legend: what its colours mean; empty where marks are named in place.
    """

    key: str
    title: str
    alt: str
    spec: Mapping[str, Any]
    legend: tuple[Key, ...] = ()


def load_altair() -> Any:
    """The drawing library, imported when it is first needed.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        import altair
    except ImportError as wrong:
        raise MissingExtraError("drawing reports", INSTALL) from wrong
    return altair


def finish(chart: Any, height: int) -> dict[str, Any]:
    """The specification of a chart in the house style: as wide as its container, without a background."""
    whole = chart.properties(width="container", height=height)
    whole = whole.configure(background="transparent", font=FONT).configure_view(stroke=None)
    whole = whole.configure_axis(
        grid=True, gridOpacity=0.5, domain=False, labelFontSize=12, titleFontSize=12, titleFontWeight="normal"
    )
    spec: dict[str, Any] = whole.configure_text(fontSize=12).configure_legend(orient="top", labelFontSize=12).to_dict()
    return spec


def data(rows: Sequence[Row]) -> Any:
    """Rows as the data of a chart."""
    return load_altair().Data(values=list(rows))


def names_axis(limit: int = 190) -> Any:
    """An axis of names down the left side; ``limit`` is in pixels."""
    return load_altair().Axis(labelLimit=limit, ticks=False, grid=False, labelPadding=8)


def columns_axis() -> Any:
    """An axis of names along the top."""
    return load_altair().Axis(orient="top", labelAngle=-38, labelLimit=150, ticks=False, grid=False, labelOverlap=False)


def measure_scale(report: Report) -> float:
    """What figures are multiplied with before they are drawn."""
    return 100.0 if report.points else 1.0


def drawn(report: Report, figure: Interval) -> Row:
    """A figure as every chart carries it: the mean, the ends, and both as text."""
    scale = measure_scale(report)
    text = f"{amount(figure.estimate, points=report.points)} ({span(figure, points=report.points)})"
    ends = {key: scale * v if math.isfinite(v) else None for key, v in (("low", figure.low), ("high", figure.high))}
    return {"value": scale * figure.estimate, **ends, "tip": text}


def decades(low: float, high: float) -> list[float]:
    """Round values of a logarithmic axis: powers of ten, with twice and five times those where there are few."""
    powers = [10.0**k for k in range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)]
    inside = [p for p in powers if low <= p <= high]
    if len(inside) >= 3:
        return inside
    return [m * p for p in powers for m in (1, 2, 5) if low <= m * p <= high]
