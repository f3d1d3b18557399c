"""The result document: one schema-versioned JSON file a run, from which everything else is computed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Literal

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from steelyard.cost.record import CostRecord
from steelyard.engines.backend_choice import BackendChoice
from steelyard.errors import ResultError
from steelyard.files import write_atomic
from steelyard.measures.names import MARGIN, is_measure

SCHEMA = "steelyard.result/1"
PUBLISHED = "published:"
_SHOWN_TEXT = 400  # characters of a document kept for reports


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class SuiteSummary(_Frozen):
    """Which texts the run was made on.

    Attributes:
        findings: what the suite's audit said.
        votes: the primary measure and the guards; empty in results of before suites named them.
        chance: share of trap groups whose right answer a blind guess picks; 0 without traps.
        clusters: what the queries' clusters are, such as ``category``; empty where independence is assumed.
        notice: what must be said beside every figure of this suite.
    """

    name: str
    version: str = ""
    licence: str = ""
    checksum: str
    queries: int
    documents: int
    findings: tuple[str, ...] = ()
    votes: tuple[str, ...] = ()
    chance: float = 0.0
    clusters: str = ""
    notice: str = ""


@dataclass(frozen=True, slots=True)
class Top:
    """One hit; a plain dataclass, as a result has thousands of them."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    id: str
    score: float


class QueryRecord(_Frozen):
    """A query as the reports show it."""

    id: str
    text: str
    category: str | None = None
    cluster: str | None = None
    relevant: tuple[str, ...] = ()


class CacheRecord(_Frozen):
    """What the vector cache spared."""

    found: int = 0
    computed: int = 0
    trouble: str = ""


class Timing(_Frozen):
    """Seconds of wall clock, this run, this machine; not comparable where the cache answered.

    Attributes:
        index_seconds: taking the documents in, model loading included.
        search_seconds: all queries.
    """

    index_seconds: float
    search_seconds: float


class FeatureRecord(_Frozen):
    """How a system's vectors cluster on a labelled suite, where a query is a labelled text and its category the label.

    Attributes:
        v_measure: agreement of clusters and labels, of the clustering of least inertia.
        low: lower end of its 95 % interval.
        high: upper end.
        restarts: least and greatest V-measure over the restarts of k-means.
        clusters: of each text, aligned with ``Result.queries``.
    """

    v_measure: float
    low: float
    high: float
    restarts: tuple[float, float]
    clusters: tuple[int, ...]


class SystemRecord(_Frozen):
    """One system's outcomes.

    Attributes:
        name: canonical expression.
        fingerprints: of the engines that computed.
        engines: which backend ran each model, and why; empty in results of before this was kept.
        values: measure -> one value a query, in the order of ``Result.queries``; None where not defined.
        winners: kind of the document that won, for suites with trap annotations; aligned like ``values``.
        top: first hits of every query; aligned likewise.
        notes: what a reader must know: truncated texts, plain dimension cuts.
        error: why the system could not be weighed; the values are empty then.
        costs: what it takes to run, where that was measured.
        features: how its vectors cluster, in results of labelled texts.
    """

    name: str
    fingerprints: tuple[str, ...] = ()
    engines: tuple[BackendChoice, ...] = ()
    values: dict[str, tuple[float | None, ...]] = Field(default_factory=dict)
    winners: tuple[str, ...] = ()
    top: tuple[tuple[Top, ...], ...] = ()
    timing: Timing | None = None
    cache: CacheRecord = CacheRecord()
    notes: tuple[str, ...] = ()
    error: str = ""
    costs: CostRecord | None = None
    features: FeatureRecord | None = None


class EnvironmentRecord(_Frozen):
    """Where the run was made."""

    steelyard: str
    python: str
    platform: str
    processor: str
    cores: int
    memory_bytes: int
    packages: dict[str, str]


class Result(_Frozen):
    """One run.

    Attributes:
        seed: of every random draw that the judgement of this result makes; 0 or more.
        depth: hits asked of every system.
        complete: False where the run was interrupted; what is there is whole.
        documents: id -> beginning of the text, for the documents that ``top`` or ``relevant`` name.
    """

    schema_: Literal["steelyard.result/1"] = Field("steelyard.result/1", alias="schema")
    created: str
    suite: SuiteSummary
    measures: tuple[str, ...]
    seed: int = Field(ge=0)
    depth: int = Field(ge=0)
    complete: bool
    environment: EnvironmentRecord
    queries: tuple[QueryRecord, ...]
    documents: dict[str, str] = Field(default_factory=dict)
    systems: tuple[SystemRecord, ...] = ()
    note: str = ""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    @property
    def weighed(self) -> tuple[SystemRecord, ...]:
        """The systems that have outcomes."""
        return tuple(s for s in self.systems if not s.error)


