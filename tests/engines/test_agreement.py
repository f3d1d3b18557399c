"""Agreement measured so that a common part cannot flatter, and int8 measured by it on real weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from steelyard.engines.agreement import agreement, compare
from steelyard.engines.torch.config import TorchConfig
from steelyard.engines.torch.encoder import TorchEncoder
from steelyard.engines.torch.precision import Precision
from steelyard.models.folder import read_recipe

SUBJECTS = ["The cat", "A lawyer", "My neighbour", "The old bridge", "Nobody", "The stock market", "Her violin"]
VERBS = ["sleeps in the sun", "refused the offer", "fell last winter", "was never repaired", "sounds better in June"]
TEXTS = [f"{s} {v}." for s in SUBJECTS for v in VERBS]


def test_equal_vectors_agree_and_a_common_part_does_not_flatter() -> None:
    rows = np.random.default_rng(0).standard_normal((20, 8)).astype(np.float32)
    same = agreement(rows, rows.copy())
    assert (round(same.cosine, 5), round(same.centred, 5), same.neighbours_moved) == (1, 1, 0)
    assert same.holds()
    shifted = rows + 30
    noisy = shifted + np.random.default_rng(1).standard_normal(rows.shape).astype(np.float32)
    found = agreement(shifted, noisy)
    assert found.cosine > 0.99 > found.centred
    assert not found.holds()
    assert "nearest neighbour moved" in str(found)


def test_what_cannot_be_compared_is_refused() -> None:
    with pytest.raises(ValueError, match="two rows or more"):
        agreement(np.zeros((1, 3), np.float32), np.zeros((1, 3), np.float32))


@pytest.mark.parametrize(("precision", "centred"), [(Precision.BF16, 0.999), (Precision.INT8, 0.98)])
def test_cheaper_numbers_on_real_minilm(minilm: Path, precision: Precision, centred: float) -> None:
    """Int8 keeps the vectors near, and yet moves neighbours among texts this alike: why it is opt-in."""
    recipe = read_recipe(minilm)
    found = compare(
        TorchEncoder(recipe, TorchConfig(Precision.FP32)), TorchEncoder(recipe, TorchConfig(precision)), TEXTS
    )
    assert found.centred >= centred, str(found)
    assert found.holds() or precision is Precision.INT8, str(found)
