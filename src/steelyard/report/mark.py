"""The mark: a steelyard, its beam level, its weight hung where the balance is."""

from __future__ import annotations

from urllib.parse import quote

VIEW = "0 0 64 40"
PATHS = (
    # the beam, thicker at the load's end, with its cord and graduation
    '<path d="M3 13.2 61 11.6v1.6L3 17z" fill="currentColor" stroke="none"/>'
    '<path d="M18 14V5.5a2.6 2.6 0 1 1 3.4 2.5"/>'
    '<path d="M28 12.2v-2.4M34 12v-2.4M40 11.9V9.5M46 11.7V9.3M52 11.5V9.1M58 11.4V9" stroke-width="1"/>'
    # the pan on its cords
    '<path d="M7.5 16 2 29.5M7.5 16 13 29.5" stroke-width="1.1"/>'
    '<path d="M1 29.5h13a6.5 5 0 0 1-13 0z" fill="currentColor" stroke="none"/>'
    # the weight
    '<path d="M43 13v7.5" stroke-width="1.1"/>'
    '<path class="weight" d="M39.6 22.5h6.8l2 10.5a1.6 1.6 0 0 1-1.6 2h-7.6a1.6 1.6 0 0 1-1.6-2z" stroke="none"/>'
)
WEIGHT = "#a63a24"


def mark() -> str:
    """Inline SVG in the colour of the text around it, hidden from screen readers: the name stands beside it."""
    return (
        f'<svg class="mark" viewBox="{VIEW}" fill="none" stroke="currentColor" stroke-width="1.6" '
        f'stroke-linecap="round" aria-hidden="true" focusable="false">{"".join(PATHS)}</svg>'
    )


def icon() -> str:
    """The mark as a data URI, so that a browser asks nobody for an icon."""
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 -12 64 64" fill="none" stroke="#444" stroke-width="2.4" '
        f'color="#444"><style>.weight{{fill:{WEIGHT}}}</style>{"".join(PATHS)}</svg>'
    )
    return f"data:image/svg+xml,{quote(svg)}"
