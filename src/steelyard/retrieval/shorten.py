"""Texts cut to so many tokens before a model reads them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from steelyard.engines.protocol import Encoder, EngineInfo
from steelyard.errors import UsageError
from steelyard.types import Role, Vectors


class ShortEncoder:
    """Gives ``inner`` the beginning of every text that is longer than ``limit`` tokens; other texts as they are.

    Texts are cut, not tokens, so that whatever caches vectors by text knows what was not cut.

    Args:
        inner: it must count tokens.
        limit: tokens, the template's and special ones included.
    """

    def __init__(self, inner: Encoder, limit: int) -> None:
        self._inner = inner
        self._limit = limit

    @property
    def info(self) -> EngineInfo:
        """The inner encoder's, with what is done to long texts in its fingerprint."""
        inner = self._inner.info
        return replace(inner, fingerprint=f"{inner.fingerprint}#max_tokens={self._limit}")

    def count_tokens(self, texts: Sequence[str], role: Role, instruction: str | None = None) -> list[int] | None:
        """The inner encoder's, of the texts as they come in."""
        return self._inner.count_tokens(texts, role, instruction)

    def encode(self, texts: Sequence[str], role: Role, instruction: str | None = None) -> Vectors:
        """float32[n, d] of the shortened texts.

        Raises:
            UsageError: the inner encoder does not count tokens, or the template alone takes more.
        """
        return self._inner.encode(self.shortened(texts, role, instruction), role, instruction)

    def close(self) -> None:
        """Closes the inner encoder."""
        self._inner.close()

    def shortened(self, texts: Sequence[str], role: Role, instruction: str | None = None) -> list[str]:
        """Each text, or its longest beginning that stays within the limit."""
        out = list(texts)
        long = [i for i, n in enumerate(self._count(out, role, instruction)) if n > self._limit]
        if not long:
            return out
        fits, breaks = [0] * len(long), [len(out[i]) for i in long]
        if min(self._count([""], role, instruction)) > self._limit:
            raise UsageError(f"{self.info.model}: max_tokens={self._limit} leaves no room beside the template")
        while any(b - f > 1 for f, b in zip(fits, breaks, strict=True)):
            middles = [(f + b) // 2 for f, b in zip(fits, breaks, strict=True)]
            counts = self._count([out[i][:m] for i, m in zip(long, middles, strict=True)], role, instruction)
            for j, count in enumerate(counts):
                if count <= self._limit:
                    fits[j] = middles[j]
                else:
                    breaks[j] = middles[j]
        for i, end in zip(long, fits, strict=True):
            out[i] = out[i][:end]
        return out

    def _count(self, texts: Sequence[str], role: Role, instruction: str | None) -> Sequence[int]:
        found = self._inner.count_tokens(texts, role, instruction)
        if found is None:
            raise UsageError(f"{self.info.model} does not count tokens here, so max_tokens cannot be kept")
        return found
