"""Tables on a terminal: whatever its width, every name and every figure stands there whole."""

from __future__ import annotations

import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from report_fakes import HOSTILE, whole_report
from rich.console import Console

from steelyard.cli import main
from steelyard.cli.app import COMMANDS
from steelyard.report.html import blocks_to_html
from steelyard.report.table import COUNT, Block, Column, Line, Table
from steelyard.report.terminal import print_blocks
from steelyard.report.verdict_view import verdict_blocks
from steelyard.wording.words import LANGUAGES, load_wording


def printed(blocks: list[Block], width: int) -> str:
    out = io.StringIO()
    print_blocks(Console(file=out, width=width, highlight=False), blocks)
    return out.getvalue()


@given(st.integers(40, 200), st.integers(1, 12))
@settings(max_examples=30)
def test_a_wide_table_is_split_and_nothing_is_cut_off(width: int, figures: int) -> None:
    columns = (Column("system"), *(Column(f"title {i}", COUNT) for i in range(figures)))
    table = Table("x", columns, (("a-system", *(float(12345 + i) for i in range(figures))),))
    text = printed([table], width)
    assert text.count("a-system") >= 1
    for i in range(figures):
        assert f"title {i}" in text
        assert f"{12345 + i:,}" in text
    assert all(len(line) <= width for line in text.splitlines())


@pytest.mark.parametrize("language", LANGUAGES)
def test_terminal_and_notebook_show_every_figure_of_the_result(language: str) -> None:
    report = whole_report()
    blocks = list(verdict_blocks(report, load_wording(language)))
    for text in (printed(blocks, 160), blocks_to_html(blocks)):
        for name, figure in report.verdict.figures.items():
            assert name in text
            assert f"{100 * figure.estimate:.1f}" in text


def test_texts_of_users_are_never_markup() -> None:
    for text in HOSTILE[:4]:
        blocks: list[Block] = [Table("x", (Column(text),), ((text,),), title=text), Line("[bold]" + text)]
        assert "[bold]" in printed(blocks, 160)
        assert "<script" not in blocks_to_html(blocks)
        assert "<img" not in blocks_to_html(blocks)


def test_commands_speak_chinese(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", "published:a100-8x24", "--lang", "zh"]) == 0
    assert "无显著差异" in capfd.readouterr().out
    assert main(["advise", "published:a100-8x24", "--lang", "zh"]) == 0
    assert "选 " in capfd.readouterr().out
    for command in ("weigh", "compare", "sweep", "costs", "advise", "doctor", "report", "features", "table"):
        assert command in COMMANDS
        assert main([command, "--help"]) == 0
        assert "--lang" in capfd.readouterr().out
