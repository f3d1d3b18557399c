"""How a user's own files are read: the options that every command with ``--suite`` takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

if TYPE_CHECKING:
    from steelyard.suites.suite import Suite


@Parameter(name="*")
@dataclass(frozen=True)
class ReadingOptions:
    """How your own files are read.

    Attributes:
        map_columns: your table's columns, as `query=question,document=answer,grade=stars`.
        encoding: of your files: gb18030 for what Chinese Windows and Excel save; UTF-8 when left out.
        split: which judgements of a BEIR folder: test, dev, train.
    """

    map_columns: Annotated[str, Parameter(name="--map")] = ""
    encoding: str = ""
    split: str = ""

    def open(self, suite: str) -> Suite:
        """The suite of a name or path.

        Raises:
            UsageError: an option that does not fit.
            SuiteError: files that are not what they should be.
        """
        from steelyard.suites.registry import open_suite

        return open_suite(suite, mapping=read_map(self.map_columns), split=self.split or None, encoding=self.encoding)


def read_map(text: str) -> dict[str, str] | None:
    """``field=column`` pairs separated by commas; None where there are none."""
    from steelyard.errors import UsageError

    pairs = [p.partition("=") for p in text.replace("，", ",").split(",") if p.strip()]
    if any(not sep or not name.strip() or not column.strip() for name, sep, column in pairs):
        raise UsageError(f"--map takes pairs as in query=question,document=answer, not {text!r}")
    return {name.strip(): column.strip() for name, _, column in pairs} or None
