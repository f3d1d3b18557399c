"""Run files in TREC's form with their qrels: lines of query id, Q0, document id, rank, score, tag.

Hits are put in order by their scores, as trec_eval does; the rank column is not read.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from steelyard.bench.evaluation.external.made import result_of
from steelyard.bench.evaluation.result import Result
from steelyard.errors import ResultError, SuiteError
from steelyard.measures.names import with_votes
from steelyard.measures.ranking import Evaluator
from steelyard.suites.findings import Findings, Place
from steelyard.suites.reading import as_grade, lines
from steelyard.suites.suite import USUAL_VOTES
from steelyard.types import Ranking, ranked

_RUN_FIELDS = 6


def read_runs(runs: Sequence[Path], qrels: Path) -> Result:
    """Every run as a system, every query that the qrels answer as a unit.

    A query that a run does not answer counts 0, as trec_eval's ``-c`` takes it.

    Raises:
        ResultError: a file that cannot be read, or is not of its form; names file and line.
    """
    try:
        rankings = {_name(path, runs): _run(path) for path in runs}
    except SuiteError as wrong:
        raise ResultError(str(wrong)) from None
    return judged_rankings(rankings, qrels, f"trec:{qrels.name}", "Runs in TREC's form")


def judged_rankings(rankings: Mapping[str, Sequence[Ranking]], qrels: Path, name: str, what: str) -> Result:
    """Rankings of several systems measured with qrels.

    Args:
        rankings: system -> rankings; those of queries that the qrels do not answer are ignored.
        qrels: in TREC's form.
        name: of the result.
        what: the rankings are, for its note.

    Raises:
        ResultError: the qrels cannot be read, or answer no query.
    """
    try:
        judgements = _qrels(qrels)
    except SuiteError as wrong:
        raise ResultError(str(wrong)) from None
    evaluator = Evaluator(judgements, with_votes(USUAL_VOTES))
    values = {system: evaluator.evaluate(found) for system, found in rankings.items()}
    first = next(iter(values.values()))
    units = list(next(iter(first.values())))
    if not units:
        raise ResultError(f"{qrels} has no query with a relevant document")
    return result_of(name, units, values, f"{what}, judged by {qrels.name}: {len(units)} queries.", USUAL_VOTES)


def _name(path: Path, runs: Sequence[Path]) -> str:
    return path.stem if sum(p.stem == path.stem for p in runs) == 1 else str(path)


def _qrels(path: Path) -> dict[str, dict[str, int]]:
    findings, found = Findings("TREC qrels"), defaultdict[str, dict[str, int]](dict)
    for number, line in lines(path, findings):
        fields = line.split()
        if len(fields) != 4:
            message = f"has {len(fields)} fields; a qrels line has four: query id, iteration, document id, grade"
            findings.add(message, Place(path, number))
            continue
        grade = as_grade(fields[3], Place(path, number), findings)
        if grade is not None:
            found[fields[0]][fields[2]] = grade
    findings.check()
    return dict(found)


def _run(path: Path) -> list[Ranking]:
    findings, found = Findings("a TREC run"), defaultdict[str, dict[str, float]](dict)
    for number, line in lines(path, findings):
        fields = line.split()
        try:
            if len(fields) != _RUN_FIELDS:
                raise ValueError
            query, document, score = fields[0], fields[2], float(fields[4])
            if score != score:
                raise ValueError
        except ValueError:
            message = "is not query id, Q0, document id, rank, score, tag"
            findings.add(message, Place(path, number))
            continue
        if document in found[query]:
            findings.add(f"query {query!r} has document {document!r} twice", Place(path, number))
        found[query][document] = score
    findings.check()
    return [ranked(query, scores) for query, scores in found.items()]
