"""What the doctor says: faults, how sure it is of each, what they cost, and the mend."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import IntEnum, StrEnum
from typing import Any, Literal

from steelyard.doctor.families import Coverage

SCHEMA = 3
"""Version of the JSON document; grows when a field changes its meaning."""


class Fault(StrEnum):
    """Everything that can be found, the cause before its consequences."""

    NOT_FINITE = "not-finite"
    ANSWER = "wrong-answer-shape"
    REPLICAS = "replicas-differ"
    RARE = "rare-wrong-answers"
    UNSTABLE = "unstable-answers"
    CROSSED = "crossed-answers"
    CACHE = "cache-key"
    ORDER = "order"
    DUPLICATES = "duplicates"
    BATCH = "batch-dependent"
    TEXT_CHANGED = "text-changed"
    TOKENIZER = "wrong-tokenizer"
    ANOTHER_MODEL = "another-model"
    POOLING = "pooling"
    END_MISSING = "eos-missing"
    END_DOUBLED = "eos-doubled"
    TEMPLATE_MISSING = "template-missing"
    TEMPLATE_DOUBLED = "template-doubled"
    TEMPLATE_WRONG = "template-wrong"
    INSTRUCTION_MISSING = "instruction-missing"
    INSTRUCTION_DOUBLED = "instruction-doubled"
    RERANK_TEMPLATE_MISSING = "reranker-template-missing"
    YES_NO_SWAPPED = "yes-no-swapped"
    LAYERS = "wrong-layers"
    ACTIVATION = "wrong-activation"
    POSITIONS = "wrong-positions"
    SEGMENTS = "wrong-segments"
    NORMS = "wrong-norms"
    ATTENTION = "wrong-attention"
    NUMBERS = "wrong-numbers"
    NOT_NORMALISED = "not-normalised"
    DIMENSIONS_REFUSED = "dimensions-refused"
    DIMENSIONS_IGNORED = "dimensions-ignored"
    DIMENSIONS_NOT_NORMALISED = "dimensions-not-normalised"
    DIMENSIONS_NOT_A_PREFIX = "dimensions-not-a-prefix"
    ROUNDED = "rounded-numbers"
    TRUNCATION = "silent-truncation"
    LONG_TEXTS = "long-texts"
    QUANTISED = "quantisation-loss"
    DTYPE = "dtype"
    UNEXPLAINED = "unexplained-deviation"
    UNLIKE_REFERENCE = "unlike-reference"
    UNLIKE_PUBLISHED = "unlike-published"
    RANKS_WORSE = "ranks-worse"
    DOES_NOT_RANK = "does-not-rank"
    AS_PUBLISHED = "as-published"


class Confidence(IntEnum):
    """How sure a finding is; a note is no fault."""

    NOTE = 0
    POSSIBLE = 1
    LIKELY = 2
    CERTAIN = 3


@dataclass(frozen=True, slots=True)
class Cost:
    """Two runs of the same queries; prints as a person would say it.

    Attributes:
        n: queries.
        top1: share that the target gets right.
        lost: queries that the right vectors answer and the target does not.
        won: the other way round.
        low: lower end of the change's 95 % interval (Newcombe, paired).
        high: upper end.
    """

    n: int
    top1: float
    lost: int
    won: int
    low: float
    high: float

    @property
    def change(self) -> float:
        """Of Top-1, -1 to 1."""
        return (self.won - self.lost) / self.n

    @property
    def is_noise(self) -> bool:
        """Whether no change lies within the interval."""
        return self.low <= 0 <= self.high

    def __str__(self) -> str:
        said = f"{self.change:+.2f} (lost {self.lost}, won {self.won} of {self.n}; 95 %: {self.low:+.2f} to "
        return said + f"{self.high:+.2f})"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong, or worth knowing.

    Attributes:
        fault: which.
        sure: how sure.
        what: the fault in plain words.
        evidence: what was seen.
        mend: what to do.
    """

    fault: Fault
    sure: Confidence
    what: str
    evidence: str
    mend: str = ""


Verdict = Literal["healthy", "faulty", "inconclusive"]
EXIT_CODES: dict[Verdict, int] = {"healthy": 0, "faulty": 9, "inconclusive": 10}


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """All that was found of one target, most likely cause first.

    Attributes:
        target: as it was given.
        recipe: name of the recipe that it was held against.
        reference: where right vectors came from; empty where there were none.
        findings: see :func:`in_order`.
        checks: the checks that were made.
        coverage: every family of faults, and to which resolution it was looked for; empty where nothing was run.
        skipped: the checks that could not be made, each with the reason.
        top1: share of the small suite's queries whose own document ranks first; None where nothing was ranked.
        cost: what all that is wrong costs together; None where right vectors are not known or nothing was ranked.
        seconds: that the examination took.
    """

    target: str
    recipe: str
    reference: str
    findings: tuple[Finding, ...]
    checks: tuple[str, ...]
    coverage: tuple[Coverage, ...] = ()
    skipped: tuple[str, ...] = ()
    top1: float | None = None
    cost: Cost | None = None
    seconds: float = 0.0

    @property
    def faults(self) -> tuple[Finding, ...]:
        """The findings that are more than notes."""
        return tuple(f for f in self.findings if f.sure > Confidence.NOTE)

    @property
    def verdict(self) -> Verdict:
        """Faulty where one is at least likely; healthy where none is possible and every family was checked."""
        if any(f.sure >= Confidence.LIKELY for f in self.findings):
            return "faulty"
        is_whole = bool(self.coverage) and all(c.checked for c in self.coverage)
        return "healthy" if is_whole and not self.faults else "inconclusive"

    @property
    def exit_code(self) -> int:
        """What the command ends with."""
        return EXIT_CODES[self.verdict]

    def as_json(self) -> dict[str, Any]:
        """A document of plain values."""
        findings = [asdict(f) | {"fault": f.fault.value, "sure": f.sure.name.lower()} for f in self.findings]
        values = {name: getattr(self, name) for name in self.__slots__}
        coverage = [asdict(c) | {"family": c.family.value} for c in self.coverage]
        cost = None if self.cost is None else asdict(self.cost) | {"change": self.cost.change}
        seen = {"schema": SCHEMA, "verdict": self.verdict}
        return {**seen, **values, "findings": findings, "coverage": coverage, "cost": cost}


def in_order(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """Most likely cause first: the surer, then the one that stands nearer to the root; one finding a fault."""
    rank = {fault: i for i, fault in enumerate(Fault)}
    ordered = sorted(findings, key=lambda f: (-f.sure, rank[f.fault]))
    first: dict[Fault, Finding] = {}
    for found in ordered:
        first.setdefault(found.fault, found)
    return tuple(first.values())
