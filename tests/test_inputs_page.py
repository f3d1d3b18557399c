"""docs/inputs.md is what the commands say today of 60 inputs and more: no traceback, and none read in silence."""

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tools"))

from inputs_table import PAGE, Answer, ask, page  # noqa: E402
from odd_inputs import CASES, Case  # noqa: E402

pytest.importorskip("python_calamine")
pytest.importorskip("pyarrow")


@pytest.fixture(scope="module")
def answers() -> dict[str, list[tuple[Case, Answer]]]:
    found: dict[str, list[tuple[Case, Answer]]] = {}
    for case in CASES:
        found.setdefault(case.kind, []).append((case, ask(case)))  # whatever is no deliberate failure raises here
    return found


def test_the_page_is_what_is_said_today(answers: dict[str, list[tuple[Case, Answer]]]) -> None:
    assert len(CASES) >= 60
    assert page(answers).splitlines() == PAGE.read_text(encoding="utf-8").splitlines(), "run: make inputs-table"


def test_every_answer_is_a_sentence_and_every_success_says_how_it_was_read(
    answers: dict[str, list[tuple[Case, Answer]]],
) -> None:
    for case, answer in (pair for pairs in answers.values() for pair in pairs):
        assert answer.text, case.what
        assert "Traceback" not in answer.text, case.what
        assert answer.code in {0, 2, 3, 4, 5, 8}, case.what
        if answer.code == 0 and case.command[0] == "suites":
            assert "judgements: " in answer.text, case.what
