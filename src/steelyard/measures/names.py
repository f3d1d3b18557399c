"""Measure names as users type them, and what each of them is in ir-measures."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Final

from steelyard.errors import UsageError

DEFAULT_MEASURES: Final = ("top1", "hit@3", "hit@5", "recall@10", "mrr", "ndcg@10", "map")
"""What is reported when nobody asks for anything else, after the measures that vote on a suite."""

DEFAULT_MARGIN: Final = 0.02
"""The loss that does not matter unless the user says otherwise, of every measure between 0 and 1: two points of 100."""

KNOWN: Final = "top1, hit@K, recall@K, P@K, mrr, mrr@K, ndcg, ndcg@K, map, map@K (K is 1 to 100000)"
"""What fits, for error messages and help."""

IN_GROUP: Final = "group1"
MARGIN: Final = "margin"
"""Measures that only suites with trap annotations have, in the order they are shown."""
PROBE: Final = "probe"
"""The measure of labelled texts: whether a linear probe puts a text to its label."""

SPELLINGS: Final[Mapping[str, tuple[str, ...]]] = {
    "hit": ("hit", "hits", "hitrate", "success", "acc", "accuracy", "top", "命中率", "命中"),
    "recall": ("recall", "r", "召回率", "召回"),
    "P": ("p", "prec", "precision", "精确率"),
    "mrr": ("mrr", "rr", "reciprank"),
    "ndcg": ("ndcg",),
    "map": ("map", "ap"),
}
"""family -> how people and other tools write it; case, blanks, hyphens and underscores are taken out before."""

_FAMILIES: Final = {spelling: family for family, spellings in SPELLINGS.items() for spelling in spellings}
_NAME = re.compile(r"(?P<family>[^\W\d]+?)(?:cut|at)?[@.]?(?P<cutoff>[0-9]{1,9})?\Z")
_NEEDS_CUTOFF = frozenset({"hit", "recall", "P"})
_DEEPEST = 100_000


@dataclass(frozen=True, slots=True)
class Measure:
    """One ranking measure; prints as it is typed.

    Attributes:
        family: ``hit``, ``recall``, ``P``, ``mrr``, ``ndcg``, ``map`` or ``top1`` (which is ``hit`` at 1).
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
        families = {"top1": "Success", "hit": "Success", "recall": "R", "P": "P", "ndcg": "nDCG", "map": "AP"}
        measure = getattr(ir_measures, families[self.family])
        return measure if self.cutoff is None else measure @ self.cutoff

    def finish(self, value: float) -> float:
        """The measure's value from that of :meth:`in_ir_measures`."""
        if self.family == "mrr" and self.cutoff is not None and value * self.cutoff < 1 - 1e-9:
            return 0.0
        return value


def parse_measure(name: str) -> Measure:
    """The measure that a name stands for, as people and other tools write it.

    ``nDCG@10``, ``ndcg_at_10`` and ``ndcg_cut.10`` are one measure; so are ``Top1``, ``top-1``, ``acc@1`` and ``hit@1``
    (``top3`` is ``hit@3``), ``R@10`` and ``Recall@10``, ``P_5`` and ``precision@5``.

    Raises:
        UsageError: when the name is none of :data:`KNOWN`.
    """
    found = _NAME.match(re.sub(r"[\s_]|(?<=\w)-", "", unicodedata.normalize("NFKC", name).lower()))
    family = _FAMILIES.get(found["family"]) if found else None
    if found is None or family is None:
        raise UsageError(f"unknown measure {name!r}{_close(name)}; what fits: {KNOWN}")
    digits = found["cutoff"]
    if digits is None:
        if family in _NEEDS_CUTOFF:
            raise UsageError(f"measure {name!r} needs a cutoff, for example {family}@10; what fits: {KNOWN}")
        return Measure(family)
    if not 1 <= int(digits) <= _DEEPEST:
        raise UsageError(f"measure {name!r}: the cutoff must be between 1 and {_DEEPEST}")
    return Measure("top1", 1) if (family, int(digits)) == ("hit", 1) else Measure(family, int(digits))


def _close(name: str) -> str:
    near = get_close_matches(name.lower(), ("top1", "hit@3", "recall@10", "P@5", "mrr", "ndcg@10", "map"), n=1)
    return f"; did you mean {near[0]}?" if near else ""


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


def is_measure(name: str) -> bool:
    """Whether a result may hold a measure of that name."""
    try:
        return name in (IN_GROUP, MARGIN, PROBE) or bool(parse_measure(name))
    except UsageError:
        return False


def default_margin(name: str) -> float | None:
    """The margin of a measure unless the user sets one: :data:`DEFAULT_MARGIN`; None of score differences."""
    return None if name == MARGIN else DEFAULT_MARGIN


def with_votes(votes: Sequence[str]) -> tuple[str, ...]:
    """The measures of a run on a suite: those that vote first, then the others of :data:`DEFAULT_MEASURES`."""
    return tuple(dict.fromkeys([*votes, *DEFAULT_MEASURES]))
