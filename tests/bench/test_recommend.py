"""Advice: limits, ties, the cheaper of equals, and what is admitted not to be known."""

import json
from pathlib import Path
from typing import Any

import pytest
from bench_results import around, costs, outcomes, result

from steelyard.bench.advice.recommend import advise
from steelyard.bench.advice.scenario import Limits, Scenario, load_scenario, parse_scenario, scenario_names
from steelyard.bench.advice.system_metadata import COSTS, facts_of
from steelyard.bench.evaluation.result import SystemRecord, save
from steelyard.cli import main
from steelyard.errors import DataError, ResultError, UsageError

GOOD, BAD = outcomes(0.8), outcomes(0.4, seed=4)
QUICK = Scenario(name="quick", title="Quick", costs=("p95_ms", "memory_gb"))


def test_the_better_wins_whatever_it_costs() -> None:
    found = advise(result({"e5-small": GOOD, "bm25": BAD}, {"e5-small": costs(p95=900), "bm25": costs(p95=1)}), QUICK)
    assert found.choice == "e5-small"
    assert "bm25 costs less, but it is worse by Top-1 −" in found.reason
    assert any("ms a query (p95): bm25 has 1.00, this one 900" in line for line in found.gives_up)
    assert [c.front for c in found.candidates] == [True, True]


def test_of_equals_the_cheaper() -> None:
    values = {"e5-small": GOOD, "use-multilingual": GOOD, "bm25": BAD}
    known = {"e5-small": costs(p95=50), "use-multilingual": costs(p95=5), "bm25": costs(p95=1)}
    found = advise(result(values, known), QUICK)
    assert found.choice == "use-multilingual"
    assert "use-multilingual is no worse than e5-small by every measure that votes (margin 2.0 points" in found.reason
    assert "It costs less (ms a query (p95): 5.00)" in found.reason


def test_no_significant_difference_is_not_enough_to_save() -> None:
    values = {"e5-small": outcomes(0.82, seed=8), "use-multilingual": outcomes(0.8, seed=7)}
    known = {"e5-small": costs(p95=50), "use-multilingual": costs(p95=5)}
    found = advise(result(values, known), QUICK)
    (refused,) = (c for c in found.candidates if c.replacement)
    assert not refused.replacement.votes[0].distinguishable
    assert found.choice == "e5-small"
    assert "use-multilingual costs less, but a loss of more than 2.0 points is not excluded by Top-1" in found.reason
    assert "queries would decide it, here 200" in found.reason
    assert advise(result(values, known), QUICK, margin=0.15).choice == "use-multilingual"


def test_a_cost_that_noise_hides_does_not_decide() -> None:
    values = {"e5-small": GOOD, "use-multilingual": GOOD}
    noisy = {"e5-small": costs(p95=10, memory=3), "use-multilingual": costs(p95=10.1, memory=1)}
    assert advise(result(values, noisy), QUICK).choice == "use-multilingual"
    clear = {"e5-small": costs(p95=10, memory=3), "use-multilingual": costs(p95=12, memory=1)}
    assert advise(result(values, clear), QUICK).choice == "e5-small"


def test_equals_in_everything_go_by_the_mean() -> None:
    values = {"e5-small": outcomes(0.80, seed=7), "use-multilingual": outcomes(0.82, seed=8)}
    found = advise(result(values, {n: costs() for n in values}), QUICK, margin=0.15)
    assert found.choice == max(values, key=lambda n: sum(values[n]))
    assert "may replace it, but costs no less" in found.reason


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        (Limits(p95_ms=5), "ms a query (p95): 10.0, the limit is 5"),
        (Limits(memory_gb=0.5), "GB of memory: 1.00, the limit is 0.5"),
        (Limits(storage_gb=1), "GB of vectors a million documents: 1.54, the limit is 1"),
        (Limits(dimension=256), "dimensions: 384, the limit is 256"),
        (Limits(licences=("apache-2.0",)), "licence: MIT"),
        (Limits(languages=("zh", "tlh")), "languages: lacks tlh"),
    ],
)
def test_who_breaks_a_limit_is_left_out_with_the_figure(limits: Any, words: str) -> None:
    values, known = {"e5-small": GOOD, "bm25": BAD}, {"e5-small": costs(), "bm25": costs(p95=1, memory=0.1)}
    found = advise(result(values, known), QUICK, limits)
    assert found.candidates[-1].left_out == (words,)
    assert found.choice == "bm25"
    assert "only system that keeps the limits" in found.reason


