"""What is said of odd inputs: reads each of :data:`CASES` as a user would, and writes docs/inputs.md."""

from __future__ import annotations

import contextlib
import io
import os
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from odd_inputs import CASES, Case

from steelyard.cli.app import run

PAGE = Path(__file__).parents[1] / "docs" / "inputs.md"
_LONGEST = 420
_HEAD = """# Odd inputs, and what is said

Every row is a file or folder as people have them, given to the command beside it. This page is made by
`make inputs-table` and checked by a test, so it is what the commands print today (paths shortened, long answers cut).
Exit codes: 0 read, with what was noted; 2 wrong usage; 3 bad data; 4 a package is missing; 5 bad model; 8 a system
could not be weighed ([all](exit-codes.md)). Names of columns, and what grades mean: [suites](suites.md).
"""


@dataclass(frozen=True)
class Answer:
    """What a command ended with.

    Attributes:
        code: the exit code.
        text: standard error and output, in one line.
    """

    code: int
    text: str


def ask(case: Case) -> Answer:
    """Runs one case in a folder of its own; whatever is not a deliberate failure comes out as it is."""
    with tempfile.TemporaryDirectory() as name, contextlib.chdir(name):
        root = Path(name).resolve()
        for path, content in case.files.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_bytes(content if isinstance(content, bytes) else content.encode())
        out = io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out), _quiet():
            code = run(list(case.command))
        return Answer(code, _line(out.getvalue(), (str(root), name)))


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    before = dict(os.environ)
    os.environ |= {"STEELYARD_CONFIG": "", "LC_ALL": "C.UTF-8", "STEELYARD_CACHE": str(Path.cwd() / "cache")}
    try:
        yield
    finally:
        os.environ.clear()
        os.environ |= before


def _line(text: str, roots: tuple[str, ...]) -> str:
    for root in roots:
        text = text.replace(root + "/", "").replace(root, ".")
    lines = [" ".join(line.split()) for line in text.splitlines() if line.strip()]
    joined = " ⏎ ".join(lines).removeprefix("steelyard: ")
    return joined if len(joined) <= _LONGEST else joined[:_LONGEST] + " …"


def page(answers: dict[str, list[tuple[Case, Answer]]]) -> str:
    """The page as Markdown."""
    parts = [_HEAD]
    for kind, rows in answers.items():
        parts.append(f"\n## {kind}\n\n| what lies there | command | exit | what is said |\n|---|---|---:|---|\n")
        for case, answer in rows:
            command = "steelyard " + " ".join(case.command)
            said = answer.text.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;").replace("*", "\\*")
            parts.append(f"| {case.what} | `{command}` | {answer.code} | {said} |\n")
    return "".join(parts)


def made() -> str:
    """The page as it would be written now."""
    answers: dict[str, list[tuple[Case, Answer]]] = {}
    for case in CASES:
        answers.setdefault(case.kind, []).append((case, ask(case)))
    return page(answers)


if __name__ == "__main__":
    PAGE.write_text(made(), encoding="utf-8")
    print(f"{PAGE}: {len(CASES)} inputs")
