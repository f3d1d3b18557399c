"""Everything that is wrong with a file in one error, not one error a run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from steelyard.errors import SuiteError

LIMIT = 20


@dataclass(frozen=True, slots=True)
class Place:
    """Where something stands: a file, and a one-based line (or row) of it where that makes sense."""

    path: Path
    line: int | None = None

    def __str__(self) -> str:
        return f"{self.path}:{self.line}" if self.line else str(self.path)


class Findings:
    """Collects what is wrong; raises at :data:`LIMIT`, or when asked to.

    Args:
        taken_for: what the source was taken for, for the last line of the error.
        encoding: of the source's text files.

    Attributes:
        notes: what a reader of the figures must know of how the source was read.
    """

    def __init__(self, taken_for: str = "", encoding: str = "utf-8") -> None:
        self.taken_for = taken_for
        self.encoding = encoding
        self.notes: list[str] = []
        self._found: list[tuple[str, Place]] = []

    def __len__(self) -> int:
        return len(self._found)

    def add(self, message: str, place: Place, *, once: bool = False) -> None:
        """Notes one thing; with ``once``, not again for another line of the same file.

        Raises:
            SuiteError: with all that was found, when the limit is reached.
        """
        if once and any(message == what and where.path == place.path for what, where in self._found):
            return
        self._found.append((message, place))
        if len(self._found) >= LIMIT:
            self._raise(f"stopped after {LIMIT} findings")

    def note(self, message: str) -> None:
        """Notes how the source was read, once."""
        if message not in self.notes:
            self.notes.append(message)

    def check(self) -> None:
        """Passes when nothing was found.

        Raises:
            SuiteError: with all that was found; ``path`` and ``line`` are those of the first.
        """
        if self._found:
            self._raise("")

    def _raise(self, end: str) -> None:
        (message, place), *rest = self._found
        lines = [message, *(f"{where}: {what}" for what, where in rest)]
        lines += [end] if end else []
        lines += [f"(taken for {self.taken_for})"] if self.taken_for else []
        raise SuiteError("\n".join(lines), str(place.path), place.line)
