"""What the documents say to type can be typed, and what they point at is there."""

import re
import shlex
from pathlib import Path

import pytest

from steelyard.cli.app import COMMANDS, build

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
EXAMPLE = ROOT / "docs" / "example"


def _commands(page: Path) -> list[str]:
    blocks = re.findall(r"```(?:bash|sh|console)\n(.*?)```", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    lines = "\n".join(blocks).replace("\\\n", " ").splitlines()
    typed = [line.removeprefix("$ ").strip() for line in lines]
    return [line for line in typed if line.startswith("steelyard ")]


TYPED = [(page.name, line) for page in PAGES for line in _commands(page)]


@pytest.mark.parametrize(("page", "line"), TYPED)
def test_every_command_in_the_documents_is_understood(page: str, line: str) -> None:
    words = shlex.split(re.split(r"\s+[|>&]{1,2}\s", line)[0], comments=True)[1:]
    assert words[0] in {*COMMANDS, "completion", "--help", "--version"}
    build(words[0]).parse_args(words, exit_on_error=False, print_error=False)


def test_the_documents_were_searched() -> None:
    assert len(TYPED) > 20


@pytest.mark.parametrize("page", [p for p in PAGES if EXAMPLE not in p.parents], ids=lambda p: str(p.relative_to(ROOT)))
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#\s]+)", page.read_text(encoding="utf-8"))
    missing = [t for t in targets if not t.startswith(("http://", "https://")) and not (page.parent / t).exists()]
    assert missing == []


def test_both_readmes_carry_a_measured_table() -> None:
    for name in ("README.md", "README.zh-CN.md"):
        text = (ROOT / name).read_text(encoding="utf-8")
        table = text.split("<!-- table:begin -->")[1].split("<!-- table:end -->")[0]
        assert table.count("\n| `") >= 5
