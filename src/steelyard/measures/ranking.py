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

import numpy as np

from steelyard.errors import DataError
from steelyard.measures.names import parse_measures
from steelyard.types import Ranking

HIGHEST_GRADE = 1000
"""trec_eval's nDCG takes time and memory in proportion to the highest grade."""

PerQuery = Mapping[str, float]
"""query id -> value"""


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

    Args:
        judgements: query id -> document id -> grade.
        measures: names as :func:`evaluate` takes them.

    Raises:
        UsageError: for an unknown measure.
        DataError: for a grade above :data:`HIGHEST_GRADE` or an id that trec_eval cannot hold.
    """

    def __init__(self, judgements: Mapping[str, Mapping[str, int]], measures: Sequence[str]) -> None:
        import ir_measures

        self.measures = parse_measures(measures)
        dropped = set(unanswerable(judgements))
        self._grades = {q: _grades(q, grades) for q, grades in judgements.items() if q not in dropped}
        _check_ids(tuple(self._grades), "judgements")
        cutoffs = [m.cutoff for m in self.measures]
        self._depth = None if None in cutoffs else max(c for c in cutoffs if c is not None)
        self._placeholders = _Placeholders(self._grades)
        self._sources = {m: m.in_ir_measures() for m in self.measures}
        wanted = list(dict.fromkeys(self._sources.values()))
        self._evaluator = ir_measures.pytrec_eval.evaluator(wanted, self._grades)

    def evaluate(self, rankings: Iterable[Ranking]) -> dict[str, dict[str, float]]:
        """As the function :func:`evaluate`."""
        run = self._run(rankings)
        raw: dict[object, dict[str, float]] = {source: {} for source in self._sources.values()}
        if self._grades:
            for metric in self._evaluator.iter_calc(run):
                raw[metric.measure][metric.query_id] = metric.value
        return {
            str(measure): {q: measure.finish(raw[source][q]) for q in self._grades}
            for measure, source in self._sources.items()
        }

    def _run(self, rankings: Iterable[Ranking]) -> dict[str, dict[str, float]]:
        run: dict[str, dict[str, float]] = {}
        for ranking in rankings:
            grades = self._grades.get(ranking.query_id)
            if grades is None:
                continue
            if ranking.query_id in run:
                raise DataError(f"query {ranking.query_id!r} has two rankings; give one for each query")
            run[ranking.query_id] = self._hits(ranking, grades)
        return run

    def _hits(self, ranking: Ranking, grades: Mapping[str, int]) -> dict[str, float]:
        _check_order(ranking)
        ids = ranking.document_ids[: self._depth]
        judged = [i for i, document_id in enumerate(ids) if document_id in grades]
        hits = self._placeholders.first(judged[-1] + 1 if judged else 0)
        for i in judged:
            if ids[i] in hits:
                raise DataError(f"ranking of query {ranking.query_id!r} holds document {ids[i]!r} twice")
            del hits[self._placeholders.ids[i]]
            hits[ids[i]] = -float(i)
        return hits


class _Placeholders:
    """Stand-ins for the unjudged hits of a ranking.

    Of a hit without a judgement only its place reaches a figure, so its id need not be handed over: copying a dict
    that is at hand costs a tenth of making one, and trec_eval sorts short ids faster. Hits after the last judged
    one change nothing; a few more of them are harmless.
    """

    _STEP = 64

    def __init__(self, judgements: Mapping[str, Mapping[str, int]]) -> None:
        self._prefix = "~"
        while any(d.startswith(self._prefix) for grades in judgements.values() for d in grades):
            self._prefix += "~"
        self.ids: list[str] = []
        self._dicts: dict[int, dict[str, float]] = {0: {}}

    def first(self, n: int) -> dict[str, float]:
        """A fresh dict whose first n entries are place ``i`` -> score ``-i``; the order is decided already."""
        size = -(-n // self._STEP) * self._STEP
        if size not in self._dicts:
            self.ids += [f"{self._prefix}{i:x}" for i in range(len(self.ids), size)]
            self._dicts[size] = {self.ids[i]: -float(i) for i in range(size)}
        return self._dicts[size].copy()


def _grades(query_id: str, grades: Mapping[str, int]) -> dict[str, int]:
    _check_ids(tuple(grades), f"judgements of query {query_id!r}")
    highest = max(grades.values())
    if highest > HIGHEST_GRADE:
        raise DataError(f"query {query_id!r} has a grade of {highest}; grades go up to {HIGHEST_GRADE}. Rescale them")
    return {document_id: int(grade) for document_id, grade in grades.items()}


def _check_order(ranking: Ranking) -> None:
    scores = np.asarray(ranking.scores, dtype=np.float32)
    ids = ranking.document_ids
    if len(scores) != len(ids):
        raise DataError(f"ranking of query {ranking.query_id!r} has {len(ids)} documents but {len(scores)} scores")
    if np.isnan(scores).any():
        raise DataError(f"ranking of query {ranking.query_id!r} has a score that is NaN")
    above, below = scores[:-1], scores[1:]
    falls = above > below
    if falls.all():
        return
    for i in np.flatnonzero(~falls).tolist():
        if not (above[i] == below[i] and ids[i] >= ids[i + 1]):
            raise DataError(
                f"ranking of query {ranking.query_id!r} is out of order at hit {i + 2}: make rankings with "
                "steelyard.types.ranked (score descending, ties by document id descending, no NaN)"
            )


def _check_ids(ids: tuple[str, ...], place: str) -> None:
    joined = "\n".join(ids)
    try:
        joined.encode()
    except UnicodeEncodeError as error:
        raise DataError(f"{place}: an id holds a lone surrogate, which UTF-8 cannot encode") from error
    if "\0" in joined:
        raise DataError(f"{place}: an id holds a NUL character, where trec_eval would cut it short")
