"""The one console of the command line: whatever text it is given, the terminal shows it and does not obey it.

Names of systems and suites, texts, errors of servers and result files come from elsewhere; an escape character in one
of them could move the cursor, hide lines or retitle the window. rich's own styles are added after this.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from steelyard.text.shown import for_terminal


class PlainConsole(Console):
    """A console whose texts pass :func:`steelyard.text.shown.for_terminal`."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Segments whose texts hold no control character but tab and line feed."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(for_terminal(segment.text), segment.style)

    def out(self, *objects: Any, **options: Any) -> None:
        """As rich's, which prints without markup and without wrapping."""
        super().out(*(for_terminal(str(o)) for o in objects), **options)
