"""Where a target stops reading: found by changing the tail of a text and looking whether the answer changes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from steelyard.doctor.case import Case
from steelyard.doctor.finding import Confidence, Fault, Finding
from steelyard.doctor.target import RefusedError
from steelyard.types import Role

TAIL = 16
"""Words of the tail; each is one token in the vocabularies of all models known here."""
ROOM = 48
"""Tokens kept free for templates and special tokens."""
_SAME = 2e-6
_MEND = "Raise the limit to {} tokens (max_seq_length, --max-model-len, --max-batch-tokens), or cut on purpose"


def check_truncation(case: Case) -> list[Finding]:
    """Whether a text just under the recipe's limit is read to its end; where not, up to which length it is.

    Texts are of words that are one token each. Of models that read more than ``case.longest`` tokens, so much is
    tried.
    """

    def reads(words: int) -> bool:
        texts = [long_text(words, end) for end in ("dog", "car")]
        rows = [case.target.embed(case.sent([t], Role.DOCUMENT), Role.DOCUMENT).vectors[0] for t in texts]
        scale = float(np.linalg.norm(rows[0])) or 1.0
        return float(np.abs(rows[0] - rows[1]).max()) / scale > _SAME

    limit = case.recipe.max_tokens or case.longest
    return end_of_reading(reads, min(limit, case.longest) - ROOM, Words(limit, "texts", "have the same vector"))


@dataclass(frozen=True, slots=True)
class Words:
    """What a finding says.

    Attributes:
        limit: tokens that the model reads.
        texts: what is cut.
        same: what two texts with different ends do beyond the length.
    """

    limit: int
    texts: str
    same: str


def long_text(words: int, end: str) -> str:
    """A text of so many words, the last :data:`TAIL` of them ``end``."""
    body = ("a b " * (words // 2 + 1)).split()[: words - TAIL]
    return " ".join([*body, *[end] * TAIL])


def end_of_reading(reads: Callable[[int], bool], words: int, said: Words) -> list[Finding]:
    """Bisects for the length at which the tail stops to count.

    Args:
        reads: whether the tail of a text of so many words counts; raises ``RefusedError`` where it is too long.
        words: of the longest text to try.
        said: how to say what was found.
    """
    if words <= 2 * TAIL:
        return []
    refused = _Refusals(reads)
    if refused.reads(words):
        return []
    low, high = 0, words
    while high - low > max(8, high // 32):
        middle = (low + high) // 2
        low, high = (middle, high) if middle > TAIL and refused.reads(middle) else (low, middle)
    if not low:  # no tail ever counted, so this is no matter of length
        return []
    high -= TAIL  # where the tail began
    mend = _MEND.format(said.limit)
    if refused.last:
        what = f"{said.texts} of more than about {high} tokens are refused, where the model reads {said.limit}"
        return [Finding(Fault.TRUNCATION, Confidence.CERTAIN, what, refused.last, mend)]
    what = f"{said.texts} are cut without a word at about {high} tokens, where the model reads {said.limit}"
    seen = f"beyond that length, two texts with different ends {said.same} (tried up to {words} tokens)"
    return [Finding(Fault.TRUNCATION, Confidence.CERTAIN, what, seen, mend)]


class _Refusals:
    """Counts a refusal as not read, and keeps what the last one said."""

    def __init__(self, reads: Callable[[int], bool]) -> None:
        self._reads, self.last = reads, ""

    def reads(self, words: int) -> bool:
        try:
            return self._reads(words)
        except RefusedError as wrong:
            self.last = str(wrong)[-160:] or "refused"
            return False