def test_what_is_not_known_does_not_pass() -> None:
    endpoint = "openai:m@http://localhost/v1"
    limits = Limits(p95_ms=5, dimension=9, licences=("MIT",), languages=("zh",))
    found = advise(result({endpoint: GOOD}), QUICK, limits)
    assert found.choice == ""
    assert found.reason.startswith(
        f"No system keeps the limits; of the best, {endpoint}: ms a query (p95): not measured"
    )
    assert len(found.candidates[0].left_out) == 4
    assert all("not known" in line or "not measured" in line for line in found.candidates[0].left_out)


def test_a_dominated_system_is_off_the_front() -> None:
    values = {"e5-small": GOOD, "use-multilingual": BAD, "bm25": outcomes(0.6, seed=9)}
    known = {"e5-small": costs(p95=10), "use-multilingual": costs(p95=20), "bm25": costs(p95=1)}
    fronts = {c.name: c.front for c in advise(result(values, known), QUICK).candidates}
    assert fronts == {"e5-small": True, "use-multilingual": False, "bm25": True}


def test_without_costs_it_says_so() -> None:
    found = advise(result({"e5-small": GOOD, "bm25": BAD}), QUICK)
    assert found.choice == "e5-small"
    assert "Costs were not measured: steelyard costs --into RESULT." in found.cautions


def test_a_cost_that_one_lacks_counts_against_it() -> None:
    values = {"e5-small": GOOD, "use-multilingual": GOOD}
    found = advise(result(values, {"use-multilingual": costs(p95=999)}), QUICK)
    assert found.choice == "use-multilingual"
    assert any("not known of e5-small" in line for line in found.cautions)


def test_where_nothing_is_right_it_says_so() -> None:
    found = advise(result({"e5-small": [0.0] * 8, "bm25": [0.0] * 8}), QUICK)
    assert any("none of them may fit" in line for line in found.cautions)


def test_a_latency_that_once_broke_the_limit() -> None:
    known = {"e5-small": costs(p95=10)}
    found = advise(result({"e5-small": GOOD}, known), QUICK, Limits(p95_ms=10.05))
    assert any("a round of e5-small was above the latency limit" in line for line in found.cautions)


def test_published_scores_keep_their_label() -> None:
    found = advise(result({"qwen3-0.6b": GOOD, "bge-m3": GOOD}), QUICK)
    labels = {(m, p.benchmark): p.contaminated for m, p in found.published}
    assert labels[("qwen3-0.6b", "C-MTEB, retrieval")] is True
    assert labels[("bge-m3", "MTEB multilingual, retrieval")] is False


def test_every_scenario_of_the_package_works() -> None:
    assert set(scenario_names()) == {"high-concurrency", "multilingual", "features", "edge", "instruction"}
    values = {"e5-small": GOOD, "qwen3-0.6b": GOOD, "minilm-en": BAD}
    for name in scenario_names():
        scenario = load_scenario(name)
        found = advise(result(values, measure=scenario.measure or "top1"), scenario)
        assert found.choice, name
    assert advise(result(values), load_scenario("instruction")).choice == "qwen3-0.6b"
    left_out = {c.name: c.left_out for c in advise(result(values), load_scenario("multilingual")).candidates}
    assert left_out["minilm-en"] == ("languages: lacks zh",)


def test_features_are_judged_by_their_own_measure() -> None:
    with pytest.raises(ResultError, match="steelyard features"):
        advise(result({"e5-small": GOOD}), load_scenario("features"))


def test_a_scenario_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('title = "Mine"\ncosts = ["storage_gb"]\nlimits = {dimension = 512}\n')
    scenario = load_scenario(str(path))
    assert (scenario.name, scenario.limits.dimension) == ("mine", 512)
    assert scenario.limits_with(Limits(dimension=64)).dimension == 64
    assert scenario.limits_with(Limits(p95_ms=9)).dimension == 512


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("title = ", "not TOML"),
        ('title = "x"\ncosts = ["speed"]', "there is no cost 'speed'"),
        ('title = "x"\ncosts = ["p95_ms"]\nlimit = 3', "limit"),
        ('title = "x"\ncosts = []', "costs"),
    ],
)
def test_a_broken_scenario_names_file_and_field(text: str, words: str) -> None:
    with pytest.raises(DataError, match=words):
        parse_scenario(text, "mine.toml")


