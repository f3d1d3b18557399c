"""What every request and answer shares."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field


class WireRequest(BaseModel):
    """A request: types are not guessed (``"5"`` is no number), fields of other servers are ignored."""

    model_config = ConfigDict(strict=True, extra="ignore", frozen=True)


class WireAnswer(BaseModel):
    """An answer; documents the shape, while large answers are written without it."""

    model_config = ConfigDict(frozen=True)


def _whole(value: Any) -> Any:
    """JSON has one kind of number, so 256.0 is an integer there."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


CountingNumber = Annotated[int, Field(ge=1), BeforeValidator(_whole)]


class ErrorDetail(WireAnswer):
    """What went wrong, as OpenAI's API says it."""

    message: str
    type: str
    param: str | None = None
    code: str | None = None


class ErrorAnswer(WireAnswer):
    """Every failure of this server has this body."""

    error: ErrorDetail


class Usage(WireAnswer):
    """Tokens read, templates and special tokens included."""

    prompt_tokens: int
    total_tokens: int
