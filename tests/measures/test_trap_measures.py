from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steelyard.errors import DataError
from steelyard.measures.traps import TrapOutcome, Winner, trap_outcomes
from steelyard.types import Ranking, TrapKind, ranked

GROUP = {"p": TrapKind.POSITIVE, "l": TrapKind.LOOKALIKE, "c": TrapKind.CONTRARY, "n": TrapKind.NEIGHBOUR}


def outcome(scores: Any, k: Any = None) -> Any:
    return trap_outcomes({"q": GROUP}, [ranked("q", scores, k)])["q"]


@pytest.mark.parametrize(
    ("scores", "winner", "ahead", "margin"),
    [
        ({"p": 3.0, "l": 2.5, "c": 1.0, "x": 0.5}, "positive", True, 0.5),
        ({"p": 1.0, "l": 2.5, "c": 1.0}, "lookalike", False, -1.5),
        ({"p": 1.0, "c": 2.0}, "contrary", False, -1.0),
        ({"n": 4.0, "p": 1.0}, "neighbour", False, -3.0),
        ({"x": 9.0, "p": 3.0, "l": 1.0}, "other", True, 2.0),
        ({"p": 3.0, "x": 1.0}, "positive", True, None),
        ({"l": 3.0, "x": 1.0}, "lookalike", False, None),
        ({"x": 1.0}, "other", False, None),
        ({}, "none", False, None),
        ({"p": 1.0, "l": 1.0}, "positive", True, 0.0),
    ],
)
def test_outcomes(scores: dict[Any, Any], winner: str, ahead: bool, margin: float | None) -> None:
    assert outcome(scores) == TrapOutcome("q", Winner(winner), ahead, margin)


def test_an_unanswered_trap_is_lost() -> None:
    assert trap_outcomes({"q": GROUP}, []) == {"q": TrapOutcome("q", Winner.NONE, ahead=False, margin=None)}


@given(st.dictionaries(st.sampled_from([*GROUP, "x", "y"]), st.integers(-3, 3).map(float)), st.integers(0, 6))
def test_ahead_margin_and_winner_agree(scores: Any, k: int) -> None:
    got = outcome(scores, k)
    if got.margin is not None:
        assert got.ahead or got.margin <= 0
        assert not got.ahead or got.margin >= 0
    if got.winner is Winner.POSITIVE:
        assert got.ahead
    if got.winner in {Winner.LOOKALIKE, Winner.CONTRARY, Winner.NEIGHBOUR}:
        assert not got.ahead


def test_refusals() -> None:
    ranking = ranked("q", {"p": 1.0})
    with pytest.raises(DataError, match="two rankings"):
        trap_outcomes({"q": GROUP}, [ranking, ranking])
    with pytest.raises(DataError, match="no positive"):
        trap_outcomes({"q": {"l": TrapKind.LOOKALIKE}}, [ranking])
    assert isinstance(ranking, Ranking)
