"""Findings in the light of each other: which guess another check confirms, and what is only a consequence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from steelyard.doctor.finding import Confidence, Fault, Finding

_EXPLAINED = frozenset(
    {
        Fault.POOLING,
        Fault.END_MISSING,
        Fault.END_DOUBLED,
        Fault.TEMPLATE_DOUBLED,
        Fault.TEMPLATE_MISSING,
        Fault.TEMPLATE_WRONG,
        Fault.INSTRUCTION_MISSING,
        Fault.INSTRUCTION_DOUBLED,
    }
)
"""Faults that a weaker check may guess; dropped where right vectors named the cause."""
_BY_CHANCE = frozenset({Fault.REPLICAS, Fault.RARE, Fault.UNSTABLE, Fault.CROSSED})
"""What makes every other comparison doubtful."""
_MOVES_VECTORS = _BY_CHANCE | {Fault.TEXT_CHANGED, Fault.TOKENIZER, Fault.CACHE, Fault.NUMBERS, Fault.ROUNDED}
"""Faults by behaviour that explain why vectors are not the right ones."""
_BY_TEXTS = frozenset({Fault.TRUNCATION, Fault.LONG_TEXTS, Fault.TEXT_CHANGED, Fault.TOKENIZER, Fault.CACHE})
"""What is told by texts that differ in one place."""
_DEVIATIONS = frozenset(
    {Fault.UNEXPLAINED, Fault.UNLIKE_REFERENCE, Fault.UNLIKE_PUBLISHED, Fault.QUANTISED, Fault.ANOTHER_MODEL}
)


def weighed(findings: Sequence[Finding], *, exact: bool) -> list[Finding]:
    """Weaker guesses in the light of the comparison with right vectors, or else with the published figures.

    Args:
        findings: of all checks.
        exact: whether right vectors were compared.
    """
    kept = _in_light_of_vectors(findings) if exact else _by_figures(findings)
    return _caused(_of_another(kept))


def _in_light_of_vectors(findings: Sequence[Finding]) -> list[Finding]:
    """Where right vectors named the cause, or found nothing, other guesses are dropped.

    Where they found only that the vectors are others, a guess that would explain them becomes likely.
    """
    unlike = any(f.fault is Fault.UNLIKE_REFERENCE for f in findings)
    kept = []
    for f in findings:
        guess = f.fault in _EXPLAINED and f.sure < Confidence.CERTAIN and "reference" not in f.evidence
        if guess and unlike:
            kept.append(replace(f, sure=Confidence.LIKELY))
        elif not guess and f.fault is not Fault.AS_PUBLISHED:
            kept.append(f)
    return kept


def _of_another(findings: list[Finding]) -> list[Finding]:
    """Another model reads another length, so its limit is no surer a fault than that it is another."""
    other = max((f.sure for f in findings if f.fault is Fault.ANOTHER_MODEL), default=Confidence.CERTAIN)
    return [replace(f, sure=min(f.sure, other)) if f.fault is Fault.TRUNCATION else f for f in findings]


def _caused(findings: list[Finding]) -> list[Finding]:
    """Consequences of what behaviour proves are dropped: a changed text has another vector, a cache hides ends."""
    certain = {f.fault for f in findings if f.sure is Confidence.CERTAIN}
    dropped: set[Fault] = set()
    if certain & _MOVES_VECTORS:
        dropped |= _DEVIATIONS
    if certain & _BY_CHANCE:
        dropped |= _BY_TEXTS | {Fault.DIMENSIONS_NOT_A_PREFIX, Fault.TEMPLATE_WRONG}
    if Fault.POOLING in certain:  # the state of one token may see nothing of what a text is told by
        dropped |= _BY_TEXTS
    if Fault.CACHE in certain:
        dropped |= {Fault.TRUNCATION, Fault.LONG_TEXTS}
    return [f for f in findings if f.fault not in dropped]


def _by_figures(findings: Sequence[Finding]) -> list[Finding]:
    """A model that gives the published figures ranks as it was made to, and its tokens are right however counted.

    Where it does not give them, a guess that would explain it becomes likely, and not to rank is the consequence.
    """
    faults = {f.fault: f.sure for f in findings}
    if Fault.AS_PUBLISHED in faults:
        return [f for f in findings if not _is_guess(f)]
    if faults.get(Fault.UNLIKE_PUBLISHED) != Confidence.LIKELY:
        return list(findings)
    return [replace(f, sure=Confidence.LIKELY) if _is_guess(f) else f for f in findings]


def _is_guess(found: Finding) -> bool:
    """Whether published figures say more: of ranking, and of what the count of tokens only makes possible."""
    return found.fault is Fault.DOES_NOT_RANK or (found.fault in _EXPLAINED and found.sure == Confidence.POSSIBLE)
