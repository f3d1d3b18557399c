"""Claims as data: a file of rules over measures and costs, tested on the user's own systems and texts."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from steelyard.bench.advice.evidence import Evidence, Finding
from steelyard.bench.advice.rules import RULES, Terms
from steelyard.bench.advice.system_metadata import COSTS
from steelyard.errors import DataError, ResultError, UsageError

PUBLISHED = "published_claims.toml"
"""The eight claims of a published experiment: an example of such a file, and what is tested where none is named."""


class Claim(BaseModel):
    """One claim of a file.

    Attributes:
        text: as published.
        rule: what tests it, one of :data:`steelyard.bench.advice.rules.RULES`.
        try_: options of the command that tests it, with systems to put one's own in place of.
        needs: what a run must have for it.
        subject: patterns of the systems that it is about, in small letters; not tested where none matches.
        cost: for ``best-value``, one of ``p95_ms``, ``memory_gb`` and the others that advice knows.
        gain: for ``instruction-gains``, least and greatest, as shares.
        factor: for ``cost-grows``.
        least_parameters: for ``large-wins``; 0 for the largest model alone.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    text: str = Field(min_length=1)
    rule: str
    try_: str = Field("", alias="try")
    needs: frozenset[Literal["costs", "instructions", "dimensions", "reranker"]] = frozenset()
    subject: tuple[str, ...] = ()
    cost: str = "p95_ms"
    gain: tuple[float, float] = (0.05, 0.10)
    factor: float = Field(2.0, gt=1)
    least_parameters: float = Field(0.0, ge=0)

    @field_validator("rule", "cost")
    @classmethod
    def _known(cls, value: str) -> str:
        if value not in RULES and value not in COSTS:
            raise ValueError(f"{value!r} is none of {', '.join((*RULES, *COSTS))}")
        return value

    @property
    def terms(self) -> Terms:
        """What its rule is given."""
        subject = tuple(p.casefold() for p in self.subject)
        return Terms(subject, self.cost, self.gain, self.factor, self.least_parameters)


Claims = Mapping[int, Claim]


def load_claims(path: Path | None = None) -> Claims:
    """The claims of a file, numbered from 1 as they stand in it; the published ones when None.

    Raises:
        DataError: it cannot be read; names the file, the claim and the field.
    """
    place = str(path or PUBLISHED)
    try:
        file = path or resources.files("steelyard.bench.advice").joinpath(PUBLISHED)
        entries = tomllib.loads(file.read_text(encoding="utf-8")).get("claim", [])
        found = {number: Claim.model_validate(entry) for number, entry in enumerate(entries, 1)}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as wrong:
        raise DataError(f"{place} cannot be read as claims: {wrong}") from None
    except ValidationError as wrong:
        first = wrong.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise DataError(f"{place}: {where}: {first['msg']}; the published file shows how: {PUBLISHED}") from None
    if not found:
        raise DataError(f"{place} holds no claim: each is a table [[claim]] with text and rule")
    return found


def judge_claim(number: int, evidence: Evidence, claims: Claims | None = None) -> Finding:
    """Tests one claim by its number.

    Args:
        number: from 1.
        evidence: what it is tested on.
        claims: of :func:`load_claims`; the published ones when None.

    Raises:
        ResultError: no system was weighed, or not by the measure.
    """
    if not evidence.result.weighed:
        raise ResultError("no system of this result was weighed, so there is nothing to test")
    known = claims or load_claims()
    if number not in known:
        raise UsageError(f"there is no claim {number}; they are numbered from 1 to {len(known)}")
    claim = known[number]
    tested, answer, why, figures = RULES[claim.rule](evidence, claim.terms)
    return Finding(number, claim.text, tested, answer, why, figures, f"steelyard claims {number} {claim.try_}".strip())
