"""Golden files recorded with weights name wrong ways of running; the shipped one knows the own server."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from planted import E5, Plant, Planted, e5_recipe, qwen3_recipe

from served import serving_app
from steelyard.doctor.case import Case
from steelyard.doctor.depth import DEPTHS
from steelyard.doctor.diagnose import diagnose
from steelyard.doctor.examine import Request, examine, record_golden
from steelyard.doctor.finding import Confidence
from steelyard.doctor.golden import read_golden, shipped_golden
from steelyard.doctor.hypotheses import hypotheses
from steelyard.doctor.local import LocalReference
from steelyard.doctor.record import record_folder
from steelyard.engines.load import open_encoder
from steelyard.errors import DataError
from steelyard.models.registry import load_recipe
from steelyard.serving.app import build_app
from steelyard.serving.local_service import Loaded, local_service
from steelyard.serving.settings import Behaviour
from steelyard.types import Role


@pytest.fixture(scope="module")
def golden(qwen3: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("golden") / "tiny.json"
    recipe = qwen3_recipe(qwen3)
    record_folder(LocalReference(recipe), recipe).write(path)
    return path


@pytest.mark.parametrize(
    ("plant", "wanted"),
    [
        (Plant(), "healthy"),
        (Plant(pooling="mean"), "pooling"),
        (Plant(pooling="cls"), "pooling"),
        (Plant(end="missing"), "eos-missing"),
        (Plant(end="doubled"), "eos-doubled"),
        (Plant(bits=5), "quantisation-loss"),
        (Plant(seed=1), "another-model"),
    ],
)
def test_a_golden_file_recorded_with_weights_names_the_cause(
    plant: Plant, wanted: str, golden: Path, qwen3: Path
) -> None:
    recipe = qwen3_recipe(qwen3)
    found = diagnose(Case(Planted(qwen3, recipe, plant), recipe, read_golden(golden), depth=DEPTHS["quick"]))
    assert (found.faults[0].fault.value if found.faults else found.verdict) == wanted, found


def test_what_was_recorded_comes_back(golden: Path, qwen3: Path) -> None:
    back, recipe = read_golden(golden), qwen3_recipe(qwen3)
    reference = LocalReference(recipe)
    for one in (*hypotheses(recipe, "client"), *hypotheses(recipe, "server")):
        texts = [*one.queries, *one.documents]
        np.testing.assert_allclose(back.vectors(texts, one.way), reference.vectors(texts, one.way), atol=1e-3)  # type: ignore[arg-type]
    assert back.ruler() == reference.ruler()
    assert back.ruler().measured
    np.testing.assert_array_equal(back.right_hits(), reference.right_hits())


def test_hits_of_another_suite_are_not_used(golden: Path, tmp_path: Path) -> None:
    content = json.loads(golden.read_text(encoding="utf-8"))
    content["suite"]["checksum"] = "another"
    (tmp_path / "old.json").write_text(json.dumps(content), encoding="utf-8")
    assert read_golden(tmp_path / "old.json").right_hits() is None
    content["rows"][0]["end"] = "sideways"
    (tmp_path / "odd.json").write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(DataError, match="sideways"):
        read_golden(tmp_path / "odd.json")


@pytest.mark.parametrize("name", ["e5-small", "minilm-en"])
def test_the_shipped_file_knows_every_fault_of_today(name: str) -> None:
    recipe, golden = load_recipe(name), shipped_golden(name)
    assert golden is not None
    for one in (*hypotheses(recipe, "client"), *hypotheses(recipe, "server")):
        assert golden.vectors([*one.queries, *one.documents], one.way) is not None, one.what
    assert golden.right_hits() is not None, "run tools/shipped_golden.py: the small suite has changed"
    assert shipped_golden("qwen3-0.6b") is None


@pytest.mark.parametrize("side", [pytest.param(Role.DOCUMENT, marks=pytest.mark.slow), Role.QUERY])
def test_the_own_server_is_held_against_the_shipped_file(side: Role) -> None:
    recipe = load_recipe("e5-small")
    service = local_service({"e5-small": Loaded(recipe, open_encoder(recipe))}, behaviour=Behaviour(side))
    with serving_app(build_app(service)) as url:
        found = examine(Request(f"{url}/v1", mode="quick"))
    assert found.reference.startswith("the golden file of e5-small")
    wanted = [] if side is Role.DOCUMENT else ["template-wrong"]
    assert [f.fault.value for f in found.faults if f.sure > Confidence.POSSIBLE] == wanted, found


def test_minilm_as_its_package_runs_it_is_what_the_shipped_file_holds() -> None:
    recipe = load_recipe("minilm-en")
    service = local_service({"minilm-en": Loaded(recipe, open_encoder(recipe, "onnx"))}, behaviour=Behaviour())
    with serving_app(build_app(service)) as url:
        found = examine(Request(f"{url}/v1", mode="quick"))
    assert found.reference.startswith("the golden file of minilm-en")
    assert found.verdict != "faulty", found


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["pooled at the first token", "templates swapped", "template missing", "closing token missing"]
)
def test_what_behaviour_does_not_show_the_shipped_file_does(name: str, e5: Path) -> None:
    plant, wanted = E5[name]
    recipe, golden = e5_recipe(e5), shipped_golden("e5-small")
    for bits in (None, 5):  # the second stands for the published weights, which are as far from the packaged ones
        found = diagnose(Case(Planted(e5, recipe, replace(plant, bits=bits)), recipe, golden, depth=DEPTHS["quick"]))
        assert found.faults[0].fault.value == wanted, found


def test_a_folder_is_recorded_with_its_wrong_ways(qwen3: Path) -> None:
    recorded = record_golden(Request(str(qwen3)))
    assert {way.pooling for way in recorded.rows} == {None, "cls", "mean"}
    assert {way.simulated for way in recorded.rows} > {"", "layers_1", "two_way", "pool_max"}
