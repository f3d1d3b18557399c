"""Cost tables: spreads shown, hidden differences marked, nothing printed that was not measured."""

import io
from typing import Any

import pytest
from rich.console import Console

from steelyard.bench.advice.system_metadata import COSTS
from steelyard.cost.figure import figure
from steelyard.cost.record import Check, CostRecord, Load, QueryLatency, Speed
from steelyard.cost.storage import grid
from steelyard.report.costs import SAME, cost_blocks, marked
from steelyard.report.table import Column, Spread
from steelyard.report.terminal import print_blocks
from steelyard.wording.numbers import COST, short
from steelyard.wording.words import load_wording


def record(factor: float = 1.0, **changes: Any) -> CostRecord:
    def around(value: Any) -> Any:
        return figure([factor * value * (1 + e) for e in (-0.02, -0.01, 0.01, 0.02)])

    given = {
        "rounds": 4,
        "load_seconds": around(2.0),
        "start_seconds": around(3.0),
        "peak_rss_bytes": around(5e8),
        "base_rss_bytes": around(5e7),
        "query": QueryLatency(p50=around(4), p95=around(6), p99=around(9), queries=100, documents=50),
        "texts_per_second": around(250),
    }
    return CostRecord(**given | changes)


def printed(costs: Any) -> Any:
    out = io.StringIO()
    print_blocks(Console(file=out, width=200, highlight=False), cost_blocks(costs, load_wording("en")))
    return out.getvalue()


def test_a_cell_has_its_spread() -> None:
    def cell(*rounds: Any) -> Any:
        return Column("x", COST).text(Spread.of(figure(rounds)) if rounds else None, narrow=True)

    assert cell(90.0, 100.0, 110.0) == "100 ±10%"
    assert cell(90.0) == "90.0"
    assert cell(90.0, 100.0, 900.0) == "100 [90.0–900]"
    assert cell() == ""


@pytest.mark.parametrize(
    ("value", "text"), [(12345.6, "12,346"), (99.94, "99.9"), (12.34, "12.3"), (1.234, "1.23"), (0.0123, "0.0123")]
)
def test_numbers_have_no_exponent(value: float, text: str) -> None:
    assert short(value) == text


def test_what_cannot_be_told_from_the_best_is_marked() -> None:
    low, near, far = figure([1.0, 1.1, 1.2, 1.3]), figure([1.2, 1.3, 1.4, 1.5]), figure([3, 3.1, 3.2, 3.3])
    for key, marks in (("load_s", ["", SAME, ""]), ("texts_per_second", ["", "", ""])):
        cells = list(marked([low, near, far, None], COSTS[key]))
        assert [c.mark for c in cells if c] == marks
        assert cells[3] is None


def test_the_table_shows_what_was_measured_and_no_more() -> None:
    text = printed({"quick": record(), "slow": record(3.0, gpu_bytes=figure([2e9] * 4))})
    assert "GPU GB" in text
    assert "1M tokens" not in text
    assert "cold s" not in text
    assert "Under load" not in text
    assert text.count(SAME) == 1  # in the caption alone
    assert "in 3 % of cases by chance" in text


def test_three_rounds_mark_everything() -> None:
    costs = {"quick": record(rounds=3, load_seconds=figure([1, 1, 1])), "slow": record(load_seconds=figure([9] * 4))}
    text = printed(costs)
    assert f"{SAME}9.00" in text
    assert "by chance" not in text


def test_every_part_that_was_measured_is_printed() -> None:
    four = figure([100.0] * 4)
    speeds = (Speed(batch=8, texts_per_second=four, tokens_per_second=four, peak_share=figure([0.5] * 4)),)
    lengths = (Speed(batch=4, characters=32, texts_per_second=four),)
    load = (Load(clients=1, texts_per_second=four), Load(clients=2, texts_per_second=four, failed=3, trouble="429"))
    full = record(
        batches=speeds, lengths=lengths, load=load, saturation=1, storage=grid([1024]), gemm_gflops=four,
        check=Check(load_seconds=0.01, run_seconds=0.02, peak_rss=0.0), notes=("own", "shared"),
    )  # fmt: skip
    text = printed({"x": full, "y": record(notes=("shared",))})
    for part in ("50", "saturated", "4.10", "0.128", "100 GFLOP/s", "within 2.0 %", "x: own", "\nshared\n"):
        assert part in text, part


def test_a_note_of_all_is_said_once() -> None:
    text = printed({"x": record(notes=("shared",)), "y": record(notes=("shared",))})
    assert text.count("shared") == 1


def test_nothing_measured_prints_nothing() -> None:
    assert printed({}) == ""
