"""Vectors as features, for the terminal: the probe with its test, the clusters with their interval."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from steelyard.bench.evaluation.judgement import Judgement
from steelyard.bench.evaluation.result import Result
from steelyard.measures.clustering import as_codes, v_difference


def print_features(out: Console, result: Result, judgement: Judgement) -> None:
    """Prints the table, the verdict by the probe, and the clusters of the best against the others."""
    out.print(features_table(result, judgement))
    out.print(
        "95 % intervals in points; systems that share a letter cannot be told apart by the probe (paired permutation "
        f"test, Holm, alpha {judgement.verdict.alpha:g}).",
        style="dim",
        soft_wrap=True,
    )
    out.print(Text(judgement.verdict.sentence, style="bold"), soft_wrap=True)
    lines = [f"{s.name} failed: {s.error}" for s in result.systems if s.error]
    lines += [f"{s.name}: {note}" for s in result.weighed for note in s.notes]
    for line in (*cluster_lines(result), result.note, *result.suite.findings, *lines):
        out.print(Text(line), soft_wrap=True)


def features_table(result: Result, judgement: Judgement) -> Table:
    """Systems best first by the probe."""
    labels = len({q.category for q in result.queries})
    title = f"{result.suite.name}: {result.suite.queries} texts, {labels} labels"
    table = Table(title=title, box=None, title_justify="left", title_style="bold", pad_edge=False)
    table.add_column("system", overflow="fold")
    for column in ("linear probe", "95 %", "", "V-measure", "95 %", "over restarts"):
        table.add_column(column, justify="right", no_wrap=True)
    features = {s.name: s.features for s in result.weighed}
    for name, figure in judgement.verdict.figures.items():
        found = features[name]
        clusters = [_range(found.v_measure, (found.low, found.high)), _range(None, found.restarts)] if found else []
        probe = _range(figure.estimate, (figure.low, figure.high))
        cells = [*probe, judgement.verdict.letters[name], *(text for cell in clusters for text in cell)]
        table.add_row(Text(name), *cells)
    return table


def cluster_lines(result: Result) -> list[str]:
    """The clusters of the best system against those of each other one, resampled together."""
    known = {s.name: s.features for s in result.weighed if s.features}
    if len(known) < 2:
        return []
    labels = as_codes([q.category or "" for q in result.queries])
    codes = {name: as_codes([f"{c:09}" for c in f.clusters]) for name, f in known.items()}
    best = max(known, key=lambda name: known[name].v_measure)
    lines = []
    for name in known:
        if name != best:
            found, low, high = v_difference(labels, codes[best], codes[name], seed=result.seed)
            word = "better than" if low > 0 else "not told from"
            lines.append(
                f"By clusters {best} is {word} {name}: {100 * found:+.1f} points of V-measure "
                f"(95 % interval {100 * low:+.1f} to {100 * high:+.1f}, not corrected)."
            )
    return lines


def _range(value: float | None, ends: tuple[float, float]) -> tuple[str, ...]:
    text = f"{100 * ends[0]:.1f}-{100 * ends[1]:.1f}"
    return (text,) if value is None else (f"{100 * value:.1f}", text)
