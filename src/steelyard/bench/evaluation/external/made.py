"""A result put together from figures that somebody else measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from steelyard.bench.evaluation.environment import read_environment
from steelyard.bench.evaluation.result import QueryRecord, Result, SuiteSummary, SystemRecord

Values = Mapping[str, Mapping[str, Mapping[str, float]]]
"""system -> measure -> unit (query, task or suite) -> value"""


def result_of(name: str, units: Sequence[str], values: Values, note: str, votes: Sequence[str] = ()) -> Result:
    """A result whose queries are the units that were measured.

    Args:
        name: of what was measured on.
        units: in order; every system has all of them, by every measure.
        values: the first measure is judged.
        note: where it comes from.
        votes: the primary measure and the guards; the first measure alone where empty.
    """
    measures = tuple(next(iter(values.values())))
    systems = tuple(
        SystemRecord(name=system, values={m: tuple(row[u] for u in units) for m, row in by_measure.items()})
        for system, by_measure in values.items()
    )
    return Result(
        created="",
        suite=SuiteSummary(name=name, checksum="", queries=len(units), documents=0, votes=tuple(votes or measures[:1])),
        measures=measures,
        seed=0,
        depth=0,
        complete=True,
        environment=read_environment(),
        queries=tuple(QueryRecord(id=unit, text=unit) for unit in units),
        systems=systems,
        note=note,
    )
