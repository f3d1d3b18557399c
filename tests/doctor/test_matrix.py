"""Each fault planted alone in a real model is named first, and healthy targets pass."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from planted import E5, QWEN3, Planted, e5_recipe, qwen3_recipe

from steelyard.doctor.case import Case
from steelyard.doctor.diagnose import diagnose
from steelyard.doctor.local import LocalReference

FAST_E5 = ("healthy", "template missing")
"""Each takes ten seconds; the tiny Qwen3 shows every fault in the fast suite."""


def first(diagnosis: Any) -> Any:
    faults = diagnosis.faults
    return faults[0].fault.value if faults else diagnosis.verdict


def exit_code(name: str, wanted: str) -> int:
    """Eight bits lose so little that it is only called possible."""
    return 10 if name == "weights in 8 bits" else 0 if wanted == "healthy" else 9


@pytest.fixture(scope="module")
def qwen3_reference(qwen3: Path) -> LocalReference:
    return LocalReference(qwen3_recipe(qwen3))


@pytest.fixture(scope="module")
def e5_reference(e5: Path) -> LocalReference:
    return LocalReference(e5_recipe(e5))


@pytest.mark.parametrize("name", QWEN3)
def test_qwen3(name: str, qwen3: Path, qwen3_reference: LocalReference) -> None:
    plant, wanted = QWEN3[name]
    recipe = qwen3_recipe(qwen3)
    found = diagnose(Case(Planted(qwen3, recipe, plant), recipe, qwen3_reference))
    assert first(found) == wanted, found
    assert found.exit_code == exit_code(name, wanted)


@pytest.mark.parametrize("name", [n if n in FAST_E5 else pytest.param(n, marks=pytest.mark.slow) for n in E5])
def test_e5_small(name: str, e5: Path, e5_reference: LocalReference) -> None:
    plant, wanted = E5[name]
    recipe = e5_recipe(e5)
    found = diagnose(Case(Planted(e5, recipe, plant), recipe, e5_reference))
    assert first(found) == wanted, found
    assert found.exit_code == exit_code(name, wanted)
