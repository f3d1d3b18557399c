"""Cutting, normalising and comparing vectors, against the formulas written out."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from steelyard.engines.vectors import centred, centred_cosines, cosines, cut, normalised
from steelyard.types import Vectors

NUMBERS = st.floats(-100, 100, width=32).filter(lambda x: x == 0 or abs(x) > 1e-3)
ROWS = st.integers(3, 6).flatmap(lambda n: arrays(np.float32, (n, 5), elements=NUMBERS))
ROUNDING = 16 * float(np.finfo(np.float32).eps)
"""Rows are normalised in float32: a few units in the last place of numbers up to 1."""


@given(ROWS, st.integers(1, 5))
def test_cut_rows_have_norm_one_and_the_direction_of_their_beginning(rows: Vectors, dimension: int) -> None:
    short = cut(rows, dimension)
    lengths = np.linalg.norm(short.astype(np.float64), axis=1)
    empty = ~rows[:, :dimension].any(axis=1)
    assert np.abs(lengths[~empty] - 1).max(initial=0) <= ROUNDING
    assert not lengths[empty].any()
    assert np.abs(cosines(short, rows[:, :dimension]) - 1)[~empty].max(initial=0) <= ROUNDING
    assert np.array_equal(cut(rows, None), normalised(rows))


@given(ROWS, st.floats(0.1, 10))
def test_centred_cosine_by_its_formula_and_scale_does_not_count(rows: Vectors, scale: float) -> None:
    found = rows[::-1].copy()
    left, right = (normalised(r).astype(np.float64) for r in (found, rows))
    left, right = left - right.mean(axis=0), right - right.mean(axis=0)
    lengths = np.linalg.norm(left, axis=1) * np.linalg.norm(right, axis=1)
    clear = lengths > 1e-3
    wanted = (left * right).sum(axis=1)[clear] / lengths[clear]
    assert np.abs(centred_cosines(found, rows)[clear] - wanted).max(initial=0) <= 1e-9
    moved = centred_cosines((found * np.float32(scale)).astype(np.float32), rows)[clear] - wanted
    assert np.abs(moved).max(initial=0) <= 1e3 * ROUNDING  # a length of 1e-3 magnifies what normalising rounds off
    assert np.abs((centred(found, rows) * centred(rows, rows)).sum(axis=1)[clear] - wanted).max(initial=0) <= 1e-9


def test_a_common_part_does_not_flatter() -> None:
    rows = np.random.default_rng(0).standard_normal((20, 8)).astype(np.float32)
    found, wanted = rows[::-1] + 30, rows + 30
    assert cosines(found, wanted).min() > 0.99
    assert centred_cosines(found, wanted).min() < 0.5


def test_rows_of_zeros() -> None:
    zeros, ones = np.zeros((1, 3), np.float32), np.ones((1, 3), np.float32)
    assert cosines(zeros, zeros) == [1]
    assert cosines(zeros, ones) == [0]
