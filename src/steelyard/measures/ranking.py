"""Ranking measures, query by query, in trec_eval's own arithmetic (ir-measures over pytrec_eval).

The rules, where tools differ:

* A grade of 1 or more is relevant; 0 and below is judged and not relevant; a document without a grade is
  not relevant.
* A judged query that a system left unanswered counts 0.
* A query without any relevant document is left out: no system can score on it, so it would only pull every mean
  down alike. (``trec_eval -c`` counts it 0.) :func:`unanswerable` names them, for the report.
* A ranking for a query without judgements is ignored.
* Order is that of :func:`steelyard.types.ranked`; a ranking in any other order is refused, so that what was shown
  first is what was counted first.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from operator import lt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steelyard.errors import DataError
from steelyard.measures.names import parse_measures
from steelyard.types import Ranking

HIGHEST_GRADE = 1000
"""trec_eval's nDCG takes time and memory in proportion to the highest grade."""

Pattern = tuple[tuple[tuple[int, int], ...], tuple[int, ...]]
"""The (place, grade) of each relevant document in a ranking, and the grades of those that it lacks, ascending."""

_PATTERNS_KEPT = 200_000


def unanswerable(judgements: Mapping[str, Mapping[str, int]]) -> tuple[str, ...]:
    """The ids of the queries without a relevant document, which no measure counts."""
    return tuple(q for q, grades in judgements.items() if not any(g > 0 for g in grades.values()))


def evaluate(
    judgements: Mapping[str, Mapping[str, int]], rankings: Iterable[Ranking], measures: Sequence[str]
) -> dict[str, dict[str, float]]:
    """Every measure of every answerable query of one system.

    Args:
        judgements: query id -> document id -> grade.
        rankings: one ranking a query at the most, in any order of queries.
        measures: names such as ``top1``, ``hit@3``, ``recall@10``, ``mrr``, ``mrr@10``, ``ndcg@10``, ``map``.

    Returns:
        measure name -> query id -> value between 0 and 1, queries in the order of ``judgements``.

    Raises:
        UsageError: for an unknown measure.
        DataError: for judgements or rankings that cannot be counted.
    """
    return Evaluator(judgements, measures).evaluate(rankings)


class Evaluator:
    """Judgements made ready once, for the rankings of many systems.

    What a query scores depends on nothing but the grades of its relevant documents and the places where the ranking has
    them. So trec_eval is asked once for each such pattern, and a pattern that came before, from any query of any
    system, is looked up.

    Args:
        judgements: query id -> document id -> grade.
        measures: names as :func:`evaluate` takes them.

    Raises:
        UsageError: for an unknown measure.
        DataError: for a grade above :data:`HIGHEST_GRADE` or an id that trec_eval cannot hold.
    """

    def __init__(self, judgements: Mapping[str, Mapping[str, int]], measures: Sequence[str]) -> None:
        self.measures = parse_measures(measures)
        dropped = set(unanswerable(judgements))
        self._grades = {q: _grades(q, grades) for q, grades in judgements.items() if q not in dropped}
        _check_ids(tuple(self._grades), "judgements")
        cutoffs = [m.cutoff for m in self.measures]
        self._depth = None if None in cutoffs else max(c for c in cutoffs if c is not None)
        self._places = _Places()
        self._known: dict[Pattern, tuple[float, ...]] = {}

    def evaluate(self, rankings: Iterable[Ranking]) -> dict[str, dict[str, float]]:
        """As the function :func:`evaluate`."""
        patterns = self._patterns(rankings)
        new = [p for p in dict.fromkeys(patterns.values()) if p not in self._known]
        if len(self._known) + len(new) > _PATTERNS_KEPT:
            self._known.clear()
            new = list(dict.fromkeys(patterns.values()))
        self._known.update(self._ask(new))
        found = {q: self._known[patterns[q]] if q in patterns else None for q in self._grades}
        return {
            str(measure): {q: 0.0 if values is None else values[i] for q, values in found.items()}
            for i, measure in enumerate(self.measures)
        }

    def _patterns(self, rankings: Iterable[Ranking]) -> dict[str, Pattern]:
        """query id -> pattern, for the rankings that answer a judged query."""
        answers: dict[str, Ranking] = {}
        for ranking in rankings:
            if ranking.query_id not in self._grades:
                continue
            if ranking.query_id in answers:
                raise DataError(f"query {ranking.query_id!r} has two rankings; give one for each query")
            answers[ranking.query_id] = ranking
        _check_orders(list(answers.values()))
        return {q: self._pattern(ranking, self._grades[q]) for q, ranking in answers.items()}

    def _pattern(self, ranking: Ranking, grades: Mapping[str, int]) -> Pattern:
        ids = ranking.document_ids[: self._depth]
        places = [i for i, document_id in enumerate(ids) if document_id in grades]
        found = {ids[i] for i in places}
        if len(found) < len(places):
            twice = next(ids[i] for i in places if ids[:i].count(ids[i]))
            raise DataError(f"ranking of query {ranking.query_id!r} holds document {twice!r} twice")
        missed = sorted(grade for d, grade in grades.items() if d not in found) if len(found) < len(grades) else ()
        return tuple((i, grades[ids[i]]) for i in places), tuple(missed)

    def _ask(self, patterns: Sequence[Pattern]) -> dict[Pattern, tuple[float, ...]]:
        """trec_eval's figures of each pattern, in the order of ``measures``."""
        import ir_measures

        if not patterns:
            return {}
        sources = [m.in_ir_measures() for m in self.measures]
        judged = {str(i): self._places.judged(p) for i, p in enumerate(patterns)}
        run = {str(i): self._places.first(found[-1][0] + 1 if found else 0) for i, (found, _) in enumerate(patterns)}
        raw: dict[Any, dict[str, float]] = {source: {} for source in sources}
        for metric in ir_measures.pytrec_eval.evaluator(list(raw), judged).iter_calc(run):
            raw[metric.measure][metric.query_id] = metric.value
        columns = [raw[source] for source in sources]
        return {
            pattern: tuple(m.finish(column[str(i)]) for m, column in zip(self.measures, columns, strict=True))
            for i, pattern in enumerate(patterns)
        }