def shown(text: str) -> str:
    """The part of a document that a result keeps."""
    return text if len(text) <= _SHOWN_TEXT else text[:_SHOWN_TEXT] + "…"


def save(result: Result, path: Path) -> None:
    """Writes the document whole or not at all: a temporary file in the same folder, synced, then renamed."""
    data = orjson.dumps(result.model_dump(by_alias=True), option=orjson.OPT_INDENT_2)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, data)
    except OSError as wrong:
        raise ResultError(f"{path} could not be written: {wrong}") from wrong


def load(source: str | Path) -> Result:
    """Reads a result file, or ``published:NAME``, a table that somebody else published.

    Raises:
        ResultError: naming the file, the place in it and what was expected.
    """
    text = str(source)
    if text.startswith(PUBLISHED):
        return parse_result(_published(text.removeprefix(PUBLISHED)), text)
    try:
        return parse_result(Path(source).read_bytes(), text)
    except OSError as wrong:
        raise ResultError(f"{source} cannot be read: {wrong.strerror or wrong}") from wrong


def parse_result(data: bytes, origin: str) -> Result:
    """A result from its JSON bytes; ``origin`` is named in errors."""
    try:
        content = orjson.loads(data)
    except orjson.JSONDecodeError as wrong:
        raise ResultError(f"{origin}:{wrong.lineno}: not JSON: {wrong.msg}") from wrong
    schema = content.get("schema") if isinstance(content, dict) else None
    if schema != SCHEMA:
        raise ResultError(f"{origin} is not a result of this version: its schema is {schema!r}, expected {SCHEMA!r}")
    try:
        result = Result.model_validate(content)
        _check(result, origin)
        return result
    except ValidationError as wrong:
        first = wrong.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise ResultError(f"{origin}: {place}: {first['msg']}") from wrong


def published_names() -> tuple[str, ...]:
    """Tables of others that ship with the package, as ``published:NAME``."""
    folder = resources.files("steelyard.bench.evaluation") / "published"
    return tuple(sorted(p.name.removesuffix(".json") for p in folder.iterdir() if p.name.endswith(".json")))


def _published(name: str) -> bytes:
    if name not in published_names():
        raise ResultError(f"there is no published:{name}; there is {', '.join(published_names())}")
    return (resources.files("steelyard.bench.evaluation") / "published" / f"{name}.json").read_bytes()


def _check(result: Result, origin: str) -> None:
    """Passes a result that can be judged, reported and joined.

    Args:
        result: of the right types.
        origin: what to call it in the error.

    Raises:
        ResultError: the first thing that does not fit, with the place of it.
    """
    wrong = next(_wrong(result), "")
    if wrong:
        raise ResultError(f"{origin}: {wrong}")


def _wrong(result: Result) -> Iterator[str]:
    yield from (f"measures: {name!r} is no measure" for name in result.measures if not is_measure(name))
    yield from _twice("queries", (q.id for q in result.queries))
    yield from _twice("systems", (s.name for s in result.systems))
    if result.weighed and not result.queries:
        yield "it holds systems and no query"
    if result.weighed and not result.measures:
        yield "it holds systems and names no measure"
    for system in result.weighed:
        yield from (f"{system.name}: {wrong}" for wrong in _system(system, result))


def _twice(what: str, names: Iterable[str]) -> Iterator[str]:
    yield from (f"{what}: {name!r} stands there {count} times" for name, count in Counter(names).items() if count > 1)


def _system(system: SystemRecord, result: Result) -> Iterator[str]:
    count = len(result.queries)
    yield from (f"it has no values of {m}" for m in result.measures if m not in system.values)
    rows: dict[str, Sequence[object]] = {"winners": system.winners, "top": system.top}
    rows |= {"clusters": system.features.clusters} if system.features else {}
    for name, row in rows.items():
        if row and len(row) != count:
            yield f"{name} has {len(row)} entries for {count} queries"
    for measure, values in system.values.items():
        if not is_measure(measure):
            yield f"values: {measure!r} is no measure"
        if len(values) != count:
            yield f"{measure} has {len(values)} values for {count} queries"
        known = [v for v in values if v is not None]
        if measure != MARGIN and not all(0.0 <= v <= 1.0 for v in known):
            yield f"{measure} has a value outside 0 to 1"
        if not all(abs(v) < float("inf") for v in known):
            yield f"{measure} has a value that is not a number"
