"""Which backend runs a model, and why: said where a run begins, and kept in its result."""

from __future__ import annotations

from dataclasses import dataclass

from steelyard.engines.protocol import Engine
from steelyard.engines.quantisation_checks import is_quantised, remark
from steelyard.models.recipe import Recipe

INSTALLED = "the first of its backends that is installed"
ASKED = "asked for"


@dataclass(frozen=True, slots=True)
class BackendChoice:
    """A model's backend; prints as a line.

    Attributes:
        model: the recipe's name.
        backend: what computes.
        reason: why this one.
        warning: what a reader must know of it; empty where there is nothing.
    """

    model: str
    backend: str
    reason: str
    warning: str = ""

    def __str__(self) -> str:
        return f"{self.model} on {self.backend} ({self.reason})" + (f"; {self.warning}" if self.warning else "")


def reason_of(engine: object, asked: str | None) -> str:
    """Why an engine computes as it does: its own ``choice`` where it made one, else how it was picked.

    Args:
        engine: an engine; one that chose its numbers itself says why in ``.choice.reason``.
        asked: the backend that was asked for; None where that was left to us.
    """
    choice = getattr(engine, "choice", None)
    reason = str(getattr(choice, "reason", "")) or INSTALLED
    return ASKED if asked and reason in (INSTALLED, ASKED) else reason


def chosen(engine: Engine, recipe: Recipe, asked: str | None) -> BackendChoice:
    """What there is to say of an engine that was opened.

    Args:
        engine: the engine.
        recipe: what it was opened for.
        asked: the backend that was asked for; None where that was left to us.
    """
    info = engine.info
    spelt = f"folder:{recipe.sources.folder}" if recipe.sources.folder else recipe.name
    if recipe.kind == "embedding" or not is_quantised(info.backend):
        warning = remark(info, spelt)
    else:
        warning = f"what that costs: steelyard weigh 'bm25 >> {spelt}[backend=torch-fp32|{info.backend}]'"
    return BackendChoice(info.model, info.backend, reason_of(engine, asked), warning)
