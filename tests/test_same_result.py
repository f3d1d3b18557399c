"""The tool that says whether a refactoring kept a result: it must notice figures and pass over clocks."""

import importlib.util
from pathlib import Path

import orjson

_SPEC = importlib.util.spec_from_file_location("same_result", Path(__file__).parents[1] / "tools" / "same_result.py")
assert _SPEC
assert _SPEC.loader
same_result = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(same_result)

BEFORE = {
    "created": "1",
    "systems": [{"name": "a", "values": {"top1": [1.0, 0.0]}, "timing": {"x": 1}, "notes": ["n"]}],
}


def differences(after: object) -> list[str]:
    found: list[str] = same_result.differences(orjson.dumps(BEFORE), orjson.dumps(after))
    return found


def test_times_words_and_new_fields_are_passed_over() -> None:
    system = {"name": "a", "values": {"top1": [1.0, 0.0], "new": [1.0, 1.0]}, "timing": {"x": 2}, "notes": []}
    assert differences({"created": "2", "systems": [system], "further": 1}) == []


def test_a_figure_and_a_missing_field_are_named() -> None:
    assert differences({"systems": [{"name": "a", "values": {"top1": [1.0, 0.5]}}]}) == [
        "systems[0].values.top1[1]: 0.0 -> 0.5"
    ]
    assert differences({"systems": [{"values": {"top1": [1.0, 0.0]}}]}) == ["systems[0].name: 'a' -> None"]
