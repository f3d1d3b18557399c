"""What is said while a run goes on: which of how many, and about how long the rest takes."""

import io

from rich.progress import Progress

from steelyard.cli.output import _Bars
from steelyard.cli.plain_console import PlainConsole
from steelyard.wording.duration import duration
from steelyard.wording.words import load_wording


def test_the_time_left_is_told_from_the_second_on() -> None:
    clock = iter([0.0, 0.0, 300.0, 600.0])
    file = io.StringIO()
    out = PlainConsole(file=file, width=160)
    bars = _Bars(Progress(console=out, disable=True), out, load_wording("en"), lambda: next(clock))
    for number in (1, 2, 3):
        bars.system("costs of bm25", number, 4)
    assert file.getvalue().splitlines() == [
        "1/4: costs of bm25",
        "2/4: costs of bm25; about 15 min left",
        "3/4: costs of bm25; about 10 min left",
    ]


def test_durations_are_as_coarse_as_estimates_are() -> None:
    assert [str(duration(s)) for s in (0, 40, 100, 3_500, 3_900)] == ["1 s", "40 s", "2 min", "58 min", "1 h 5 min"]
    assert load_wording("zh").of(duration(3_900)) == "1 小时 5分钟"
