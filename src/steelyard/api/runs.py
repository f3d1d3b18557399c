"""Runs and judgements of others: dicts, TREC files, and the frames of ir_measures and pyterrier."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from steelyard.errors import DataError, UsageError
from steelyard.retrieval.protocol import Progress, silent
from steelyard.suites.suite import Card, Suite
from steelyard.types import Document, Query, Ranking, ranked

Run = dict[str, dict[str, float]]
"""query id -> document id -> score."""
_QUERY, _DOCUMENT = ("query_id", "qid"), ("doc_id", "docno", "docid")
_SCORE, _GRADE = ("score",), ("relevance", "label", "grade", "rel")


class RunRetriever:
    """Gives the rankings of a run; a query that it does not have gets no hit, as trec_eval counts it.

    Args:
        run: query id -> document id -> score.
    """

    def __init__(self, run: Run) -> None:
        self._run = run

    def index(self, documents: Sequence[Document], progress: Progress = silent) -> None:
        """Nothing: a run was made before."""

    def search(self, queries: Sequence[Query], k: int, progress: Progress = silent) -> list[Ranking]:
        """One ranking of at most k hits a query, in the order of ``queries``."""
        return [ranked(q.id, self._run.get(q.id, {}), k) for q in queries]


def read_run(source: Any, name: str) -> Run:
    """A run.

    Args:
        source: ``{query: {document: score}}``; a TREC file (query, Q0, document, rank, score, tag); or a frame with
            query_id, doc_id and score (ir_measures) or qid, docno and score (pyterrier).
        name: what to call it in an error.

    Raises:
        DataError: it is none of these; names the place and what was expected.
    """
    return _nested(source, name, (2, 4), _SCORE, "query, Q0, document, rank, score, tag")


def read_qrels(source: Any) -> dict[str, dict[str, int]]:
    """Judgements, as :func:`read_run` takes runs: lines of query, iteration, document, grade, or a column relevance."""
    found = _nested(source, "qrels", (2, 3), _GRADE, "query, iteration, document, grade")
    return {q: {d: int(grade) for d, grade in grades.items()} for q, grades in found.items()}


def suite_of(qrels: Mapping[str, Mapping[str, int]], runs: Mapping[str, Run]) -> Suite:
    """A suite without texts, whose queries are those that are judged.

    Raises:
        UsageError: a run answers none of them.
    """
    for name, run in runs.items():
        if not run.keys() & qrels.keys():
            seen = (next(iter(run), "none"), next(iter(qrels), "none"))
            raise UsageError(f"run {name} and the qrels share no query id (it has {seen[0]!r}, the qrels {seen[1]!r})")
    ids = {d: None for grades in qrels.values() for d in grades}
    ids |= {d: None for run in runs.values() for scores in run.values() for d in scores}
    queries = tuple(Query(q, q) for q in qrels)
    return Suite("runs", queries, tuple(Document(d, "") for d in ids), dict(qrels), card=Card(title="Runs of others"))


def gaps(qrels: Mapping[str, object], runs: Mapping[str, Run]) -> tuple[str, ...]:
    """A line for each run that lacks judged queries: they count as not found."""
    missing = {name: len(qrels.keys() - run.keys()) for name, run in runs.items()}
    said = "run {}: no hit for {} of {} judged queries, each counts 0"
    return tuple(said.format(name, n, len(qrels)) for name, n in missing.items() if n)


def _nested(source: Any, name: str, places: tuple[int, int], values: tuple[str, ...], form: str) -> Run:
    if isinstance(source, Mapping):
        return _of_mapping(source, name)
    rows = _of_frame(source, name, values) if hasattr(source, "itertuples") else _of_file(source, name, places, form)
    found: Run = {}
    for query, document, value in rows:
        found.setdefault(query, {})[document] = value
    if not found:
        raise DataError(f"{name} is empty: expected {form}")
    return found


def _of_mapping(source: Mapping[Any, Any], name: str) -> Run:
    try:
        return {str(q): {str(d): float(v) for d, v in found.items()} for q, found in source.items()}
    except (AttributeError, TypeError, ValueError) as wrong:
        raise DataError(f"{name}: expected {{query id: {{document id: number}}}}: {wrong}") from None


def _of_frame(frame: Any, name: str, values: tuple[str, ...]) -> Iterator[tuple[str, str, float]]:
    columns = [next((c for c in wanted if c in frame.columns), None) for wanted in (_QUERY, _DOCUMENT, values)]
    if None in columns:
        wanted = " and ".join("/".join(w) for w in (_QUERY, _DOCUMENT, values))
        raise DataError(f"{name}: a frame needs {wanted}; it has {', '.join(map(str, frame.columns))}")
    for query, document, value in zip(*(frame[c] for c in columns), strict=True):
        yield str(query), str(document), float(value)


def _of_file(source: Any, name: str, places: tuple[int, int], form: str) -> Iterator[tuple[str, str, float]]:
    if not isinstance(source, str | Path):
        raise DataError(f"{name} is a {type(source).__name__}: give a dict, a data frame or the path of a TREC file")
    try:
        lines = Path(source).read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as wrong:
        raise DataError(f"{source} cannot be read as {name}: {wrong}") from None
    for number, line in enumerate(lines, 1):
        fields = line.split()
        if not fields:
            continue
        try:
            yield fields[0], fields[places[0]], float(fields[places[1]])
        except (IndexError, ValueError):
            raise DataError(f"{source}:{number}: expected {form}, got {line[:80]!r}") from None
