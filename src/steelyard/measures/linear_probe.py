"""How well a linear classifier reads labels off vectors: multinomial logistic regression, each text judged by a fit
that has not seen it.

Shapes: n texts, d dimensions, c classes.

The penalty is chosen inside every fold, on a quarter of its training texts, so that models of different scale and
dimension are each given a fitting one and no text takes part in the choice that judges it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from steelyard.errors import DataError
from steelyard.types import Vectors

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

FOLDS = 5
PENALTIES = (1e-1, 1e-2, 1e-3, 1e-4)
"""Tried from the strongest on, each fit beginning where the last one ended."""
_STEPS = 300


def out_of_fold(vectors: Vectors, labels: Sequence[str], folds: int = FOLDS, seed: int = 0) -> list[str]:
    """The label that each text is given by a probe trained on the other folds.

    Args:
        vectors: float32[n, d].
        labels: n; every one at least ``folds`` times.
        folds: parts, each with the labels in proportion.
        seed: of who falls in which part.

    Raises:
        DataError: fewer than two labels, or one that is too rare; names it.
    """
    names = sorted(set(labels))
    if len(names) < 2:
        raise DataError(f"a probe needs two labels at least, and there is {len(names)}")
    rarest, count = Counter(labels).most_common()[-1]
    if count < folds:
        raise DataError(f"label {rarest!r} has {count} texts, fewer than {folds} folds: add some, or ask fewer folds")
    codes = np.array([names.index(label) for label in labels], dtype=np.int64)
    parts = stratified(codes, folds, np.random.default_rng(seed))
    found = np.empty(len(codes), dtype=np.int64)
    for part in range(folds):
        train = parts != part
        probe = Probe(vectors[train], codes[train], len(names), seed)
        found[~train] = probe.classes(vectors[~train])
    return [names[i] for i in found]


def stratified(codes: Integers, parts: int, rng: np.random.Generator) -> Integers:
    """int64[n]: the part of each text, every class dealt out evenly and the parts as large as each other."""
    out = np.empty(len(codes), dtype=np.int64)
    order = np.concatenate([rng.permutation(np.flatnonzero(codes == c)) for c in np.unique(codes)])
    out[order] = np.arange(len(order)) % parts
    return out


class Probe:
    """A fitted classifier.

    Args:
        vectors: float32[n, d].
        codes: int64[n], classes from 0.
        count: c.
        seed: of the texts on which the penalty is chosen.
    """

    def __init__(self, vectors: Vectors, codes: Integers, count: int, seed: int = 0) -> None:
        rows = vectors.astype(np.float64)
        self._mean = rows.mean(axis=0)
        rows = rows - self._mean
        self._scale = float(np.sqrt((rows**2).sum(axis=1).mean())) or 1.0
        self._basis = _basis(rows)
        rows = self._prepared(vectors)
        held = stratified(codes, 4, np.random.default_rng(seed)) == 0
        weights = np.zeros((rows.shape[1], count))
        scores = []
        for penalty in PENALTIES:
            weights = fit(rows[~held], codes[~held], weights, penalty)
            scores.append(float((rows[held] @ weights).argmax(axis=1).__eq__(codes[held]).mean()))
        self.penalty = PENALTIES[int(np.argmax(scores))]  # the strongest of equals
        self._weights = fit(rows, codes, np.zeros_like(weights), self.penalty)

    def classes(self, vectors: Vectors) -> Integers:
        """int64[n]: the likeliest class of each row."""
        found: Integers = (self._prepared(vectors) @ self._weights).argmax(axis=1).astype(np.int64)
        return found

    def _prepared(self, vectors: Vectors) -> Floats:
        """float64[n, d + 1]: centred, of mean square length 1, with a constant column."""
        rows = (vectors.astype(np.float64) - self._mean) / self._scale
        if self._basis is not None:
            rows = rows @ self._basis
        return np.hstack([rows, np.ones((len(rows), 1))])


def _basis(rows: Floats) -> Floats | None:
    """float64[d, n]: the directions that fewer texts than dimensions span; None where there are more.

    The penalised minimum lies within them, so nothing is lost and the fit is as small as the texts are few.
    """
    if len(rows) >= rows.shape[1]:
        return None
    found: Floats = np.linalg.svd(rows, full_matrices=False)[2].T
    return found


def fit(rows: Floats, codes: Integers, start: Floats, penalty: float) -> Floats:
    """float64[d + 1, c]: weights of least mean loss and penalty; the last row, the constant's, is not penalised.

    Args:
        rows: float64[n, d + 1].
        codes: int64[n].
        start: float64[d + 1, c], where the search begins.
        penalty: times half the sum of squared weights.
    """
    from scipy.optimize import minimize

    shape = start.shape
    truth = np.zeros((len(codes), shape[1]))
    truth[np.arange(len(codes)), codes] = 1.0
    shrunk = np.full((shape[0], 1), penalty)
    shrunk[-1] = 0.0

    def loss(flat: Floats) -> tuple[float, Floats]:
        weights = flat.reshape(shape)
        scores = rows @ weights
        top = scores.max(axis=1, keepdims=True)
        exps = np.exp(scores - top)
        sums = exps.sum(axis=1, keepdims=True)
        value = float((np.log(sums[:, 0]) + top[:, 0] - scores[np.arange(len(codes)), codes]).mean())
        gradient = rows.T @ (exps / sums - truth) / len(codes) + shrunk * weights
        return value + 0.5 * float((shrunk * weights**2).sum()), gradient.ravel()

    found = minimize(loss, start.ravel(), jac=True, method="L-BFGS-B", options={"maxiter": _STEPS})
    return np.asarray(found.x, dtype=np.float64).reshape(shape)
