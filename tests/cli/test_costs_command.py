"""``steelyard costs`` and ``steelyard weigh --costs`` from the command line."""

import json
from pathlib import Path
from typing import Any

import pytest

from steelyard.bench.evaluation.result import load
from steelyard.cli import main

QUICK = ["--rounds", "1", "--seconds", "0.02", "--texts", "8", "--suite", "zh-traps-mini"]


def test_costs_as_json(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    assert main(["costs", "bm25", "--json", "--price-per-hour", "2", *QUICK]) == 0
    found = json.loads(capfdbinary.readouterr().out)["bm25"]
    assert found["first"] == "answer"
    assert found["peak_rss_bytes"]["value"] > 1e7
    assert found["bill"]["million_texts"]["value"] > 0


def test_costs_go_into_a_stored_result(tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    path = str(tmp_path / "r.json")
    assert main(["weigh", "bm25", "--suite", "zh-traps-mini", "--no-cache", "--out", path]) == 0
    assert main(["costs", "--into", path, *QUICK]) == 0
    assert load(path).systems[0].costs.rounds == 1
    assert b"peak GB" in capfdbinary.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "name one system or more"),
        (["bm25", "--rounds", "0"], "--rounds takes 1 or more"),
        (["bm25", "--price-per-hour", "-1"], "one price"),
        (["bm26"], "there is no system"),
    ],
)
def test_what_cannot_be_measured_is_refused_at_once(
    arguments: Any, words: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["costs", *arguments]) == 2
    assert words in capfd.readouterr().err


def test_a_system_that_fails_is_said_and_the_rest_is_shown(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["costs", "bm25", "minilm-en[instruction=find]", *QUICK]) == 8
    out = capfd.readouterr().out
    assert "minilm-en[instruction=find] failed" in out
    assert "bm25" in out
