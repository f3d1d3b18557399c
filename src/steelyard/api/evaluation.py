"""Evaluates systems, whatever they are, and shows what came out."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from steelyard.api.given import systems_of
from steelyard.api.runs import RunRetriever, gaps, read_qrels, read_run, suite_of
from steelyard.bench.evaluation.result import Result, save
from steelyard.bench.evaluation.runner import WeighConfig, weigh
from steelyard.engines.packages import require
from steelyard.errors import UsageError
from steelyard.measures.names import with_votes
from steelyard.report.content import Report, compose
from steelyard.report.html import blocks_to_html
from steelyard.report.verdict_view import verdict_blocks
from steelyard.retrieval.resolve import Resolver
from steelyard.retrieval.system import Given
from steelyard.suites.audit import remarks
from steelyard.suites.registry import open_suite
from steelyard.suites.suite import Suite
from steelyard.wording.words import Wording, load_wording, reader_language

_WIDTH = 120
_RUN_DEPTH = 1_000


@dataclass(frozen=True, repr=False)
class Evaluation:
    """A result that prints as its table and verdict.

    Attributes:
        result: the document, as ``steelyard weigh`` stores it.
        language: of what is shown: ``en`` or ``zh``; that of the locale when empty.
    """

    result: Result
    language: str = ""

    @cached_property
    def report(self) -> Report:
        """The result judged, with everything that reports show of it."""
        return compose(self.result)

    @property
    def words(self) -> Wording:
        """The language's words."""
        return load_wording(self.language or reader_language())

    @property
    def verdict(self) -> str:
        """Who is ahead, who is no worse, and what so many queries can show, in sentences."""
        from steelyard.report import sentences

        w = self.words
        return w.paragraph(sentences.headline(self.report, w), *sentences.below(self.report, w))

    def __repr__(self) -> str:
        from rich.console import Console

        from steelyard.report.terminal import print_blocks

        out = io.StringIO()
        console = Console(file=out, width=_WIDTH, highlight=False, force_jupyter=False)
        print_blocks(console, self._blocks())
        return out.getvalue().rstrip()

    def _repr_html_(self) -> str:
        return blocks_to_html(self._blocks())

    def to_pandas(self) -> Any:
        """The main table as a data frame: a row a system, numbers as they are, ends of intervals beside them.

        Raises:
            MissingExtraError: pandas is not installed; says the line that installs it.
        """
        from steelyard.report.tables import main_table

        frames = require("pandas", "to_pandas", "pandas")
        return frames.DataFrame.from_records(main_table(self.report, self.words).records())

    def plot(self) -> Any:
        """The judged measure of every system with its interval, as an Altair chart.

        Raises:
            MissingExtraError: altair is not installed; says the line that installs it.
        """
        from steelyard.report.charts import pictures

        altair = require("altair", "plot", "report")
        first = pictures(self.report, self.words)[0]
        return altair.Chart.from_dict(dict(first.spec)).properties(title=first.title)

    def save(self, path: str | Path) -> Path:
        """Writes the result document, which every command of ``steelyard`` reads."""
        save(self.result, Path(path))
        return Path(path)

    def _blocks(self) -> Any:
        from steelyard.report.table import Line

        failed = [Line(f"{s.name} failed: {s.error}", "strong") for s in self.result.systems if s.error]
        return [*(verdict_blocks(self.report, self.words) if self.result.weighed else ()), *failed]


def evaluate(
    systems: Iterable[object],
    suite: Suite | str | Path = "zh-traps",
    *,
    config: WeighConfig | None = None,
    cache: bool = True,
    language: str = "",
) -> Evaluation:
    """Weighs systems on a suite; one that fails is recorded with its error and the rest go on.

    Args:
        systems: each an expression, a system of :func:`steelyard.read_systems`, an object with ``encode`` as
            sentence-transformers has it, a retriever, a function of a query's text, a run, or ``(name, one of these)``.
        suite: a suite, the name of one, or the path of your own texts.
        config: measures, depth, seed; the suite's measures when None.
        cache: keep vectors of named models for the next run, as the command does.
        language: of what is shown; that of the locale when empty.

    Raises:
        UsageError: something that is no system.
        SuiteError: texts that cannot be read.

    Example:
        >>> import steelyard as sy
        >>> found = sy.evaluate(["bm25", ("none", lambda text: [])], "zh-traps-mini", cache=False)
        >>> [s.name for s in found.result.systems]
        ['bm25', 'none']
    """
    texts = suite if isinstance(suite, Suite) else open_suite(suite)
    asked = config or WeighConfig(measures=with_votes(texts.votes), findings=remarks(texts))
    if cache and asked.cache is None:
        from steelyard.bench.evaluation.cache import VectorCache, default_cache_path

        asked = replace(asked, cache=VectorCache(default_cache_path()))
    found = systems_of(systems)
    if not found:
        raise UsageError('name one system or more, e.g. sy.evaluate(["bm25", "e5-small"], "zh-traps")')
    return Evaluation(weigh(found, texts, asked), language)


def compare_runs(
    qrels: object,
    runs: Mapping[str, object],
    *,
    measures: Iterable[str] = (),
    seed: int = 20260,
    language: str = "",
) -> Evaluation:
    """Compares runs of any retrieval system: intervals, paired tests, and what is better, no worse or undecided.

    Args:
        qrels: ``{query: {document: grade}}``, the path of a TREC file, or a frame of ir_measures or pyterrier.
        runs: name -> ``{query: {document: score}}``, path of a TREC file, or frame.
        measures: the first is judged; nDCG@10, Recall@10 and Hit@3 when empty.
        seed: of every random draw.
        language: of what is shown; that of the locale when empty.

    Raises:
        DataError: a run or the judgements cannot be read.
        UsageError: no run, or one that answers none of the judged queries.

    Example:
        >>> import steelyard as sy
        >>> found = sy.compare_runs({"q1": {"d1": 1}}, {"a": {"q1": {"d1": 2.0}}, "b": {"q1": {"d2": 1.0}}})
        >>> found.result.systems[0].values["ndcg@10"]
        (1.0,)
    """
    if not runs:
        raise UsageError('give one run or more, e.g. sy.compare_runs("qrels.txt", {"a": "a.run", "b": "b.run"})')
    grades = read_qrels(qrels)
    read = {name: read_run(run, f"run {name}") for name, run in runs.items()}
    suite = suite_of(grades, read)
    known = Resolver().known
    systems = [Given(f"run {name}" if known(name) else name, RunRetriever(run)) for name, run in read.items()]
    names = tuple(measures) or with_votes(suite.votes)
    config = WeighConfig(measures=names, depth=_RUN_DEPTH, seed=seed, findings=gaps(grades, read))
    return Evaluation(weigh(systems, suite, config), language)
