"""Linear probe and clustering: known values, chance, and agreement with an independent implementation."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from steelyard.errors import DataError
from steelyard.measures.clustering import as_codes, k_means, v_difference, v_interval, v_measure
from steelyard.measures.linear_probe import Probe, fit, out_of_fold, stratified


def blobs(n: int = 120, d: int = 16, classes: int = 3, spread: float = 0.3, seed: int = 0) -> tuple[Any, ...]:
    rng = np.random.default_rng(seed)
    centres = rng.standard_normal((classes, d))
    codes = np.arange(n) % classes
    rows = (centres[codes] + spread * rng.standard_normal((n, d))).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True), [f"c{i}" for i in codes]


def accuracy(found: Any, labels: Any) -> Any:
    return np.mean([a == b for a, b in zip(found, labels, strict=True)])


def test_what_is_separable_is_read_off() -> None:
    rows, labels = blobs()
    assert accuracy(out_of_fold(rows, labels), labels) == 1.0


def test_labels_without_meaning_are_at_chance() -> None:
    rows, labels = blobs(n=150)
    shuffled = list(np.random.default_rng(1).permutation(labels))
    assert 0.15 < accuracy(out_of_fold(rows, shuffled), shuffled) < 0.52


def test_a_text_is_judged_by_a_fit_that_has_not_seen_it() -> None:
    rng = np.random.default_rng(2)
    rows = rng.standard_normal((60, 200)).astype(np.float32)  # more dimensions than texts: memory would be perfect
    labels = [str(i) for i in rng.integers(0, 2, 60)]
    assert accuracy(out_of_fold(rows, labels), labels) < 0.75


def test_the_same_seed_gives_the_same_answer() -> None:
    rows, labels = blobs(spread=1.5)
    assert out_of_fold(rows, labels, seed=3) == out_of_fold(rows, labels, seed=3)


def test_scale_and_shift_of_the_vectors_do_not_matter() -> None:
    rows, labels = blobs(spread=1.2)
    moved = (rows * 50 + 3).astype(np.float32)
    assert accuracy(out_of_fold(rows, labels), labels) == pytest.approx(
        accuracy(out_of_fold(moved, labels), labels), abs=0.03
    )


@given(st.lists(st.integers(0, 3), min_size=8, max_size=60), st.integers(2, 5))
def test_parts_hold_every_class_in_proportion(codes: list[int], parts: int) -> None:
    classes = np.array(codes)
    found = stratified(classes, parts, np.random.default_rng(0))
    assert set(found) <= set(range(parts))
    sizes = np.bincount(found, minlength=parts)
    assert sizes.max() - sizes.min() <= 1
    for c in set(codes):
        counts = np.bincount(found[classes == c], minlength=parts)
        assert counts.max() - counts.min() <= 1


def test_the_fit_is_a_minimum() -> None:
    rows, labels = blobs(n=40, d=5)
    rows = np.hstack([rows.astype(np.float64), np.ones((40, 1))])
    codes = as_codes(labels)
    weights = fit(rows, codes, np.zeros((6, 3)), 0.01)
    scores = rows @ weights
    shares = np.exp(scores - scores.max(axis=1, keepdims=True))
    shares /= shares.sum(axis=1, keepdims=True)
    penalty = np.vstack([np.full((5, 3), 0.01), np.zeros((1, 3))])
    gradient = rows.T @ (shares - np.eye(3)[codes]) / 40 + penalty * weights
    assert np.abs(gradient).max() < 1e-4


def test_the_probe_agrees_with_scikit_learn() -> None:
    linear_model = pytest.importorskip("sklearn.linear_model")
    rows, labels = blobs(n=200, spread=1.5)
    codes = as_codes(labels)
    probe = Probe(rows, codes, 3)
    prepared = probe._prepared(rows)[:, :-1]
    other = linear_model.LogisticRegression(C=1 / (probe.penalty * len(codes)), max_iter=1000).fit(prepared, codes)
    assert np.mean(other.predict(prepared) == probe.classes(rows)) > 0.99


def test_fewer_texts_than_dimensions_change_nothing() -> None:
    rows, labels = blobs(n=30, d=60, spread=1.0)
    codes = as_codes(labels)
    spanned = Probe(rows, codes, 3)
    centred = rows.astype(np.float64) - rows.mean(axis=0, dtype=np.float64)
    centred /= np.sqrt((centred**2).sum(axis=1).mean())
    whole = np.hstack([centred, np.ones((30, 1))])
    weights = fit(whole, codes, np.zeros((61, 3)), spanned.penalty)
    small = spanned._prepared(rows) @ spanned._weights
    assert spanned._weights.shape == (31, 3)
    wanted = whole @ weights
    small, wanted = (s - s.mean(axis=1, keepdims=True) for s in (small, wanted))
    assert np.allclose(small, wanted, atol=0.02)


@pytest.mark.parametrize(
    ("labels", "words"), [(["a"] * 20, "two labels at least"), (["a"] * 17 + ["b"] * 3, "label 'b' has 3 texts")]
)
def test_labels_that_cannot_be_probed(labels: Any, words: str) -> None:
    with pytest.raises(DataError, match=words):
        out_of_fold(np.zeros((20, 2), dtype=np.float32), labels)


@pytest.mark.parametrize(
    ("labels", "clusters", "wanted"),
    [
        ([0, 0, 1, 1], [1, 1, 0, 0], 1.0),
        ([0, 0, 1, 1], [0, 1, 2, 3], 2 / 3),
        ([0, 0, 1, 1], [0, 0, 0, 0], 0.0),
        ([0, 0, 1, 2], [0, 0, 1, 1], 0.8),
        ([0, 0, 0, 0], [0, 0, 0, 0], 1.0),
    ],
)
def test_v_measure_by_hand(labels: list[int], clusters: list[int], wanted: float) -> None:
    assert v_measure(np.array(labels), np.array(clusters)) == pytest.approx(wanted, abs=1e-9)


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 4)), min_size=2, max_size=40))
def test_v_measure_is_symmetric_and_within_bounds(pairs: list[Any]) -> None:
    a, b = (np.array(side) for side in zip(*pairs, strict=True))
    assert v_measure(a, b) == pytest.approx(v_measure(b, a), abs=1e-9)
    assert 0 <= v_measure(a, b) <= 1
    metrics = pytest.importorskip("sklearn.metrics")
    assert v_measure(a, b) == pytest.approx(metrics.v_measure_score(a, b), abs=1e-9)


def test_k_means_finds_what_is_apart() -> None:
    rows, labels = blobs(spread=0.1)
    found = k_means(rows, 3, restarts=3)
    assert v_measure(as_codes(labels), found[0]) == pytest.approx(1.0)
    assert [len(c) for c in found] == [120] * 3


def test_the_best_clustering_comes_first() -> None:
    rows, _ = blobs(n=90, classes=6, spread=0.8)
    inertias = []
    for clusters in k_means(rows, 6, seed=1, restarts=5):
        centres = np.array([rows[clusters == c].mean(axis=0) for c in range(6)])
        inertias.append(((rows - centres[clusters]) ** 2).sum())
    assert inertias == sorted(inertias)


def test_k_means_of_equal_texts() -> None:
    assert len(k_means(np.ones((5, 3), dtype=np.float32), 2, restarts=1)[0]) == 5


def test_the_interval_holds_the_truth_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    k, right = 4, 0.7
    shares = np.full((k, k), (1 - right) / (k - 1) / k)
    np.fill_diagonal(shares, right / k)
    many = (shares * 10**7).round().astype(int)
    grid = np.indices((k, k))
    true = v_measure(np.repeat(grid[0].ravel(), many.ravel() // 1000), np.repeat(grid[1].ravel(), many.ravel() // 1000))
    hits = 0
    for trial in range(60):
        table = rng.multinomial(400, shares.ravel())
        labels, clusters = np.repeat(grid[0].ravel(), table), np.repeat(grid[1].ravel(), table)
        low, high = v_interval(labels, clusters, seed=trial)
        hits += low <= true <= high
    assert hits >= 52


def test_a_difference_is_paired() -> None:
    rng = np.random.default_rng(1)
    labels = np.arange(300) % 3
    one = np.where(rng.random(300) < 0.9, labels, rng.integers(0, 3, 300))
    other = np.where(rng.random(300) < 0.4, labels, rng.integers(0, 3, 300))
    found, low, high = v_difference(labels, one, other)
    assert found == pytest.approx(v_measure(labels, one) - v_measure(labels, other))
    assert 0 < low < found < high
    same = v_difference(labels, one, one)
    assert same == (0.0, 0.0, 0.0)
