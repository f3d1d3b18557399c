"""README.md and README.zh-CN.md: the same figures from one source."""

import importlib.util
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
_SPEC = importlib.util.spec_from_file_location("readme_table", ROOT / "tools" / "readme_table.py")
assert _SPEC
assert _SPEC.loader
readme_table = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(readme_table)

TEXTS = {language: (ROOT / name).read_text(encoding="utf-8") for name, language in readme_table.FILES.items()}


@pytest.mark.parametrize("block", ["table", "speed"])
def test_both_languages_give_the_same_figures(block: str) -> None:
    rows = {}
    for language, text in TEXTS.items():
        lines = [line for line in readme_table.between(text, block).splitlines() if line.startswith("|")]
        cells = [line.replace("，", ",").split("|")[2:] for line in lines[2:]]
        rows[language] = [[re.findall(r"\d[\d.]*|\*", cell) for cell in row] for row in cells]
    assert rows["en"] == rows["zh"]
    assert len(rows["en"]) >= 3


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_speeds_are_those_of_the_file_of_figures(language: str) -> None:
    assert readme_table.between(TEXTS[language], "speed") == readme_table.speeds(language)


def test_both_verdicts_name_the_same_figures() -> None:
    said = {language: readme_table.between(text, "table").splitlines()[-1] for language, text in TEXTS.items()}
    figures = {language: sorted(re.findall(r"\d+(?:\.\d+)?", line)) for language, line in said.items()}
    assert figures["en"] == figures["zh"]
