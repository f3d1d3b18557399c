"""Where a target stops reading: found by changing the tail of a text and looking whether the vector changes."""

from __future__ import annotations

import numpy as np

from steelyard.doctor.case import Case
from steelyard.doctor.finding import Fault, Finding, Sureness
from steelyard.doctor.target import RefusedError
from steelyard.types import Role

_TAIL = 16
"""Words of the tail; each is one token in the vocabularies of all models known here."""
_ROOM = 48
"""Tokens kept free for templates and special tokens."""
_SAME = 2e-6


def check_truncation(case: Case) -> list[Finding]:
    """Whether a text just under the recipe's limit is read to its end; where not, up to which length it is.

    Texts are of words that are one token each. Of models that read more than ``case.longest`` tokens, so much is
    tried.
    """
    limit = case.recipe.max_tokens or case.longest
    words = min(limit, case.longest) - _ROOM
    if words <= 2 * _TAIL:
        return []
    refused = _Refusals()
    if _reads(case, words, refused):
        return []
    low, high = 0, words
    while high - low > max(8, high // 32):
        middle = (low + high) // 2
        low, high = (middle, high) if middle > _TAIL and _reads(case, middle, refused) else (low, middle)
    if not low:  # no tail ever counted, so this is no matter of length
        return []
    high -= _TAIL  # where the tail began
    mend = f"Raise the limit to {limit} tokens (max_seq_length, --max-model-len, --max-batch-tokens), or cut on purpose"
    if refused.count:
        what = f"texts of more than about {high} tokens are refused, where the model reads {limit}"
        return [Finding(Fault.TRUNCATION, Sureness.CERTAIN, what, refused.last, mend)]
    what = f"texts are cut without a word at about {high} tokens, where the model reads {limit}"
    seen = f"beyond that length, two texts with different ends have the same vector (tried up to {words} tokens)"
    return [Finding(Fault.TRUNCATION, Sureness.CERTAIN, what, seen, mend)]


class _Refusals:
    def __init__(self) -> None:
        self.count, self.last = 0, ""


def _reads(case: Case, words: int, refused: _Refusals) -> bool:
    """Whether the last words of so many count."""
    body = ("a b " * (words // 2 + 1)).split()[: words - _TAIL]
    texts = [" ".join([*body, *[end] * _TAIL]) for end in ("dog", "car")]
    try:
        rows = [case.target.embed(case.sent([t], Role.DOCUMENT), Role.DOCUMENT).vectors[0] for t in texts]
    except RefusedError as wrong:
        refused.count, refused.last = refused.count + 1, str(wrong)[-160:]
        return False
    scale = float(np.linalg.norm(rows[0])) or 1.0
    return float(np.abs(rows[0] - rows[1]).max()) / scale > _SAME
