"""Instruction sweeps from command to verdict, with a real model and with a checkpoint of Qwen3's shape."""

import json
import re
import sys
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from steelyard.bench.evaluation.result import load
from steelyard.cli import main

TASKS = "none\ndefault\n查询\nRetrieve the passage\n"
TESTS = Path(__file__).parents[1]


@pytest.fixture
def tasks(tmp_path: Path) -> str:
    path = tmp_path / "tasks.txt"
    path.write_text(TASKS, encoding="utf-8")
    return str(path)


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """e5-small with its ``query: `` as an instruction, so that it can be left out or be another."""
    source = (resources.files("steelyard.models") / "catalog" / "e5-small.toml").read_text(encoding="utf-8")
    template = 'query_template = "{instruction}: {text}"\nbare_query_template = "{text}"\ninstruction = "query"'
    source = source.replace('name = "e5-small"', 'name = "e5-told"').replace(
        'query_template = "query: {text}"', template
    )
    source = re.sub(r"backends = \[.*?\]", 'backends = ["numpy"]', source, flags=re.DOTALL)
    monkeypatch.setenv("STEELYARD_MODELS", str(tmp_path / "models"))
    (tmp_path / "told.toml").write_text(source, encoding="utf-8")
    assert main(["models", "add", str(tmp_path / "told.toml")]) == 0
    return "e5-told"


@pytest.fixture
def qwen3(tmp_path: Path) -> str:
    """A folder of Qwen3's architecture with random values."""
    pytest.importorskip("torch")
    for folder in ("doctor", "engines"):
        sys.path.append(str(TESTS / folder))
    from planted import write_qwen3

    return f"folder:{write_qwen3(tmp_path / 'qwen3')}"


def swept(system: Any, tasks: Any, folder: Any) -> Any:
    out = str(folder / "sweep.json")
    arguments = ["--instructions", tasks, "--suite", "zh-traps-mini", "--no-cache", "--out", out]
    assert main(["sweep", system, *arguments]) == 0
    return out


def names(out: Any) -> list[Any]:
    return [s.name.partition("[")[2] for s in load(out).weighed]


def test_a_real_model_s_instruction_is_tested_against_none(
    told: Any, tasks: Any, tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    out = swept(told, tasks, tmp_path)
    shown = capfdbinary.readouterr().out.decode()
    wanted = ["", "instruction=none]", 'instruction="查询"]', 'instruction="Retrieve the passage"]']
    assert names(out) == wanted
    assert 'e5-told[instruction="查询"] compared with no instruction: ' in shown
    assert "Chinese compared with English instructions: " in shown
    systems = load(out).weighed
    assert [s.cache.computed for s in systems] == [24 + 8, 8, 8, 8]
    assert systems[0].top != systems[1].top
    assert main(["claims", "5", "--result", out, "--json"]) == 0
    (claim,) = json.loads(capfdbinary.readouterr().out)
    assert claim["answer"] in ("cannot be told", "does not hold")
    assert claim["figures"][0].startswith("e5-told less e5-told[instruction=none]: ")


def test_the_template_that_the_catalogue_has_is_what_the_swept_one_gives(told: Any, tasks: Any, tmp_path: Path) -> None:
    out = swept(told, tasks, tmp_path)
    plain = str(tmp_path / "plain.json")
    arguments = ["--suite", "zh-traps-mini", "--no-cache", "--out", plain]
    assert main(["weigh", "e5-small[backend=numpy]", *arguments]) == 0
    first, catalogue = load(out).weighed[0], load(plain).weighed[0]
    assert first.top == catalogue.top


def test_a_checkpoint_of_qwen3_s_shape_goes_the_same_way(
    qwen3: Any, tasks: Any, tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    out = swept(qwen3, tasks, tmp_path)
    assert "compared with no instruction" in capfdbinary.readouterr().out.decode()
    assert len(names(out)) == 4
    assert len({s.top for s in load(out).weighed}) == 4
    assert main(["claims", "5", "--result", out, "--json"]) == 0
    (claim,) = json.loads(capfdbinary.readouterr().out)
    assert len(claim["figures"]) == 4
    assert claim["figures"][-1].startswith("zh instructions less en instructions: ")
