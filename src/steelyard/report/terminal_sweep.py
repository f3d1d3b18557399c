"""A sweep as a table for the terminal: every variant beside the system that was swept."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from steelyard.bench.advice.evidence import probability
from steelyard.bench.evaluation.against import PairedDifference
from steelyard.bench.evaluation.result import Result
from steelyard.bench.evaluation.sweep import NONE, Row, chinese_against_english, instruction_of, rows, smallest
from steelyard.cost.storage import Storage
from steelyard.retrieval.expression import parse


def print_sweep(out: Console, result: Result, base: str, measure: str) -> None:
    """Prints the variants, what may be saved, and whether instructions helped."""
    found = rows(result, base, measure)
    suite = result.suite
    title = f"{base} on {suite.name} {suite.version}".strip() + f": {suite.queries} queries, {measure}"
    out.print(sweep_table(found, title))
    out.print(
        "Difference from the first row in points with its 95 % interval; p of the paired permutation test, "
        f"Holm over {max(len(found) - 1, 1)}.",
        style="dim",
        soft_wrap=True,
    )
    for line in (*saving(found), *instruction_lines(result, measure), *_failures(result)):
        out.print(Text(line), soft_wrap=True)


def sweep_table(found: Sequence[Row], title: str) -> Table:
    """One row a variant."""
    table = Table(title=title, box=None, title_justify="left", title_style="bold", pad_edge=False)
    table.add_column("system", overflow="fold")
    for column in ("points", "95 %", "difference", "95 %", "p", "", "MB a million"):
        table.add_column(column, justify="right", no_wrap=True)
    for row in found:
        low, high = 100 * row.figure.low, 100 * row.figure.high
        figure = (f"{100 * row.figure.estimate:.1f}", f"{low:.1f}-{high:.1f}")
        table.add_row(Text(row.name), *figure, *_difference(row.against), _megabytes(row.storage))
    return table


def saving(found: Sequence[Row]) -> list[str]:
    """What storage may be saved, and what the queries cannot exclude."""
    base = next(r for r in found if r.against is None)
    best = smallest(found)
    if best is None or best.storage is None or base.storage is None or best.against is None:
        return []
    factor = base.storage.bytes_per_million / best.storage.bytes_per_million
    again = best.storage.rescore_bytes_per_million / 1e6
    kept = f", with {again:,.0f} MB more on disk for rescoring" if again else ""
    small, whole = best.storage.bytes_per_million / 1e6, base.storage.bytes_per_million / 1e6
    return [
        f"Smallest without a sign of loss against {base.name} (p above 0.05 before correction): {best.name}, "
        f"{small:,.0f} MB a million documents instead of {whole:,.0f} ({factor:.3g} times less{kept}). "
        f"{_risk(best.against)}"
    ]


def instruction_lines(result: Result, measure: str) -> list[str]:
    """Whether each instruction helped over none, and whether its language mattered."""
    named = {s.name: instruction_of(parse(s.name)) for s in result.weighed}
    bare = next((name for name, text in named.items() if text == NONE), None)
    lines = []
    if bare:
        without = [a for r in rows(result, bare, measure) if (a := r.against) and named[r.name] != NONE]
        lines = [f"{a.name} against no instruction: {verdict(a)}" for a in without]
    languages = chinese_against_english(result, measure)
    if languages:
        lines.append(f"Chinese against English instructions: {verdict(languages)}")
    return lines


def verdict(a: PairedDifference) -> str:
    """One comparison in words."""
    word = "helps" if a.better else "hurts" if a.worse else "cannot be told"
    ends = f"{100 * a.low:+.1f} to {100 * a.high:+.1f}"
    return f"{word}: {100 * a.difference:+.1f} points ({ends}, p {probability(a.p_holm)})"


def _risk(a: PairedDifference) -> str:
    if a.low >= 0:
        return "The queries exclude a loss."
    return f"The queries do not exclude a loss of {-100 * a.low:.1f} points."


def _difference(a: PairedDifference | None) -> tuple[str, str, str, str]:
    if a is None:
        return "", "", "", ""
    word = "better" if a.better else "worse" if a.worse else ""
    return f"{100 * a.difference:+.1f}", f"{100 * a.low:+.1f} to {100 * a.high:+.1f}", probability(a.p_holm), word


def _megabytes(storage: Storage | None) -> str:
    if storage is None:
        return ""
    more = f" +{storage.rescore_bytes_per_million / 1e6:,.0f}" if storage.rescore_bytes_per_million else ""
    return f"{storage.bytes_per_million / 1e6:,.0f}{more}"


def _failures(result: Result) -> list[str]:
    return [f"{s.name} failed: {s.error}" for s in result.systems if s.error] + [
        f"{s.name}: {note}" for s in result.weighed[:1] for note in s.notes
    ]
