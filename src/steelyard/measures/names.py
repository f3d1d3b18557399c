"""Measure names as users type them, and what each of them is in ir-measures."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from steelyard.errors import UsageError

DEFAULT_MEASURES: Final = ("top1", "hit@3", "mrr@10", "ndcg@10", "recall@10")
"""What is reported when nobody asks for anything else."""

KNOWN: Final = "top1, hit@K, recall@K, mrr, mrr@K, ndcg, ndcg@K, map, map@K (K is 1 to 100000)"
"""What fits, for error messages and help."""

_NAME = re.compile(r"(?P<family>top1|hit|recall|mrr|ndcg|map)(?:@(?P<cutoff>[0-9]{1,9}))?\Z")
_NEEDS_CUTOFF = frozenset({"hit", "recall"})
_DEEPEST = 100_000


@dataclass(frozen=True, slots=True)
class Measure:
    """One ranking measure; prints as it is typed.

    Attributes:
        family: ``hit``, ``recall``, ``mrr``, ``ndcg``, ``map`` or ``top1`` (which is ``hit`` at 1).
        cutoff: how many hits of a ranking count; None for all of them.
    """

    family: str
    cutoff: int | None = None

    def __str__(self) -> str:
        if self.family == "top1" or self.cutoff is None:
            return self.family
        return f"{self.family}@{self.cutoff}"

    def in_ir_measures(self) -> Any:
        """The ir-measures object that pytrec_eval computes it from.

        Reciprocal rank has no cutoff in trec_eval, so ``mrr@K`` is taken from the uncut figure by
        :meth:`finish`; the providers that cut it themselves break ties by other rules.
        """
        import ir_measures

        if self.family == "mrr":
            return ir_measures.RR
        families = {"top1": "Success", "hit": "Success", "recall": "R", "ndcg": "nDCG", "map": "AP"}
        measure = getattr(ir_measures, families[self.family])
        return measure if self.cutoff is None else measure @ self.cutoff

    def finish(self, value: float) -> float:
        """The measure's value from that of :meth:`in_ir_measures`."""
        if self.family == "mrr" and self.cutoff is not None and value * self.cutoff < 1 - 1e-9:
            return 0.0
        return value


def parse_measure(name: str) -> Measure:
    """The measure that a name stands for; case and surrounding blanks do not matter.

    Raises:
        UsageError: when the name is none of :data:`KNOWN`.
    """
    found = _NAME.match(name.strip().lower())
    if found is None:
        raise UsageError(f"unknown measure {name!r}; what fits: {KNOWN}")
    family, digits = found["family"], found["cutoff"]
    if family == "top1":
        if digits is not None:
            raise UsageError(f"measure {name!r}: top1 takes no cutoff; write hit@{digits} or top1")
        return Measure("top1", 1)
    if digits is None:
        if family in _NEEDS_CUTOFF:
            raise UsageError(f"measure {name!r} needs a cutoff, for example {family}@10; what fits: {KNOWN}")
        return Measure(family)
    if not 1 <= int(digits) <= _DEEPEST:
        raise UsageError(f"measure {name!r}: the cutoff must be between 1 and {_DEEPEST}")
    return Measure(family, int(digits))


def parse_measures(names: Sequence[str]) -> tuple[Measure, ...]:
    """The measures that the names stand for, in their order, a repeated one once.

    Raises:
        UsageError: when a name is unknown, or when there is none at all.
    """
    if isinstance(names, str):
        raise UsageError(f"measures must be a sequence of names, not the one text {names!r}")
    measures = tuple(dict.fromkeys(parse_measure(name) for name in names))
    if not measures:
        raise UsageError(f"no measure given; what fits: {KNOWN}")
    return measures
