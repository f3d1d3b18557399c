"""A result is written whole or not at all, and a wrong one is refused with its place."""

from pathlib import Path

import orjson
import pytest

from steelyard.bench.evaluation.join import join
from steelyard.bench.evaluation.result import Result, load, parse_result, published_names, save
from steelyard.errors import ResultError


def _published() -> Result:
    return load("published:a100-8x24")


def test_round_trip_to_the_bit(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "r.json"
    save(_published(), path)
    assert load(path) == _published()
    assert [p.name for p in path.parent.iterdir()] == ["r.json"]


def test_a_failed_write_leaves_the_old_result(tmp_path: Path) -> None:
    path = tmp_path / "r.json"
    path.mkdir()
    with pytest.raises(ResultError, match=r"r\.json could not be written"):
        save(_published(), path)
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"{", r"x:\d+: not JSON"),
        (b"[]", "its schema is None"),
        (b'{"schema": "steelyard.result/99"}', "steelyard.result/99"),
        (b'{"schema": "steelyard.result/1"}', "created"),
    ],
)
def test_what_is_no_result_is_refused_with_its_place(data: bytes, message: str) -> None:
    with pytest.raises(ResultError, match=message):
        parse_result(data, "x")


def test_values_that_do_not_fit_the_queries_are_refused() -> None:
    content = _published().model_dump(by_alias=True)
    content["systems"][1]["values"]["top1"] = (1.0,)
    with pytest.raises(ResultError, match=r"Qwen3-0\.6B: top1 has 1 values for 8 queries"):
        parse_result(orjson.dumps(content), "x")


def test_missing_file_and_unknown_published_table(tmp_path: Path) -> None:
    with pytest.raises(ResultError, match="cannot be read"):
        load(tmp_path / "absent.json")
    with pytest.raises(ResultError, match="a100-8x24"):
        load("published:nothing")
    assert published_names() == ("a100-8x24",)


def test_join_names_repeated_systems_by_their_file() -> None:
    both = join([_published(), _published()], ["a", "b"])
    assert [s.name for s in both.systems][:5] == ["BGE-M3", "Qwen3-0.6B", "Qwen3-4B", "Qwen3-8B", "BGE-M3 (2)"]


def test_join_keeps_shared_queries_and_measures_in_line() -> None:
    first = _published()
    content = first.model_dump(by_alias=True)
    content["queries"] = list(reversed(content["queries"]))[:6]
    content["measures"] = ["top1"]
    for system in content["systems"]:
        system["values"] = {"top1": tuple(reversed(system["values"]["top1"]))[:6]}
    both = join([first, Result.model_validate(content)], ["a", "b"])
    assert both.measures == ("top1",)
    assert [q.id for q in both.queries] == ["q3", "q4", "q5", "q6", "q7", "q8"]
    assert both.systems[2].values["top1"] == both.systems[6].values["top1"]


def test_join_refuses_different_texts() -> None:
    other = _published().model_copy(
        update={"suite": _published().suite.model_copy(update={"checksum": "abc", "name": "mine"})}
    )
    with pytest.raises(ResultError, match="different texts"):
        join([_published(), other], ["a", "b"])
