"""Where the names of points stand, so that they keep off each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

_WIDTH, _HEIGHT = 700.0, 300.0
_LETTER, _LINE = 7.0, 15.0


@dataclass(frozen=True, slots=True)
class Place:
    """One way to put a name beside its point; offsets in pixels, down is positive."""

    name: str
    align: Literal["left", "right"]
    dx: int
    dy: int


PLACES = (
    Place("right-above", "left", 10, -10),
    Place("right-below", "left", 10, 12),
    Place("left-above", "right", -10, -10),
    Place("left-below", "right", -10, 12),
)
"""In order of preference."""

Box = tuple[float, float, float, float]


def label_places(points: Sequence[tuple[str, float, float]]) -> tuple[str, ...]:
    """A place for every name, by greed: the first at which it covers no point and no name that stands already.

    Args:
        points: name, x and y, in any unit; the plot is taken to be about 700 by 300 pixels.

    Returns:
        Names of :data:`PLACES`, in the order of the points.
    """
    if not points:
        return ()
    xs = _spread([x for _, x, _ in points], _WIDTH)
    ys = [_HEIGHT - y for y in _spread([y for _, _, y in points], _HEIGHT)]
    taken: list[Box] = [(x - 7, y - 7, x + 7, y + 7) for x, y in zip(xs, ys, strict=True)]
    chosen = []
    for (name, _, _), x, y in zip(points, xs, ys, strict=True):
        boxes = [_box(place, name, x, y) for place in PLACES]
        costs = [sum(_overlap(box, other) for other in taken) + _outside(box) for box in boxes]
        best = costs.index(min(costs))
        taken.append(boxes[best])
        chosen.append(PLACES[best].name)
    return tuple(chosen)


def _spread(values: Sequence[float], size: float) -> list[float]:
    """Values on most of an axis, with the margins that the plot has."""
    least, width = min(values), (max(values) - min(values)) or 1.0
    return [size * (0.1 + 0.75 * (v - least) / width) for v in values]


def _box(place: Place, name: str, x: float, y: float) -> Box:
    length = sum(_LETTER if ord(c) < 0x2E80 else 12 for c in name)
    left = x + place.dx - (length if place.align == "right" else 0)
    return (left, y + place.dy - _LINE / 2, left + length, y + place.dy + _LINE / 2)


def _overlap(a: Box, b: Box) -> float:
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    return width * height if width > 0 and height > 0 else 0.0


def _outside(box: Box) -> float:
    return _LINE * (max(0.0, -box[0]) + max(0.0, box[2] - _WIDTH))
