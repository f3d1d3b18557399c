"""A batch that is refused, in halves: for a server with smaller batches, or to find the text that it will not take."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from steelyard.errors import TextError
from steelyard.serving.failures import ItemFailure
from steelyard.serving.gateway.upstream import ABOUT_TEXTS, Refusal

T = TypeVar("T")
One = Callable[[Sequence[str]], Awaitable[T]]
"""Asks for a part of the texts."""


async def in_halves(texts: Sequence[str], one: One[T], first: int) -> list[T]:
    """What ``one`` gives for consecutive parts of the texts, in their order.

    Args:
        texts: at least one.
        one: asked for all of them, and for halves of what is refused.
        first: the place of ``texts[0]`` in the request.

    Raises:
        HttpFailure: every text is refused, or what is refused is not the texts.
        ItemFailure: with the place of the one text that is refused.
    """
    done = await _tried(texts, one)
    return await _halved(texts, one, first, done, others=False) if isinstance(done, Refusal) else [done]


async def _halved(texts: Sequence[str], one: One[T], first: int, refusal: Refusal, *, others: bool) -> list[T]:
    """``others``: whether any text has been taken, so that it is this one and not the request that is refused."""
    if refusal.status not in ABOUT_TEXTS or (len(texts) == 1 and not others):
        raise refusal.failure()
    if len(texts) == 1:
        raise ItemFailure(first, TextError(f"the upstream refuses this: {refusal.said}"))
    half = len(texts) // 2
    parts = ((texts[:half], first), (texts[half:], first + half))
    done = [await _tried(part, one) for part, _ in parts]
    taken = others or not all(isinstance(d, Refusal) for d in done)
    if not taken:
        alone = await _tried(texts[:1], one)
        if isinstance(alone, Refusal):
            raise alone.failure()
    found: list[T] = []
    for (part, place), got in zip(parts, done, strict=True):
        found += await _halved(part, one, place, got, others=True) if isinstance(got, Refusal) else [got]
    return found


async def _tried(texts: Sequence[str], one: One[T]) -> T | Refusal:
    try:
        return await one(texts)
    except Refusal as refused:
        return refused
