"""A result is written whole or not at all, and a wrong one is refused with its place."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
from bench_results import costs

from steelyard.bench.evaluation.join import join
from steelyard.bench.evaluation.result import Result, load, parse_result, published_names, save
from steelyard.bench.evaluation.result_files import choose_file, described, given_file, keep_costs
from steelyard.errors import ResultError
from steelyard.wording.words import load_wording


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


def _broken(change: Callable[[dict[str, Any]], object]) -> bytes:
    content = _published().model_dump(by_alias=True)
    change(content)
    return orjson.dumps(content)


UNFIT: list[tuple[str, Callable[[dict[str, Any]], object]]] = [
    ("measures: 'goodness' is no measure", lambda c: c.update(measures=["goodness"])),
    ("seed: Input should be greater than or equal to 0", lambda c: c.update(seed=-1)),
    ("depth: Input should be greater", lambda c: c.update(depth=-1)),
    ("winners has 1 entries for 8 queries", lambda c: c["systems"][0].update(winners=["positive"])),
    ("top has 1 entries for 8 queries", lambda c: c["systems"][0].update(top=[[]])),
    ("it has no values of ndcg@10", lambda c: c.update(measures=["ndcg@10"])),
    ("values: 'goodness' is no measure", lambda c: c["systems"][0]["values"].update(goodness=[1.0] * 8)),
    ("top1 has a value outside 0 to 1", lambda c: c["systems"][0]["values"].update(top1=[1e308] * 8)),
    ("queries: 'q1' stands there 2 times", lambda c: [q.update(id="q1") for q in c["queries"][:2]]),
    ("systems: 'x' stands there 4 times", lambda c: [s.update(name="x") for s in c["systems"]]),
    ("it holds systems and names no measure", lambda c: c.update(measures=[])),
    ("it holds systems and no query", lambda c: c.update(queries=[])),
]


@pytest.mark.parametrize(("message", "change"), UNFIT)
def test_parts_that_do_not_fit_are_refused(message: str, change: Callable[[dict[str, Any]], object]) -> None:
    with pytest.raises(ResultError, match=re.escape(message)):
        parse_result(_broken(change), "x")


def test_no_run_replaces_another(tmp_path: Path) -> None:
    result = _published()
    names, texts = [s.name for s in result.systems], result.suite.checksum
    first = choose_file("faq", texts, names, tmp_path)
    assert (first.path.name, first.earlier, first.note) == ("faq.json", None, "")
    save(result, first.path)
    again = choose_file("faq", texts, names[::-1], tmp_path)
    assert (again.path, again.earlier, again.note) == (first.path, result, "")
    for others, checksum in ((names[:1], texts), (names, "other")):
        other = choose_file("faq", checksum, others, tmp_path)
        assert other.path.name == "faq-2.json"
        assert "faq.json is kept, it holds another run: " in other.note
    save(result.model_copy(update={"complete": False, "systems": result.systems[:2]}), first.path)
    assert choose_file("faq", texts, names, tmp_path).earlier is not None
    first.path.write_text("{")
    assert "could not be read" in choose_file("faq", texts, names, tmp_path).note
    assert "this run replaced it" in given_file(first.path, texts, names).note
    save(result, first.path)
    assert "held another run, which this one replaced" in given_file(first.path, texts, names[:1]).note
    assert load_wording("zh").of(given_file(first.path, texts, names[:1]).note).startswith(f"{first.path} 原来是")


def test_which_run_a_file_holds_and_that_a_newer_one_is_there(tmp_path: Path) -> None:
    result = _published()
    save(result, tmp_path / "faq.json")
    newer = result.model_copy(update={"systems": result.systems[:1], "created": "2999-01-01T00:00:00+00:00"})
    save(newer, tmp_path / "faq-2.json")
    held, told = described(str(tmp_path / "faq.json"), result)
    assert f"faq.json: {result.systems[0].name}" in held
    assert "A newer result on the same texts is" in told
    assert "faq-2.json" in told
    assert len(described(str(tmp_path / "faq-2.json"), newer)) == 1
    assert len(described("published:a100-8x24", result)) == 1


def test_costs_that_a_file_held_of_the_same_engines_are_kept(tmp_path: Path) -> None:
    bare, measured = _published(), costs()
    held = bare.model_copy(update={"systems": tuple(s.model_copy(update={"costs": measured}) for s in bare.systems)})
    without = bare.model_copy(update={"systems": tuple(s.model_copy(update={"costs": None}) for s in bare.systems)})
    kept = keep_costs(without, held, tmp_path / "r.json")
    assert all(s.costs == measured for s in kept.systems)
    assert load(tmp_path / "r.json") == kept
    other = without.model_copy(update={"environment": bare.environment.model_copy(update={"processor": "another"})})
    assert keep_costs(other, held, tmp_path / "r.json") is other
