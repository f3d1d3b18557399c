"""Lists of numbered answers, which embeddings and rerankings share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from steelyard.errors import EndpointError

_EXCERPT = 200


class AnswerError(EndpointError):
    """An answer that cannot be right: another shape, too few items, numbers that are not finite.

    Args:
        what: what is wrong, without naming the server.
        fix: what may help; empty where nothing is known.
        index: the text it is about, where it is one.
    """

    def __init__(self, what: str, fix: str = "", index: int | None = None) -> None:
        self.what = what
        self.fix = fix
        self.index = index
        super().__init__(f"{what}; {fix}" if fix else what)


def numbered(items: Any, count: int, answer: Any) -> tuple[list[Mapping[str, Any]], tuple[int, ...]]:
    """(the items in the order of what was asked, the numbering in the order of the list).

    Args:
        items: the list inside ``answer``.
        count: texts that were asked about.
        answer: the whole, for the message.

    Raises:
        AnswerError: not a list of objects, too few or too many, or an ``index`` that is not 0 to count - 1.
    """
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise AnswerError(f"answered in a shape that is not known: {excerpt(answer)}")
    if len(items) != count:
        raise AnswerError(f"gave {len(items)} answers to {count} texts")
    listed = [item.get("index") for item in items]
    if not all(type(i) is int for i in listed) or sorted(listed) != list(range(count)):
        raise AnswerError(f"numbered its answers {excerpt(listed)} where 0 to {count - 1} were expected")
    return sorted(items, key=lambda item: int(item["index"])), tuple(listed)


def excerpt(value: Any) -> str:
    """The beginning of a foreign value in printable characters on one line."""
    return repr(_shortened(value))[:_EXCERPT]


def _shortened(value: Any) -> Any:
    """Enough of a value for an excerpt: writing 50 MB of numbers to show 200 characters of them takes seconds."""
    if isinstance(value, str):
        return value[:_EXCERPT]
    if isinstance(value, dict):
        return {k: _shortened(value[k]) for k in list(value)[:8]}
    if isinstance(value, Sequence) and not isinstance(value, bytes):
        return [_shortened(v) for v in value[:8]]
    return value
