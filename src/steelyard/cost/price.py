"""Money: from what a machine costs an hour, or what an endpoint costs a million tokens."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from steelyard.cost.figure import Figure
from steelyard.errors import UsageError


class Price(BaseModel):
    """What is paid, as given; the currency is the user's.

    Attributes:
        per_hour: of the machine; None where not given.
        per_million_tokens: of the endpoint; None where not given.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    per_hour: float | None = None
    per_million_tokens: float | None = None


class Bill(BaseModel):
    """What a million texts, and a million tokens, come to.

    Attributes:
        million_texts: of the suite's length; None where it cannot be known.
        million_tokens: None likewise.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    million_texts: Figure | None = None
    million_tokens: Figure | None = None


def bill(price: Price, texts_per_second: Figure | None, tokens_per_text: float | None) -> Bill:
    """A bill from a price and what was measured.

    Args:
        price: one of its two is given.
        texts_per_second: measured; a machine by the hour is taken to be busy all the time.
        tokens_per_text: mean over the suite; None where the engine does not count.

    Raises:
        UsageError: none or both of the prices are given, or one is below 0.
    """
    given = [p for p in (price.per_hour, price.per_million_tokens) if p is not None]
    if len(given) != 1 or given[0] < 0:
        raise UsageError("give one price, 0 or more: per hour (a machine) or per million tokens (an endpoint)")
    if price.per_million_tokens is not None:
        tokens = _exactly(price.per_million_tokens)
        return Bill(million_tokens=tokens, million_texts=tokens.times(tokens_per_text) if tokens_per_text else None)
    if texts_per_second is None or not given[0]:
        return Bill(million_texts=_exactly(0.0) if texts_per_second else None)
    texts = _reciprocal(texts_per_second, 1e6 * given[0] / 3600)
    return Bill(million_texts=texts, million_tokens=texts.times(1 / tokens_per_text) if tokens_per_text else None)


def _exactly(value: float) -> Figure:
    return Figure(value=value, low=value, high=value, rounds=1)


def _reciprocal(rate: Figure, scale: float) -> Figure:
    return Figure(value=scale / rate.value, low=scale / rate.high, high=scale / rate.low, rounds=rate.rounds)
