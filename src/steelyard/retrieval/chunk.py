"""Long texts read in windows whose vectors become one, for models that would cut them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from steelyard.engines.protocol import Encoder, EngineInfo
from steelyard.engines.vectors import normalised
from steelyard.errors import UsageError
from steelyard.types import Role, Vectors

OVERLAP = 8
"""A window begins so early that one part in eight of the window before it is read again."""
_CHARACTERS_A_TOKEN = 16  # looked at for a window of one token at the most, so that finding windows takes linear time


@dataclass(frozen=True, slots=True)
class Window:
    """A part of a text: ``text[start:stop]``, with the tokens that the model reads for it, the template's included."""

    start: int
    stop: int
    tokens: int


class ChunkEncoder:
    """Gives ``inner`` a text that is longer than ``limit`` tokens in overlapping windows, each with the template on.

    The vector of such a text is the mean of its windows' normalised vectors, weighted by the tokens of each, normalised
    again. Texts that fit are read as they are, so their vectors are those of the model itself. Windows are parts of the
    text, not of its tokens, so that whatever caches vectors by text knows them.

    Args:
        inner: it must count tokens.
        limit: tokens of a window, the template's and special ones included; the model's own limit when None, and
            no more than that.
    """

    def __init__(self, inner: Encoder, limit: int | None = None) -> None:
        self._inner = inner
        own = inner.info.max_tokens
        self._limit = min(limit, own) if limit and own else limit or own

    @property
    def info(self) -> EngineInfo:
        """The inner encoder's, with what is done to long texts in its fingerprint."""
        inner = self._inner.info
        return replace(inner, fingerprint=f"{inner.fingerprint}#chunk={self._limit}")

    def count_tokens(self, texts: Sequence[str], role: Role, instruction: str | None = None) -> list[int] | None:
        """The inner encoder's, of the texts as they come in."""
        return self._inner.count_tokens(texts, role, instruction)

    def encode(self, texts: Sequence[str], role: Role, instruction: str | None = None) -> Vectors:
        """float32[n, d].

        Raises:
            UsageError: the inner encoder does not count tokens, or the template alone takes the limit.
        """
        parts = [self.windows(t, role, instruction) for t in self._long(texts, role, instruction)]
        if not any(parts):
            return self._inner.encode(texts, role, instruction)
        pieces = [[t[w.start : w.stop] for w in found] or [t] for t, found in zip(texts, parts, strict=True)]
        rows = self._inner.encode([p for part in pieces for p in part], role, instruction)
        ends = np.cumsum([len(part) for part in pieces])
        out = np.stack([rows[end - len(part)] for end, part in zip(ends, pieces, strict=True)])
        for i, found in enumerate(parts):
            if found:
                weights = np.array([w.tokens for w in found], dtype=np.float32)
                out[i] = weights @ normalised(rows[ends[i] - len(found) : ends[i]])
                out[i] = normalised(out[i : i + 1])[0]
        return out

    def close(self) -> None:
        """Closes the inner encoder."""
        self._inner.close()

    def windows(self, text: str, role: Role, instruction: str | None = None) -> list[Window]:
        """The windows of a text that is too long; together they cover it. None for the empty text."""
        found: list[Window] = []
        start = 0
        while start < len(text):
            window = self._longest(text, start, role, instruction)
            found.append(window)
            if window.stop == len(text):
                break
            start = max(window.stop - (window.stop - window.start) // OVERLAP, start + 1)
        return found

    def _long(self, texts: Sequence[str], role: Role, instruction: str | None) -> list[str]:
        """The texts that are longer than the limit; the empty text for each that is not."""
        if self._limit is None:  # the engine reads texts of any length
            return [""] * len(texts)
        counts = self._count(texts, role, instruction)
        if min(self._count([""], role, instruction)) >= self._limit:
            raise UsageError(f"{self.info.model}: windows of {self._limit} tokens leave no room beside the template")
        return [t if n > self._limit else "" for t, n in zip(texts, counts, strict=True)]

    def _longest(self, text: str, start: int, role: Role, instruction: str | None) -> Window:
        """The longest window from ``start`` on, at least one character long."""
        limit = self._limit or 0
        far = min(len(text), start + _CHARACTERS_A_TOKEN * limit)
        fits, tokens = start + 1, 0
        breaks = far + 1
        stop = far
        while breaks - fits > 1:
            (count,) = self._count([text[start:stop]], role, instruction)
            if count <= limit:
                fits, tokens = stop, count
            else:
                breaks = stop
            stop = (fits + breaks) // 2
        if not tokens:
            (tokens,) = self._count([text[start:fits]], role, instruction)
        return Window(start, fits, tokens)

    def _count(self, texts: Sequence[str], role: Role, instruction: str | None) -> Sequence[int]:
        found = self._inner.count_tokens(texts, role, instruction)
        if found is None:
            raise UsageError(f"{self.info.model} does not count tokens here, so long=chunk cannot cut it into windows")
        return found
