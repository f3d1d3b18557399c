"""Every check of an embedding target, the families that it covers, and the order in which they are made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from steelyard.doctor.answers_explained import check_answers
from steelyard.doctor.behaviour import check_first_token, check_ranking, check_size
from steelyard.doctor.case import Case, Check, Outcome
from steelyard.doctor.dimensions import check_dimensions
from steelyard.doctor.exact import compare_with_reference
from steelyard.doctor.families import Family
from steelyard.doctor.finding import Finding
from steelyard.doctor.lengths import check_cache, check_lengths
from steelyard.doctor.numbers import check_numbers
from steelyard.doctor.published import askable, check_published
from steelyard.doctor.templates import check_sides, check_silent_side, check_token_count
from steelyard.doctor.texts import check_texts
from steelyard.wording import say


@dataclass(frozen=True, slots=True)
class Named:
    """One check.

    Attributes:
        name: as it is listed.
        run: asks the target.
        families: what it covers when it is made and says to which resolution.
        applies: whether there is anything to ask; it is then neither made nor skipped.
        needs_reference: whether it is skipped, with a word, where there are no right vectors.
    """

    name: str
    run: Check
    families: tuple[Family, ...] = ()
    applies: Callable[[Case], bool] = lambda _: True
    needs_reference: bool = False


def _plain(check: Callable[[Case], list[Finding]], key: str = "") -> Check:
    """A check that only finds, with a resolution that never changes."""
    return lambda case: Outcome(tuple(check(case)), say(key) if key else "")


def _has_figures(case: Case) -> bool:
    return bool(askable(case.recipe, case.target.templates))


RIGHT_VECTORS = "right vectors"
CHECKS: tuple[Named, ...] = (
    Named("size of a vector", _plain(check_size)),
    Named("numbers", check_numbers, (Family.NUMBERS,)),
    Named("first token", _plain(check_first_token)),
    Named("count of tokens", _plain(check_token_count)),
    Named("templates of both sides", _plain(check_sides)),
    Named("texts that say no side", _plain(check_silent_side)),
    Named("published figures", check_published, (Family.TEMPLATES, Family.POOLING, Family.WEIGHTS), _has_figures),
    Named(
        RIGHT_VECTORS,
        compare_with_reference,
        (Family.TEMPLATES, Family.POOLING, Family.WEIGHTS),
        needs_reference=True,
    ),
    Named("ranking of easy pairs", _plain(check_ranking)),
    Named("texts that must differ or not", check_texts, (Family.TEXTS,)),
    Named("repeats, batches and clients", check_answers, (Family.BATCHES, Family.REPEATS)),
    Named("dimensions", _plain(check_dimensions)),
    Named("cache", check_cache),
    Named("long texts", check_lengths, (Family.LENGTHS,)),
)
