"""The parts: how findings are ordered, how vectors are compared, and what a golden file keeps."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from steelyard.doctor.case import Case
from steelyard.doctor.compare import top1
from steelyard.doctor.diagnose import diagnose
from steelyard.doctor.families import Coverage, Family
from steelyard.doctor.finding import Confidence, Diagnosis, Fault, Finding, in_order
from steelyard.doctor.golden import Golden, read_golden
from steelyard.doctor.hypotheses import hypotheses
from steelyard.doctor.probes import DOCUMENTS, QUERIES
from steelyard.doctor.record import record
from steelyard.doctor.target import Answer, Templates
from steelyard.engines.vectors import centred_cosines
from steelyard.models.recipe import Recipe
from steelyard.models.registry import load_recipe, recipe_names
from steelyard.types import Role

ROWS = arrays(np.float32, (6, 8), elements=st.floats(-4, 4, width=32))
FINDINGS = st.builds(
    Finding, st.sampled_from(Fault), st.sampled_from(Confidence), st.just("what"), st.just("seen"), st.just("mend")
)


class Bag:
    """An encoder of letters that ranks easy pairs, with knobs for what behaviour alone can see."""

    name = "bag"
    templates: Templates = "client"

    def __init__(self, size: int = 64, limit: int = 10_000, constant: bool = False, turn: int = 0) -> None:
        self._size, self._limit, self._constant, self._turn = size, limit, constant, turn

    def embed(self, texts: Sequence[str], role: Role | None, dimensions: int | None = None) -> Answer:
        rows = np.stack([self._row(t) for t in texts])
        return Answer(np.roll(rows, self._turn if len(rows) > 1 else 0, axis=0), tuple(range(len(texts))))

    def _row(self, text: str) -> np.ndarray:
        own = next((i for i, q in enumerate(QUERIES) if text in (q, DOCUMENTS[i])), None)
        seed = 0 if self._constant else own if own is not None else hash(text[: self._limit]) % 10_000 + 100
        row = np.random.default_rng(seed).standard_normal(self._size)
        return (row / np.linalg.norm(row)).astype(np.float32)


def bag_recipe(**changes: object) -> Recipe:
    facts = {"name": "bag", "dimension": 64, "query_template": "{text}", "document_template": "{text}"}
    return load_recipe("e5-small").model_copy(update=facts | changes)


@pytest.mark.parametrize(
    ("target", "wanted"),
    [
        (Bag(), "inconclusive"),  # it reads more than the recipe says, which is no fault
        (Bag(size=32), "another-model"),
        (Bag(limit=200), "silent-truncation"),
        (Bag(constant=True), "does-not-rank"),
        (Bag(turn=1), "order"),
    ],
)
def test_behaviour_alone(target: Bag, wanted: str) -> None:
    found = diagnose(Case(target, bag_recipe()))
    assert (found.faults[0].fault.value if found.faults else found.verdict) == wanted, found
    if wanted == "silent-truncation":
        words = int(found.faults[0].what.split("about ")[1].split(" ")[0])
        assert words == pytest.approx(100, abs=12)  # two characters a word


@given(st.lists(FINDINGS, max_size=12))
def test_surer_findings_stand_first_and_each_fault_once(findings: list[Finding]) -> None:
    ordered = in_order(findings)
    assert [f.sure for f in ordered] == sorted((f.sure for f in ordered), reverse=True)
    assert {f.fault for f in ordered} == {f.fault for f in findings}
    assert len({f.fault for f in ordered}) == len(ordered)
    for kept in ordered:
        assert kept.sure == max(f.sure for f in findings if f.fault is kept.fault)


@given(st.lists(FINDINGS, max_size=4))
def test_the_exit_code_follows_the_surest_finding(findings: list[Finding]) -> None:
    coverage = tuple(Coverage(family, checked=True, detail="") for family in Family)
    found = Diagnosis("t", "r", "", in_order(findings), ("one",), coverage)
    surest = max((f.sure for f in findings), default=Confidence.NOTE)
    wanted = {Confidence.NOTE: 0, Confidence.POSSIBLE: 10, Confidence.LIKELY: 9, Confidence.CERTAIN: 9}[surest]
    assert found.exit_code == wanted
    assert found.as_json()["verdict"] == {0: "healthy", 9: "faulty", 10: "inconclusive"}[wanted]


@pytest.mark.parametrize("family", Family)
def test_a_family_that_was_not_checked_is_never_healthy(family: Family) -> None:
    coverage = tuple(Coverage(f, checked=f is not family, detail="") for f in Family)
    assert Diagnosis("t", "r", "", (), ("one",), coverage).verdict == "inconclusive"


def test_where_nothing_was_checked_nothing_is_healthy() -> None:
    assert Diagnosis("t", "r", "", (), ()).exit_code == 10


@given(ROWS, st.floats(0.1, 10))
def test_a_scale_does_not_count(rows: np.ndarray, scale: float) -> None:
    lengths = np.linalg.norm(rows, axis=1)
    rows = rows[lengths > 0.1]
    np.testing.assert_allclose(centred_cosines(rows * np.float32(scale), rows), 1.0, atol=1e-3)


def test_equal_vectors_do_not_rank() -> None:
    assert top1(np.ones((5, 3), dtype=np.float32), np.ones((5, 3), dtype=np.float32)) == 0.0
    assert top1(np.eye(5, dtype=np.float32), np.eye(5, dtype=np.float32)) == 1.0


@pytest.mark.parametrize("templates", ["client", "server"])
def test_hypotheses_differ_from_each_other_and_start_with_the_recipe(templates: Templates) -> None:
    for name in recipe_names():
        recipe = load_recipe(name)
        if recipe.kind == "embedding":
            found = hypotheses(recipe, templates)
            assert found[0].fault is None
            assert all(h.fault is not None for h in found[1:])
            assert len({(h.queries, h.documents, h.way) for h in found}) == len(found)


def test_a_golden_file_comes_back_as_it_was(tmp_path: Path) -> None:
    recipe = load_recipe("qwen3-0.6b")
    golden = record(Bag(), recipe)
    golden.write(tmp_path / "golden.json")
    back = read_golden(tmp_path / "golden.json")
    assert back.recipe == recipe.name
    for one in hypotheses(recipe, "client"):
        wanted = golden.vectors(one.queries, one.way)
        found = back.vectors(one.queries, one.way)
        assert (wanted is None) == (found is None)
        if wanted is not None and found is not None:
            np.testing.assert_allclose(found, wanted, atol=0 if one.fault is None else 1e-3)
    assert Golden("x", "y", {}).vectors(["unknown"]) is None