def test_an_unknown_scenario() -> None:
    with pytest.raises(UsageError, match="there is edge, features"):
        load_scenario("cloud")


def facts(name: Any, **given: Any) -> Any:
    return facts_of(SystemRecord(name=name, costs=costs(**given)))


def test_facts_of_systems() -> None:
    assert facts("bm25").storage_gb == 0
    assert facts("e5-small[dim=64]").dimension == 64
    assert facts("e5-small[precision=binary, rescore=9]").storage_gb == pytest.approx(0.048 + 1.536)
    fused = facts("bm25 + e5-small >> maxsim[model=minilm-en]")
    assert (fused.dimension, fused.storage_gb) == (384, pytest.approx(1.536))
    assert fused.licences == ("MIT", "Apache-2.0")
    assert fused.lacks(("zh",)) == ("zh",)
    assert facts("openai:m@http://localhost/v1[recipe=qwen3-0.6b]").takes_instruction
    assert facts("openai:m@http://localhost/v1", dimension=1024).storage_gb == pytest.approx(4.096)
    assert facts("BGE-M3", dimension=1024).dimension == 1024
    assert facts("BGE-M3").parameters == 567754752
    assert facts("Some-Model").unknown == ("Some-Model",)
    assert facts("qwen3-0.6b").parameters == 595776512


def test_gpu_memory_goes_before_that_of_the_process() -> None:
    assert COSTS["memory_gb"].read(facts("e5-small", gpu_bytes=around(7e9))).value == pytest.approx(7)


def test_the_command(tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    path = tmp_path / "r.json"
    save(result({"e5-small": GOOD, "qwen3-0.6b": GOOD}, {"e5-small": costs(), "qwen3-0.6b": costs(p95=99)}), path)
    assert main(["advise", str(path)]) == 0
    text = capfdbinary.readouterr().out.decode()
    assert "high-concurrency: Take e5-small." in text
    assert "features: judged by linear probe, not measured here: steelyard features" in text
    assert main(["advise", str(path), "--scenario", "edge", "--max-dimension", "1024", "--licences", "MIT"]) == 0
    text = capfdbinary.readouterr().out.decode()
    assert "licence: Apache-2.0" in text
    assert "contaminated" in text
    assert main(["advise", str(path), "--scenario", "edge", "--json"]) == 0
    found = json.loads(capfdbinary.readouterr().out)[0]
    assert found["choice"] == "e5-small"
    assert found["candidates"][0]["costs"]["memory_gb"]["value"] == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("arguments", "code"), [([], 2), (["nowhere.json"], 3), (["published:a100-8x24", "--max-p95-ms", "-1"], 2)]
)
def test_the_command_refuses(arguments: Any, code: int) -> None:
    assert main(["advise", *arguments]) == code


def test_a_scenario_that_is_no_text_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(DataError, match=r"mine\.toml cannot be read as a scenario"):
        load_scenario(str(path))


def test_languages_may_be_typed_in_capitals(tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    path = tmp_path / "r.json"
    save(result({"e5-small": GOOD, "minilm-en": BAD}), path)
    assert main(["advise", str(path), "--scenario", "edge", "--languages", "ZH"]) == 0
    assert "Take e5-small. e5-small is the only system that keeps the limits." in capfdbinary.readouterr().out.decode()


def test_a_cost_that_nobody_has_decides_nothing() -> None:
    found = advise(
        result({"e5-small": GOOD, "bm25": BAD}, {"e5-small": costs(), "bm25": costs()}), load_scenario("edge")
    )
    assert not any("GB of memory: not known" in line for line in found.cautions)
    priced = parse_scenario('title = "Price"\ncosts = ["million_texts"]', "p.toml")
    found = advise(result({"e5-small": GOOD, "bm25": BAD}, {"e5-small": costs(), "bm25": costs()}), priced)
    assert "price of a million texts: not known of any system, so it decides nothing." in found.cautions
