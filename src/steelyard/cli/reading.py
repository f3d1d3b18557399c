"""How a user's own files are read: the options that every command with ``--suite`` takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from steelyard.cli.stored import tell
from steelyard.errors import UsageError

if TYPE_CHECKING:
    from steelyard.suites.suite import Suite
    from steelyard.types import Document, Query


@Parameter(name="*")
@dataclass(frozen=True)
class ReadingOptions:
    """How your own files are read.

    Attributes:
        map_columns: your table's columns, as `query=question,document=answer,grade=stars`.
        encoding: of your files: gb18030 for what Chinese Windows and Excel save; UTF-8 when left out.
        split: which judgements of a BEIR folder: test, dev, train.
        longest: characters that are kept of each text; 0 reads texts of any length, which may take minutes each.
    """

    map_columns: Annotated[str, Parameter(name="--map")] = ""
    encoding: str = ""
    split: str = ""
    longest: int | None = None

    def open(self, suite: str) -> Suite:
        """The suite of a name or path, to be embedded: long texts are told, over-long ones bounded.

        Raises:
            UsageError: an option that does not fit.
            SuiteError: files that are not what they should be, or texts over the bound.
        """
        from steelyard.suites.longest import bounded

        if self.longest is not None and self.longest < 0:
            raise UsageError(f"--longest takes 0 or more characters, not {self.longest}")
        texts = bounded(self.read(suite), self.longest)
        told = long_texts(texts)
        if told:
            tell([told], None)
        return texts

    def read(self, suite: str) -> Suite:
        """The suite of a name or path, as it is.

        Raises:
            UsageError: an option that does not fit.
            SuiteError: files that are not what they should be.
        """
        from steelyard.suites.registry import open_suite

        return open_suite(suite, mapping=read_map(self.map_columns), split=self.split or None, encoding=self.encoding)


def long_texts(suite: Suite) -> str:
    """Which texts will take time, in a sentence; empty where none will."""
    from steelyard.suites.audit import OVER_LONG
    from steelyard.wording.words import say

    texts: list[Query | Document] = [*suite.queries, *suite.documents]
    over = [t for t in texts if len(t.text) > OVER_LONG]
    if not over:
        return ""
    worst = max(over, key=lambda t: len(t.text))
    longest, limit = f"{len(worst.text):,}", f"{OVER_LONG:,}"
    return say("progress.long_texts", count=len(over), limit=limit, id=worst.id, longest=longest)


def read_map(text: str) -> dict[str, str] | None:
    """``field=column`` pairs separated by commas; None where there are none."""
    pairs = [p.partition("=") for p in text.replace("，", ",").split(",") if p.strip()]
    if any(not sep or not name.strip() or not column.strip() for name, sep, column in pairs):
        raise UsageError(f"--map takes pairs as in query=question,document=answer, not {text!r}")
    return {name.strip(): column.strip() for name, _, column in pairs} or None
