"""The published table: its columns, their order, and its figures unchanged, for any models."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from steelyard.bench.evaluation.result import load
from steelyard.cli import main
from steelyard.report.published_table import published_blocks, published_table
from steelyard.report.terminal import print_blocks
from steelyard.wording.words import load_wording


def printed(*results: Any) -> Any:
    out = io.StringIO()
    print_blocks(Console(file=out, width=200), published_blocks(results, load_wording("en")))
    return out.getvalue()


def test_the_published_figures_come_back_unchanged() -> None:
    text = printed(load("published:a100-8x24")).splitlines()
    assert " ".join(text[0].split()) == "model memory GB load s inference s texts/s Top-1 % Top-3 % dims"
    rows = [" ".join(line.split()) for line in text[1:5]]
    assert rows == [
        "BGE-M3 1.06 8.3 0.02 1,496.5 100.0 (67.6–100.0) 100.0 (67.6–100.0) 1,024",
        "Qwen3-0.6B 1.12 9.1 0.019 1,611.4 87.5 (52.9–97.8) 100.0 (67.6–100.0) 1,024",
        "Qwen3-4B 7.55 42.7 0.073 412 87.5 (52.9–97.8) 100.0 (67.6–100.0) 2,560",
        "Qwen3-8B 14.1 78.5 0.122 246 100.0 (67.6–100.0) 100.0 (67.6–100.0) 4,096",
    ]
    assert "Undecided: the 4 systems show no significant difference by Top-1 on 8 queries" in "\n".join(text)


def test_a_result_without_costs_shows_dashes() -> None:
    stored = load("published:a100-8x24")
    bare = stored.model_copy(update={"systems": tuple(s.model_copy(update={"costs": None}) for s in stored.systems)})
    assert [row[1:5] for row in published_table([bare], load_wording("en")).rows] == [(None,) * 4] * 4


def test_one_command_makes_it_for_any_systems(tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    out = str(tmp_path / "t.json")
    quick = ["--rounds", "1", "--seconds", "0.02", "--no-cold", "--no-cache", "--out", out]
    assert main(["table", "minilm-en", "bm25", "published:a100-8x24", *quick]) == 0
    text = capfdbinary.readouterr().out.decode()
    assert [line.split()[0] for line in text.splitlines()[1:7]] == [
        "minilm-en", "bm25", "BGE-M3", "Qwen3-0.6B", "Qwen3-4B", "Qwen3-8B",
    ]  # fmt: skip
    assert text.splitlines()[1].split()[-1] == "384"
    assert "zh-traps-mini: 8 queries x 24 documents" in text
    assert main(["table", out, "--json"]) == 0
    stored = json.loads(capfdbinary.readouterr().out)[0]
    assert stored["systems"][0]["costs"]["texts"] == 32


def test_nothing_to_show_is_refused(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["table"]) == 2
    assert "published:a100-8x24" in capfd.readouterr().err