class _Places:
    """Ids that stand for places, as of a document nothing but its place and grade reaches a figure.

    Hits after the last relevant one change nothing; a few more of them are harmless. Copying a dict that is at hand
    costs a tenth of making one.
    """

    _STEP = 64

    def __init__(self) -> None:
        self._ids: list[str] = []
        self._dicts: dict[int, dict[str, float]] = {0: {}}

    def first(self, n: int) -> dict[str, float]:
        """A fresh dict whose first n entries are the id of place ``i`` -> score ``-i``."""
        size = -(-n // self._STEP) * self._STEP
        if size not in self._dicts:
            self._ids += [f"{i:x}" for i in range(len(self._ids), size)]
            self._dicts[size] = {self._ids[i]: -float(i) for i in range(size)}
        return self._dicts[size].copy()

    def judged(self, pattern: Pattern) -> dict[str, int]:
        """Grades by the ids of places; documents that the ranking lacks have ids of no place."""
        found, missed = pattern
        return {f"{i:x}": grade for i, grade in found} | {f"-{i}": grade for i, grade in enumerate(missed)}


def _grades(query_id: str, grades: Mapping[str, int]) -> dict[str, int]:
    _check_ids(tuple(grades), f"judgements of query {query_id!r}")
    highest = max(grades.values())
    if highest > HIGHEST_GRADE:
        raise DataError(f"query {query_id!r} has a grade of {highest}; grades go up to {HIGHEST_GRADE}. Rescale them")
    return {document_id: int(grade) for document_id, grade in grades.items() if grade > 0}


def _check_orders(rankings: Sequence[Ranking]) -> None:
    """Refuses a ranking that is not in the one order; all of them at once, as each alone is mostly short."""
    for ranking in rankings:
        if len(ranking.scores) != len(ranking.document_ids):
            n, m = len(ranking.document_ids), len(ranking.scores)
            raise DataError(f"ranking of query {ranking.query_id!r} has {n} documents but {m} scores")
    scores = np.concatenate(
        [np.zeros(0, np.float32), *(r.scores for r in rankings)], dtype=np.float32, casting="unsafe"
    )
    ends = np.cumsum([len(r.scores) for r in rankings], dtype=np.int64)
    for hit in np.flatnonzero(np.isnan(scores))[:1]:
        raise DataError(f"ranking of query {_owner(rankings, ends, hit)[0]!r} has a score that is NaN")
    falls = scores[:-1] > scores[1:]
    falls[ends[(ends > 0) & (ends < len(scores))] - 1] = True  # the last of a ranking and the first of the next
    level = np.flatnonzero(~falls)
    tied = level[scores[level] == scores[level + 1]]
    wrong = _misplaced(rankings, tied) if len(tied) == len(level) else np.setdiff1d(level, tied)
    for hit in wrong[:1]:
        query_id, place = _owner(rankings, ends, hit)
        raise DataError(
            f"ranking of query {query_id!r} is out of order at hit {place + 2}: make rankings with "
            "steelyard.types.ranked (score descending, ties by document id descending, no NaN)"
        )


def _misplaced(rankings: Sequence[Ranking], tied: NDArray[np.int64]) -> NDArray[np.int64]:
    """Of all hits in a row those whose id is less than that of the next, with which they tie."""
    if not len(tied):
        return tied
    ids = [d for r in rankings for d in r.document_ids]
    first, second = (map(ids.__getitem__, places.tolist()) for places in (tied, tied + 1))
    return tied[np.fromiter(map(lt, first, second), dtype=np.bool_, count=len(tied))]


def _owner(rankings: Sequence[Ranking], ends: NDArray[np.int64], hit: int) -> tuple[str, int]:
    """The query of one of all hits in a row, and its place in the ranking."""
    index = int(np.searchsorted(ends, hit, side="right"))
    return rankings[index].query_id, int(hit - ends[index]) + len(rankings[index])


def _check_ids(ids: tuple[str, ...], place: str) -> None:
    joined = "\n".join(ids)
    try:
        joined.encode()
    except UnicodeEncodeError as error:
        raise DataError(f"{place}: an id holds a lone surrogate, which UTF-8 cannot encode") from error
    if "\0" in joined:
        raise DataError(f"{place}: an id holds a NUL character, where trec_eval would cut it short")
