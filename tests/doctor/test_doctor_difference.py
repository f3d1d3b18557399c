"""What a difference of vectors is taken for: numbers, few bits, another model; and what it costs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from steelyard.doctor.cost import cost
from steelyard.doctor.difference import Difference, explain_difference, same_model
from steelyard.doctor.golden import Golden
from steelyard.doctor.ruler import MEASURED_AT, Ruler, measured
from steelyard.doctor.small_suite import hits, small_suite

ROWS = np.random.default_rng(5).standard_normal((32, 64)).astype(np.float32)
ROWS /= np.linalg.norm(ROWS, axis=1, keepdims=True)
KNOWS = Golden("known", "x", {}, scale=Ruler(30.0, measured=True))
BOOLS = st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=60)


def noisy(size: float) -> np.ndarray:
    noise = np.random.default_rng(6).standard_normal(ROWS.shape).astype(np.float32)
    return ROWS + size * noise / 8  # 8 is the norm of a row of noise


@given(st.floats(1, 20), st.floats(0.1, 1000))
def test_a_ruler_reads_what_it_measures(bits: float, constant: float) -> None:
    ruler = Ruler(constant)
    assert ruler.bits(ruler.loss(bits)) == pytest.approx(bits)
    assert ruler.loss(bits - 1) == pytest.approx(4 * ruler.loss(bits))
    assert measured(ruler.loss(MEASURED_AT)).constant == pytest.approx(constant)


@given(st.floats(0.0, 1.5))
@settings(max_examples=20, deadline=None)
def test_noise_keeps_a_model_and_turned_axes_do_not(size: float) -> None:
    assert same_model(noisy(size), ROWS)
    turned = np.linalg.qr(np.random.default_rng(7).standard_normal((64, 64)))[0].astype(np.float32)
    assert not same_model(ROWS @ turned, ROWS)  # as alike among themselves as before, on other axes


def explained(
    query: float, document: float, found: np.ndarray = ROWS, *, ways: bool = True, within: float = 0.0
) -> str:
    seen = Difference(found, ROWS, query, document, ways)
    (finding,) = explain_difference(seen, replace(KNOWS, within=within)) or (None,)
    return "nothing" if finding is None else f"{finding.fault.value} {finding.sure.name}"


def test_what_a_size_of_difference_is_called() -> None:
    wanted = {20.0: "nothing", 12.0: "dtype NOTE", 9.0: "dtype NOTE", 8.0: "quantisation-loss POSSIBLE"}
    wanted |= {6.0: "quantisation-loss LIKELY", 4.0: "quantisation-loss LIKELY", 2.0: "another-model LIKELY"}
    assert {bits: explained(*[KNOWS.scale.loss(bits)] * 2) for bits in wanted} == wanted  # type: ignore[arg-type]


def test_what_else_decides() -> None:
    assert explained(0.3, 0.3, -ROWS) == "another-model LIKELY"
    assert explained(0.3, 0.3, ways=False) == "unlike-reference LIKELY"
    assert explained(0.3, 0.001) == "template-wrong LIKELY"
    assert explained(0.08, 0.08, within=0.1) == "dtype NOTE"


@given(BOOLS)
def test_a_cost_counts_what_was_lost_and_won(pairs: list[tuple[bool, bool]]) -> None:
    found, right = (np.array(side, dtype=np.bool_) for side in zip(*pairs, strict=True))
    price = cost(found, right)
    assert price.change == pytest.approx(found.mean() - right.mean())
    assert price.low <= price.change + 1e-9
    assert price.high >= price.change - 1e-9
    back = cost(right, found)
    assert (back.lost, back.won, back.change) == (price.won, price.lost, pytest.approx(-price.change))  # type: ignore[comparison-overlap]
    assert str(price).startswith(f"{price.change:+.2f} (lost {price.lost}, won {price.won} of {price.n};")


def test_noise_is_told_from_loss() -> None:
    right = np.ones(122, dtype=np.bool_)
    few, many = right.copy(), right.copy()
    few[:1], many[:15] = False, False
    assert cost(few, right).is_noise
    assert not cost(many, right).is_noise


def test_vectors_that_are_not_normalised_are_ranked_as_a_store_ranks_them() -> None:
    unit = np.eye(4, dtype=np.float32) + 0.1
    assert hits(unit, unit).all()
    long = unit * np.array([[1], [1], [1], [50]], dtype=np.float32)
    assert hits(unit, long).tolist() == [False, False, False, True]
    assert not hits(np.ones((4, 3), dtype=np.float32), np.ones((4, 3), dtype=np.float32)).any()


def test_the_small_suite_is_small_and_has_no_text_twice() -> None:
    suite = small_suite()
    assert len(suite.queries) == len(suite.documents) == len(set(suite.documents)) == len(set(suite.queries)) == 122
    assert max(map(len, (*suite.queries, *suite.documents))) < 400
    assert sum(map(len, (*suite.queries, *suite.documents))) < 15_000
