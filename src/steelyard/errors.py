"""Every failure that Steelyard raises on purpose, in one tree.

::

    SteelyardError
    ├── UsageError              what was asked for cannot be done as asked
    │   └── ExpressionError     a system expression that does not parse or build; knows its column
    ├── DataError               a file or value that is not what it should be
    │   ├── SuiteError          queries, documents or judgements; knows file and line
    │   └── ResultError         a stored result that cannot be read
    ├── MissingExtraError       an optional dependency is not installed; carries the install line
    ├── ModelError              a model's recipe or weights
    │   ├── RecipeError         a recipe that is incomplete or contradicts the checkpoint
    │   └── WeightsError        weight files missing, truncated, pickled or of the wrong shape
    ├── EngineError             an engine that failed while running
    │   ├── TextError           a text the engine refuses (empty where not allowed, too long)
    │   └── EndpointError       a remote endpoint that failed; carries the status
    └── StoreError              a cache or index that cannot be read or written

A message names the input, the place and the mend. Nothing here prints.
"""

from __future__ import annotations


class SteelyardError(Exception):
    """Base of every deliberate failure; ``exit_code`` is what the command line ends with."""

    exit_code = 1


class UsageError(SteelyardError):
    """What was asked for cannot be done as asked."""

    exit_code = 2


class ExpressionError(UsageError):
    """A system expression that does not parse or build.

    Args:
        message: what is wrong and what would fit.
        source: the expression as it was typed.
        column: zero-based offset into ``source`` where the trouble starts.
    """

    def __init__(self, message: str, source: str = "", column: int = 0) -> None:
        self.source = source
        self.column = column
        pointer = f"\n  {source}\n  {' ' * column}^" if source else ""
        super().__init__(f"{message}{pointer}")


class DataError(SteelyardError):
    """A file or value that is not what it should be."""

    exit_code = 3


class SuiteError(DataError):
    """Queries, documents or judgements that cannot be used.

    Args:
        message: what is wrong and how to mend it.
        path: the file, where there is one.
        line: one-based line number, where there is one.
    """

    def __init__(self, message: str, path: str | None = None, line: int | None = None) -> None:
        self.path = path
        self.line = line
        place = f"{path}:{line}: " if path and line else f"{path}: " if path else ""
        super().__init__(f"{place}{message}")


class ResultError(DataError):
    """A stored result that cannot be read."""


class MissingExtraError(SteelyardError):
    """An optional dependency is not installed.

    Args:
        what: what needs it, for the reader.
        install: the exact command line that installs it.
    """

    exit_code = 4

    def __init__(self, what: str, install: str) -> None:
        self.install = install
        super().__init__(f"{what} needs a package that is not installed. Install it with:\n  {install}")


def install_line(extra: str) -> str:
    """The command line that installs one of this package's extras, from the folder it was installed from if it was."""
    import json
    from importlib.metadata import PackageNotFoundError, distribution
    from urllib.parse import unquote, urlsplit

    try:
        origin = json.loads(distribution("steelyard").read_text("direct_url.json") or "{}").get("url", "")
    except (PackageNotFoundError, ValueError):
        origin = ""
    where = unquote(urlsplit(origin).path) if origin.startswith("file:") else "steelyard"
    return f"pip install '{where}[{extra}]'"


class ModelError(SteelyardError):
    """A model's recipe or weights."""

    exit_code = 5


class RecipeError(ModelError):
    """A recipe that is incomplete or contradicts the checkpoint."""


class WeightsError(ModelError):
    """Weight files missing, truncated, pickled or of the wrong shape."""


class EngineError(SteelyardError):
    """An engine that failed while running."""

    exit_code = 6


class TextError(EngineError):
    """A text that the engine refuses."""


class EndpointError(EngineError):
    """A remote endpoint that failed.

    Args:
        message: what happened, with the URL and the mend.
        status: the HTTP status, or None where no answer came.
    """

    def __init__(self, message: str, status: int | None = None) -> None:
        self.status = status
        super().__init__(message)


class StoreError(SteelyardError):
    """A cache or index that cannot be read or written."""

    exit_code = 7
