"""A run keeps what is finished, goes on from it, and a second one computes nothing."""

from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer

from steelyard.bench.evaluation.cache import VectorCache
from steelyard.bench.evaluation.judgement import judge
from steelyard.bench.evaluation.result import load
from steelyard.bench.evaluation.runner import SilentWatcher, WeighConfig, resumable, weigh
from steelyard.errors import ExpressionError
from steelyard.retrieval.resolve import read_systems
from steelyard.suites.registry import open_suite


class StopAt(SilentWatcher):
    """Presses Ctrl-C when a system's turn comes."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.begun: list[str] = []

    def system(self, name: str, number: int, total: int) -> None:
        self.begun.append(name)
        if number == self.number:
            raise KeyboardInterrupt


def test_interrupted_run_keeps_what_was_finished_and_goes_on_from_it(tmp_path: Path) -> None:
    suite = open_suite("zh-traps-mini")
    config = WeighConfig(out=tmp_path / "r.json")
    systems = read_systems(["bm25", "bm25[k1=0.5]", "bm25[b=0]"])
    with pytest.raises(KeyboardInterrupt):
        weigh(systems, suite, config, watcher=StopAt(3))
    halfway = load(tmp_path / "r.json")
    assert [s.name for s in halfway.systems] == ["bm25", "bm25[k1=0.5]"]
    assert not halfway.complete
    assert resumable(halfway, suite, config)
    whole = weigh(systems, suite, config, halfway)
    assert whole.complete
    assert whole.systems[:2] == halfway.systems
    fresh = weigh(systems, suite, WeighConfig())
    assert [s.values for s in fresh.systems] == [s.values for s in whole.systems]


def test_other_texts_or_settings_are_not_gone_on_from(tmp_path: Path) -> None:
    suite = open_suite("zh-traps-mini")
    result = weigh(read_systems(["bm25"]), suite, WeighConfig())
    assert resumable(result, suite, WeighConfig())
    assert not resumable(result, suite, WeighConfig(depth=5))
    assert not resumable(result, suite, WeighConfig(measures=("top1",)))
    assert not resumable(result, open_suite("en-traps"), WeighConfig())


def test_second_run_embeds_nothing_and_says_the_same(tmp_path: Path) -> None:
    suite = open_suite("zh-traps-mini")
    systems = read_systems(["minilm-en", "minilm-en[dim=64]"])
    config = WeighConfig(cache=VectorCache(tmp_path / "v.sqlite"))
    first, second = weigh(systems, suite, config), weigh(systems, suite, config)
    assert [s.cache.computed for s in first.systems] == [32, 0]
    assert [s.cache.computed for s in second.systems] == [0, 0]
    assert [s.values for s in first.systems] == [s.values for s in second.systems]
    assert "no MRL" in second.systems[1].notes[0]


def test_the_table_comes_from_the_stored_json_alone(tmp_path: Path) -> None:
    result = weigh(
        read_systems(["bm25", "bm25[k1=0.2]"]), open_suite("zh-traps-mini"), WeighConfig(out=tmp_path / "r.json")
    )
    assert judge(load(tmp_path / "r.json")) == judge(result)


def test_a_failing_system_is_recorded_and_the_rest_go_on(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/v1/embeddings").respond_with_data("no such key", status=401)
    refusing = f"openai:m@{httpserver.url_for('/v1')}"
    result = weigh(read_systems([refusing, "bm25"]), open_suite("zh-traps-mini"), WeighConfig())
    failed, fine = result.systems
    assert httpserver.url_for("/v1") in failed.error
    assert not fine.error
    assert [s.name for s in result.weighed] == ["bm25"]


def test_truncated_texts_are_reported_with_and_without_the_cache(tmp_path: Path) -> None:
    config = WeighConfig(cache=VectorCache(tmp_path / "v.sqlite"))
    suite = open_suite("zh-traps-mini")
    long = suite.documents[0].text * 40
    documents = (type(suite.documents[0])(suite.documents[0].id, long), *suite.documents[1:])
    altered = type(suite)(suite.name, suite.queries, documents, suite.judgements, suite.traps)
    runs = [weigh(read_systems(["minilm-en"]), altered, config) for _ in range(2)]
    assert runs[1].systems[0].cache.computed == 0
    for run in runs:
        assert "minilm-en cut 1 texts at 256 tokens" in run.systems[0].notes[0]


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ("bm52", "Did you mean bm25"),
        ("e5-small[dim=4096]", "gives 384 dimensions"),
        ("e5-small[size=3]", "takes"),
        ("e5-small[dim=ten]", "whole number"),
        ("maxsim", "behind '>>'"),
        ("bm25 >> e5-small", "before '>>'"),
        ("e5-small[backend=cuda]", "runs on numpy"),
        ("bm25 >> maxsim[model=nothing]", "there is no model"),
        ("openai:m@http://h/v1[recipe=nothing]", "there is no model"),
        ("rerank:m@http://h/v1", "openai:NAME@URL"),
    ],
)
def test_what_does_not_fit_is_refused_before_anything_runs(typed: str, message: str) -> None:
    with pytest.raises(ExpressionError, match=message):
        read_systems([typed])


def test_sweeps_expand_and_repeats_are_weighed_once() -> None:
    names = [str(n) for n in read_systems(["bm25", "e5-small[dim=64|128]", "bm25", "e5-small[dim=64]"])]
    assert names == ["bm25", "e5-small[dim=64]", "e5-small[dim=128]"]


def test_expressions_are_weighed_as_they_are_typed() -> None:
    suite = open_suite("zh-traps-mini")
    typed, resolved = weigh(["bm25[k1=0.5|1.5]"], suite), weigh(read_systems(["bm25[k1=0.5|1.5]"]), suite)
    assert [(s.name, s.values) for s in typed.systems] == [(s.name, s.values) for s in resolved.systems]
