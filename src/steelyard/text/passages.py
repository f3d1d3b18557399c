"""Long texts cut into passages at the ends of paragraphs and sentences, Chinese ones included, each with its place.

A passage is ``text[start:stop]`` as it stands, so that what is found can be shown in its document.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_ENDS = re.compile(
    r"\n\s*\n"  # a paragraph
    r"|\n(?=#{1,6}\s|[-*+]\s|\d+[.)]\s)"  # a heading or a list item of Markdown begins
    r"|[。！？；…]+[”’」』）)\"']*"  # a Chinese sentence with its closing marks
    r"|[.!?]+[\"')\]]*(?=\s)"  # a sentence of a script with spaces
    r"|\n"
)


@dataclass(frozen=True, slots=True)
class Passage:
    """A part of a text: ``text[start:stop]``."""

    start: int
    stop: int
    text: str


def passages(text: str, size: int = 400, overlap: int = 60) -> list[Passage]:
    """The passages of a text; together they hold everything but white space between them.

    Args:
        text: any.
        size: characters of a passage at the most; a longer sentence is cut.
        overlap: characters of whole sentences that a passage repeats from the one before it, at the most.

    Raises:
        ValueError: not 0 <= overlap < size.
    """
    if not 0 <= overlap < size:
        raise ValueError(f"overlap must be at least 0 and below the size, not {overlap} of {size}")
    pieces = list(_pieces(text, size))
    found: list[Passage] = []
    first = 0
    while first < len(pieces):
        last = first
        while last + 1 < len(pieces) and pieces[last + 1][1] - pieces[first][0] <= size:
            last += 1
        found.append(_passage(text, pieces[first][0], pieces[last][1]))
        if last + 1 == len(pieces):
            break
        first = _next(pieces, first, last, overlap, size)
    return [p for p in found if p.text]


def _next(pieces: list[tuple[int, int]], first: int, last: int, overlap: int, size: int) -> int:
    """The piece that the next passage begins with: as far back as the overlap allows, and past ``first``."""
    back = last + 1
    while back - 1 > first and pieces[last][1] - pieces[back - 1][0] <= overlap:
        back -= 1
    # What is repeated must leave room for something new.
    while back <= last and pieces[last + 1][1] - pieces[back][0] > size:
        back += 1
    return back


def _passage(text: str, start: int, stop: int) -> Passage:
    """Without white space at its ends."""
    part = text[start:stop]
    start += len(part) - len(part.lstrip())
    part = part.strip()
    return Passage(start, start + len(part), part)


def _pieces(text: str, size: int) -> Iterator[tuple[int, int]]:
    """Sentences, each with what ends it; longer ones in parts of ``size``."""
    start = 0
    for end in [m.end() for m in _ENDS.finditer(text)] + [len(text)]:
        while end - start > size:
            yield start, start + size
            start += size
        if end > start:
            yield start, end
        start = end
