"""Conditions on metadata, as typed on the command line and as given in Python.

``lang=zh``, ``year>=2020``, ``kind!=draft``, ``source=faq|manual`` (one of these). Several conditions must all hold. A
document without the key fulfils no condition on it but ``!=``. Times are compared as strings of ISO 8601. A bound that
is given as a string and reads as a number is compared with numbers as well.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steelyard.errors import UsageError
from steelyard.index.columns import Columns
from steelyard.index.entry import Scalar

Mask = NDArray[np.bool_]
_SIGNS = ("!=", ">=", "<=", "=", ">", "<")
_TYPED = re.compile(r"\s*([^=!<>]+?)\s*(!=|>=|<=|=|>|<)\s*(.*)", re.DOTALL)
_COMPARE: dict[str, Callable[[Any, Any], Any]] = {
    ">": operator.gt, "<": operator.lt, ">=": operator.ge, "<=": operator.le,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Condition:
    """One comparison.

    Attributes:
        key: of the metadata.
        sign: one of ``=  !=  >  <  >=  <=``.
        values: what is compared with; several stand for "one of these" and go with ``=`` and ``!=`` alone.
    """

    key: str
    sign: str
    values: tuple[Scalar, ...]

    def mask(self, columns: Columns) -> Mask:
        """bool[rows]: which documents of a segment fulfil it."""
        if self.sign in _COMPARE:
            return _range(columns, self.key, self.sign, self.values[0])
        found = np.zeros(len(columns.numbers(self.key)), dtype=np.bool_)
        for value in self.values:
            found |= _equal(columns, self.key, value)
        return ~found if self.sign == "!=" else found


Where = Mapping[str, Any] | Sequence[Condition] | str | None
"""``{"lang": "zh", "year": {">=": 2020}, "kind": ["faq", "manual"]}``, conditions, or as typed with ``,`` between."""


def conditions(where: Where) -> tuple[Condition, ...]:
    """Every way of writing a filter as conditions.

    Raises:
        UsageError: for what does not read as one.
    """
    if where is None:
        return ()
    if isinstance(where, str):
        return tuple(_typed(part) for part in where.split(",") if part.strip())
    if not isinstance(where, Mapping):
        return tuple(where)
    found = []
    for key, wanted in where.items():
        signs = wanted if isinstance(wanted, Mapping) else {"=": wanted}
        found += [_condition(str(key), str(sign), value) for sign, value in signs.items()]
    return tuple(found)


def scalar(value: object) -> Scalar:
    """A value as metadata keeps it; dates and times become strings of ISO 8601, times in UTC.

    Raises:
        UsageError: for any other kind of value.
    """
    if isinstance(value, datetime):
        moment = value if value.tzinfo else value.replace(tzinfo=UTC)
        return moment.astimezone(UTC).isoformat()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, str | bool | int | float):
        return value
    raise UsageError(f"metadata takes strings, numbers, true, false, dates and times, not {type(value).__name__}")


def _condition(key: str, sign: str, value: object) -> Condition:
    several = value if isinstance(value, list | tuple | set | frozenset) else (value,)
    values = tuple(scalar(v) for v in several)
    if sign not in _SIGNS:
        raise UsageError(f"a filter compares by {' '.join(_SIGNS)}, not by {sign!r}")
    if sign in _COMPARE and len(values) != 1:
        raise UsageError(f"{key}{sign} takes one value, not {len(values)}")
    return Condition(key, sign, values)


def _typed(text: str) -> Condition:
    found = _TYPED.fullmatch(text)
    if not found:
        raise UsageError(
            f"a filter is written as in lang=zh, year>=2020, kind!=draft or source=faq|manual, not {text!r}"
        )
    key, sign, rest = found.groups()
    values = [_number(v.strip()) for v in rest.split("|")] if sign in {"=", "!="} else [rest.strip()]
    return _condition(key, sign, values)


def _number(text: str) -> Scalar:
    if text in {"true", "false"}:
        return text == "true"
    try:
        return float(text)
    except ValueError:
        return text


def _equal(columns: Columns, key: str, value: Scalar) -> Mask:
    codes, words = columns.codes(key)
    if isinstance(value, str):
        at = words.find(value)
        return np.zeros(len(codes), dtype=np.bool_) if at is None else codes == at
    same: Mask = columns.numbers(key) == float(value)
    # What is typed as 2020 also finds the string "2020".
    at = words.find(f"{value:g}" if isinstance(value, float) else str(value))
    return same if at is None else same | (codes == at)


def _range(columns: Columns, key: str, sign: str, value: Scalar) -> Mask:
    compare = _COMPARE[sign]
    number = _number(value) if isinstance(value, str) else value
    codes, words = columns.codes(key)
    found = np.zeros(len(codes), dtype=np.bool_)
    if not isinstance(number, str):
        with np.errstate(invalid="ignore"):
            found |= compare(columns.numbers(key), float(number))
    if isinstance(value, str) and len(words):
        holds = np.array([compare(w.encode(), value.encode()) for w in words.all()], dtype=np.bool_)
        found |= holds[codes] & (codes >= 0)
    return found
