"""The guarantees that every engine keeps, in one place; subclasses only compute.

Kept here: order of the input, duplicates computed once, empty input, NUL and lone surrogates made harmless,
shape and finiteness of what comes back, over-long texts reported.
"""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np

from steelyard.engines.protocol import EngineInfo
from steelyard.errors import EngineError, TextError
from steelyard.text.clean import clean
from steelyard.types import Role, Scores, Vectors

T = TypeVar("T")


class TruncationWarning(UserWarning):
    """Texts longer than the model reads were cut.

    Attributes:
        model: the recipe's name.
        cut: how many texts were cut.
        total: of how many.
        limit: tokens that the model reads.
        longest: tokens of the longest text.
    """

    def __init__(self, model: str, cut: int, total: int, limit: int, longest: int) -> None:
        self.model = model
        self.cut = cut
        self.total = total
        self.limit = limit
        self.longest = longest
        super().__init__(
            f"{model}: {cut} of {total} texts are longer than {limit} tokens and were cut (longest: {longest} tokens)"
        )


class BaseEncoder(ABC):
    """An :class:`~steelyard.engines.protocol.Encoder` that leaves ``_encode`` to its subclass."""

    @property
    @abstractmethod
    def info(self) -> EngineInfo:
        """Known without loading weights."""

    @abstractmethod
    def _encode(self, texts: Sequence[str], role: Role, instruction: str | None) -> Vectors:
        """float32[n, d] for n >= 1 distinct, clean texts."""

    def count_tokens(self, texts: Sequence[str], role: Role, instruction: str | None = None) -> list[int] | None:
        """Tokens the model would read of each text, template and special tokens included; None if unknown."""
        return None

    def encode(self, texts: Sequence[str], role: Role, instruction: str | None = None) -> Vectors:
        """float32[n, d], rows in the order of ``texts``.

        Raises:
            TextError: something in ``texts`` is not a string.
            EngineError: the engine returned a wrong shape or a value that is not finite.
        """
        unique, position = distinct(texts)
        if not unique:
            return np.zeros((0, self.info.dimension), dtype=np.float32)
        self._report_overlong(unique, role, instruction)
        rows = np.asarray(self._encode(unique, role, instruction), dtype=np.float32)
        self._check(rows, len(unique))
        return rows if len(unique) == len(texts) else rows[position]

    def close(self) -> None:
        """Nothing to free unless a subclass says so."""
        return

    def _each(self, texts: Sequence[str], role: Role, compute: Callable[[list[str]], Sequence[T]]) -> list[T]:
        """What ``compute`` gives for distinct, clean texts, in the order of ``texts``; over-long ones are reported."""
        unique, position = distinct(texts)
        if not unique:
            return []
        self._report_overlong(unique, role, None)
        found = compute(unique)
        return [found[i] for i in position]

    def _check(self, rows: Vectors, count: int) -> None:
        wanted = self.info.dimension or (rows.shape[-1] if rows.ndim == 2 else 0)
        if rows.shape != (count, wanted):
            raise EngineError(f"{self.info.model}: expected vectors of shape {(count, wanted)}, got {rows.shape}")
        if not np.isfinite(rows).all():
            bad = int(np.flatnonzero(~np.isfinite(rows).all(axis=1))[0])
            raise EngineError(f"{self.info.model}: the vector of text {bad} holds a value that is not finite")

    def _report_overlong(self, texts: Sequence[str], role: Role, instruction: str | None) -> None:
        report_overlong(self.info, lambda: self.count_tokens(texts, role, instruction), texts, instruction)


class BaseReranker(ABC):
    """A :class:`~steelyard.engines.protocol.Reranker` that leaves ``_score`` to its subclass."""

    @property
    @abstractmethod
    def info(self) -> EngineInfo:
        """Known without loading weights."""

    @abstractmethod
    def _score(self, query: str, documents: Sequence[str], instruction: str | None) -> Scores:
        """float32[n] for n >= 1 distinct, clean documents."""

    def score(self, query: str, documents: Sequence[str], instruction: str | None = None) -> Scores:
        """float32[n], higher is better, in the order of ``documents``."""
        unique, position = distinct(documents)
        if not unique:
            return np.zeros(0, dtype=np.float32)
        scores = np.asarray(self._score(clean(query), unique, instruction), dtype=np.float32)
        if scores.shape != (len(unique),) or not np.isfinite(scores).all():
            raise EngineError(f"{self.info.model}: expected {len(unique)} finite scores, got shape {scores.shape}")
        return scores[position]

    def close(self) -> None:
        """Nothing to free unless a subclass says so."""
        return


def report_overlong(
    info: EngineInfo,
    count: Callable[[], Sequence[int] | None],
    texts: Sequence[str],
    instruction: str | None = None,
) -> None:
    """Warns with a :class:`TruncationWarning` where texts are longer than the engine reads.

    Args:
        info: of the engine.
        count: gives the tokens of each text; not called where none can be too long.
        texts: one or more.
        instruction: that is put before them.
    """
    limit = info.max_tokens
    longest = max(map(len, texts)) + len(instruction or "") + 200
    if limit is None or longest * 4 < limit:  # under 4 tokens a character nothing can be cut
        return
    counts = count()
    cut = sum(n > limit for n in counts or ())
    if counts and cut:
        warnings.warn(TruncationWarning(info.model, cut, len(texts), limit, max(counts)), stacklevel=4)


def distinct(texts: Sequence[str]) -> tuple[list[str], list[int]]:
    """Clean texts without repeats, and for each input its position among them."""
    seen: dict[str, int] = {}
    position = []
    for i, text in enumerate(texts):
        if not isinstance(text, str):
            raise TextError(f"text {i} is a {type(text).__name__}, not a string")
        position.append(seen.setdefault(clean(text), len(seen)))
    return list(seen), position
