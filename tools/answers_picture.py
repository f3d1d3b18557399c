"""Draws the three answers: `python tools/answers_picture.py docs/pictures/three-answers.svg`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from xml.sax.saxutils import escape

ROWS = (
    ("better", 1.2, 3.4, "the whole interval above 0"),
    ("better, and the other is no worse", 0.2, 1.4, "above 0, yet within the margin"),
    ("equivalent", -1.1, 1.2, "within the margin on both sides"),
    ("no worse", -1.3, 3.1, "above minus the margin"),
    ("undecided", -3.3, 2.9, "a loss beyond the margin is not excluded"),
    ("worse", -5.1, -2.6, "the whole interval below minus the margin"),
)
MARGIN = 2.0
WIDTH, LEFT, UNIT, TOP, STEP = 860, 400, 40, 46, 34


def at(value: float) -> float:
    """Where a difference stands on the picture, in its units."""
    return LEFT + (value + 6) * UNIT * 0.9


def svg() -> Iterator[str]:
    """The parts of the picture."""
    height = TOP + STEP * len(ROWS) + 44
    bottom = TOP + STEP * len(ROWS)
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" '
        f'font-family="system-ui, sans-serif" font-size="14"><title>The three answers</title>'
        f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>'
    )
    yield (
        f'<rect x="{at(-MARGIN):.0f}" y="{TOP - 12}" width="{at(MARGIN) - at(-MARGIN):.0f}" '
        f'height="{bottom - TOP + 8}" fill="#e8eef7"/>'
    )
    for value, text in ((-MARGIN, "minus the margin"), (0.0, "0"), (MARGIN, "margin")):
        dash = "" if value == 0 else ' stroke-dasharray="4 4"'
        yield f'<line x1="{at(value):.0f}" x2="{at(value):.0f}" y1="{TOP - 12}" y2="{bottom}" stroke="#555"{dash}/>'
        yield f'<text x="{at(value):.0f}" y="{TOP - 20}" text-anchor="middle" fill="#333">{text}</text>'
    for i, (answer, low, high, why) in enumerate(ROWS):
        y = TOP + STEP * i + 10
        middle = (low + high) / 2
        yield f'<text x="10" y="{y}" font-weight="600" fill="#111">{escape(answer)}</text>'
        yield f'<text x="10" y="{y + 15}" font-size="12" fill="#444">{escape(why)}</text>'
        yield f'<line x1="{at(low):.0f}" x2="{at(high):.0f}" y1="{y}" y2="{y}" stroke="#1f4e9c" stroke-width="3"/>'
        yield f'<circle cx="{at(middle):.0f}" cy="{y}" r="5" fill="#1f4e9c"/>'
    text = "difference of the first system from the second, with its 95 % interval"
    yield f'<text x="{at(0):.0f}" y="{bottom + 26}" text-anchor="middle" fill="#333">{text}</text></svg>'


if __name__ == "__main__":
    Path(sys.argv[1]).write_text("\n".join(svg()) + "\n", encoding="utf-8")
