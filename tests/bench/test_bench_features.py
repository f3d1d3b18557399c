"""Vectors as features: from a table to a result that is judged and advised on like any other."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bench_results import result as made_result

from steelyard.bench.advice.recommend import advise
from steelyard.bench.advice.scenario import load_scenario
from steelyard.bench.evaluation.features import FeatureConfig, embed, weigh_features
from steelyard.bench.evaluation.judgement import judge
from steelyard.bench.evaluation.result import load, parse_result
from steelyard.bench.evaluation.runner import SilentWatcher
from steelyard.cli import main
from steelyard.engines.load import open_encoder
from steelyard.errors import DataError, SuiteError, UsageError
from steelyard.models.registry import load_recipe
from steelyard.report.features_view import cluster_lines
from steelyard.retrieval.resolve import read_system, read_systems
from steelyard.suites.labelled import Labelled, read_labelled
from steelyard.types import Role
from steelyard.wording.words import load_wording

TOPICS = Path(__file__).with_name("topics.csv")


@pytest.fixture(scope="module")
def measured() -> Any:
    systems = read_systems(["use-multilingual", "use-multilingual[dim=2]", "bm25"])
    return weigh_features(systems, read_labelled(TOPICS), FeatureConfig())


def test_a_model_reads_topics_and_two_dimensions_do_not(measured: Any) -> None:
    verdict = judge(measured).verdict
    assert verdict.figures["use-multilingual"].estimate > 0.8
    assert verdict.figures["use-multilingual[dim=2]"].estimate < 0.6
    assert verdict.between("use-multilingual", "use-multilingual[dim=2]").distinguishable


def test_clusters_agree_with_topics_and_have_an_interval(measured: Any) -> None:
    whole, cut, _ = measured.systems
    assert whole.features.v_measure > cut.features.v_measure
    assert whole.features.low <= whole.features.v_measure <= whole.features.high
    assert len(whole.features.clusters) == 48
    assert len(set(whole.features.clusters)) == 4
    (line,) = cluster_lines(measured, load_wording("en"))
    assert line.startswith("By clusters use-multilingual is")


def test_a_lexical_system_has_no_vectors(measured: Any) -> None:
    assert "not one encoder" in measured.systems[2].error


def test_the_result_survives_its_file(measured: Any) -> None:
    assert parse_result(measured.model_dump_json(by_alias=True).encode(), "x") == measured


def test_few_texts_are_admitted(measured: Any) -> None:
    assert measured.suite.findings == ("4 of 4 labels have fewer than 30 texts: V-measures are flattered",)


def test_advice_for_features_rests_on_the_probe(measured: Any) -> None:
    found = advise(measured, load_scenario("features"))
    assert (found.measure, found.choice) == ("probe", "use-multilingual")


def test_expressions_cut_quantise_and_shorten() -> None:
    texts = ["apples and pears", "the moon is round and very bright tonight"]
    encoder = open_encoder(load_recipe("minilm-en"))
    full = encoder.encode(texts, Role.QUERY)
    config = FeatureConfig()

    def of(source: Any) -> Any:
        return embed(read_system(source), texts, config, SilentWatcher())[0]

    assert np.allclose(of("minilm-en"), full, atol=1e-6)
    cut = of("minilm-en[dim=64]")
    assert np.allclose(cut, full[:, :64] / np.linalg.norm(full[:, :64], axis=1, keepdims=True), atol=1e-6)
    assert set(np.unique(of("minilm-en[precision=binary]"))) == {-1.0, 1.0}
    assert not np.allclose(of("minilm-en[max_tokens=5]"), full, atol=1e-3)
    with pytest.raises(UsageError, match="not one encoder"):
        of("bm25 + minilm-en")


def test_too_few_of_a_label_stop_the_run() -> None:
    labelled = Labelled("x", ("a", "b", "c"), ("1", "1", "2"))
    with pytest.raises(DataError, match="fewer than 5 folds"):
        weigh_features(read_systems(["use-multilingual"]), labelled, FeatureConfig())


def test_tables_are_read(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    path.write_text('{"body": "a", "kind": 1}\n{"body": "b", "kind": "x"}\n{"body": "a", "kind": 1}\n')
    found = read_labelled(path, "body", "kind")
    assert (found.texts, found.labels) == (("a", "b"), ("1", "x"))
    assert found.checksum != read_labelled(TOPICS).checksum


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("body,label\na,1\n", "has no column 'text'; there is 'body', 'label'. Name yours: --text or --label"),
        ("text,label\n,1\n", "field 'text' is empty"),
        ("text,label\na,1\na,2\n", "gives 'a' the label '2', and an earlier line '1'"),
        ("text,label\n", "holds no labelled text"),
    ],
)
def test_a_bad_table_names_the_line(tmp_path: Path, content: str, words: str) -> None:
    path = tmp_path / "t.csv"
    path.write_text(content)
    with pytest.raises(SuiteError, match=words) as caught:
        read_labelled(path)
    assert caught.value.path == str(path)


def test_something_else_than_a_table(tmp_path: Path) -> None:
    with pytest.raises(SuiteError, match="is no table"):
        read_labelled(tmp_path / "missing.csv")


def test_the_command(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    out = str(tmp_path / "f.json")
    arguments = ["--labelled", str(TOPICS), "--no-cache", "--out", out]
    assert main(["features", "use-multilingual", "minilm-en", *arguments]) == 0
    text = capfd.readouterr().out
    assert "48 texts, 4 labels" in text
    assert "use-multilingual is significantly better than every other system by linear probe" in text
    assert load(out).measures == ("probe",)
    assert main(["advise", out, "--scenario", "features"]) == 0
    assert "Take use-multilingual." in capfd.readouterr().out


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["e5-small", "--labelled", "nothing"],
        ["--labelled", "x.csv"],
        ["e5-small", "--labelled", "x", "--folds", "1"],
    ],
)
def test_the_command_refuses(arguments: Any) -> None:
    assert main(["features", *arguments]) == 2


def test_without_clusters_nothing_is_said_of_them() -> None:
    assert cluster_lines(made_result({"a": [1.0], "b": [0.0]}), load_wording("en")) == []


def test_texts_that_were_cut_are_a_note_and_no_warning(recwarn: Any) -> None:
    long = Labelled("x", tuple(f"text {i} " + "word " * 400 * (i == 0) for i in range(4)), ("a", "a", "b", "b"))
    (system,) = weigh_features(read_systems(["minilm-en"]), long, FeatureConfig(folds=2)).systems
    assert any(note.startswith("minilm-en cut 1 texts at 256 tokens") for note in system.notes)
    assert not [w for w in recwarn if "minilm-en" in str(w.message)]
