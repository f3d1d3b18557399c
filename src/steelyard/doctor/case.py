"""What every check is given, and what the texts of a recipe look like on their way to a target."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from steelyard.doctor.depth import DEPTHS, Depth
from steelyard.doctor.finding import Finding
from steelyard.doctor.local import Reference
from steelyard.doctor.target import Target
from steelyard.engines.render import render
from steelyard.models.recipe import Recipe
from steelyard.types import Role, Vectors


@dataclass(frozen=True, slots=True)
class Case:
    """A target, what it should be, and where right vectors come from.

    Attributes:
        target: what is examined.
        recipe: what it should be.
        reference: None where there is none; the checks by behaviour are made all the same.
        longest: tokens of the longest text that is sent.
        depth: how much is asked.
    """

    target: Target
    recipe: Recipe
    reference: Reference | None = None
    longest: int = 1024
    depth: Depth = DEPTHS["normal"]

    def sent(self, texts: Sequence[str], role: Role) -> list[str]:
        """Texts as the target is to be sent them."""
        return list(texts) if self.target.templates == "server" else render(self.recipe, texts, role)

    def embed(self, texts: Sequence[str], role: Role = Role.DOCUMENT) -> Vectors:
        """float32[n, d] as the target gives them."""
        return self.target.embed(self.sent(texts, role), role).vectors


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a check found, and how fine it looked.

    Attributes:
        findings: none where all is well.
        detail: to which resolution the families of the check are covered; empty where they are not.
    """

    findings: tuple[Finding, ...]
    detail: str = ""


Check = Callable[[Case], Outcome]
"""One question to a target. Raises ``EndpointError`` where it cannot be asked."""
