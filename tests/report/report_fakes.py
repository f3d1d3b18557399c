"""A small trap suite, weighed by characters in common, and texts that mean harm."""

from __future__ import annotations

import random
from functools import cache

from steelyard.bench.evaluation.outcome import outcome
from steelyard.bench.evaluation.result import (
    EnvironmentRecord,
    QueryRecord,
    Result,
    SuiteSummary,
    SystemRecord,
    Timing,
)
from steelyard.cost.figure import figure
from steelyard.cost.record import CostRecord, QueryLatency
from steelyard.cost.storage import grid
from steelyard.measures.ranking import Evaluator
from steelyard.report.content import Report, compose
from steelyard.suites.suite import Suite
from steelyard.types import Document, Query, Ranking, TrapKind, ranked

HOSTILE = (
    "<script>window.pwned = 1</script>",
    '"><img src=x onerror="window.pwned = 2">',
    "</script><script>window.pwned = 3</script><!--",
    "javascript:window.pwned=4 | `code` | *bold* [link](http://evil.example/x)",
    '=HYPERLINK("http://evil.example")',
    "{{ 7 * 7 }} {% raw %} ${window.pwned=5} \u2028 \ud800 & &amp;",
)
MEASURES = ("top1", "hit@3", "mrr")
CATEGORIES = ("polysemy", "negation", "quantity", "own category")
_LETTERS = "的一是在不了有和人这中大为上个国我以要他时来用们生到作地于出就分对成会可主发年动同工也能下过子说产种面"


def trap_suite(queries: int = 40, hostile: bool = False, seed: int = 7) -> Suite:
    """Queries with a positive, a look-alike, a contrary and a neighbour each; drawn from a few characters."""
    draw = random.Random(seed)

    def text(size: int) -> str:
        return "".join(draw.choice(_LETTERS) for _ in range(size))

    made_queries, documents, judgements, traps = [], [], {}, {}
    for i in range(queries):
        asked = text(10)
        wicked = HOSTILE[i % len(HOSTILE)] if hostile else ""
        made_queries.append(Query(f"q{i}", asked + wicked, CATEGORIES[i % len(CATEGORIES)] + wicked * (i % 8 == 7)))
        texts = (asked[:6] + text(8), asked[:5] + text(8), asked[:3] + text(9), text(12))
        kinds = dict(zip((f"q{i}-{c}" for c in "abcd"), TrapKind, strict=True))
        documents += [Document(d, t + wicked) for d, t in zip(kinds, texts, strict=True)]
        judgements[f"q{i}"] = {f"q{i}-a": 1}
        traps[f"q{i}"] = kinds
    return Suite("zh-fakes", tuple(made_queries), tuple(documents), judgements, traps)


def rankings(suite: Suite, dimension: int, seed: int = 0) -> list[Ranking]:
    """Every query against every document by characters in common; few dimensions and a seed disturb the scores."""
    draw = random.Random(1000 * dimension + seed)
    noise = 2.0 / dimension**0.5 + seed
    found = []
    for query in suite.queries:
        letters = set(query.text)
        scores = {d.id: len(letters & set(d.text)) + draw.gauss(0, noise) for d in suite.documents}
        found.append(ranked(query.id, scores, 30))
    return found


def weighed(
    name: str, suite: Suite, dimension: int = 64, seed: int = 0, costs: CostRecord | None = None
) -> SystemRecord:
    """One system of a result."""
    values, winners, top = outcome(suite, rankings(suite, dimension, seed), Evaluator(suite.judgements, MEASURES), 10)
    timing = Timing(index_seconds=dimension / 100, search_seconds=dimension / 1000)
    return SystemRecord(
        name=name, values=values, winners=winners, top=top, timing=timing, costs=costs,
        fingerprints=(f"fake/{dimension}",), notes=(f"{name}: 3 of 40 texts were cut",) if seed else (),
    )  # fmt: skip


def cost(milliseconds: float, dimension: int = 64) -> CostRecord:
    """What a system with this median latency might cost."""
    spread = [milliseconds * f for f in (0.9, 1.0, 1.05, 1.2)]
    latency = QueryLatency(p50=figure(spread), p95=figure(spread), p99=figure(spread), queries=10, documents=160)
    return CostRecord(
        rounds=4, load_seconds=figure(spread), start_seconds=figure(spread), peak_rss_bytes=figure([1e9, 1.1e9]),
        base_rss_bytes=figure([1e8]), query=latency, dimension=dimension, storage=grid([dimension]),
    )  # fmt: skip


def result_of(suite: Suite, systems: tuple[SystemRecord, ...], **changes: object) -> Result:
    """A whole result around systems."""
    relevant = {q: tuple(d for d, g in grades.items() if g) for q, grades in suite.judgements.items()}
    queries = tuple(
        QueryRecord(id=q.id, text=q.text, category=q.category, relevant=relevant[q.id]) for q in suite.queries
    )
    summary = SuiteSummary(
        name=suite.name, version="1", licence="Apache-2.0", checksum="ab" * 32, queries=len(queries),
        documents=len(suite.documents), findings=("two texts are alike",),
    )  # fmt: skip
    here = EnvironmentRecord(
        steelyard="0.1.0", python="3.11.0", platform="Linux", processor="a processor", cores=2, memory_bytes=8 << 30,
        packages={"numpy": "2.0"},
    )  # fmt: skip
    made = Result(
        created="2026-01-02T03:04:05+00:00", suite=summary, measures=MEASURES, seed=11, depth=30, complete=True,
        environment=here, queries=queries, documents={d.id: d.text for d in suite.documents}, systems=systems,
    )  # fmt: skip
    return made.model_copy(update=changes)


@cache
def whole_result() -> Result:
    """Everything that a report can show: a sweep, a hybrid, a failure, times."""
    suite = trap_suite()
    sweep = tuple(weighed(f"e5-small[dim={d}]", suite, d) for d in (8, 32, 128))
    others = (weighed("bm25", suite, 16, 2), weighed("bm25 + e5-small", suite, 96, 1))
    failed = SystemRecord(name="openai:X@http://localhost:1", error="no answer from http://localhost:1")
    return result_of(suite, (*sweep, *others, failed))


@cache
def hostile_result() -> Result:
    """Every text that users bring means harm: queries, documents, categories, names, notes, errors."""
    suite = trap_suite(16, hostile=True)
    systems = tuple(weighed(f"{HOSTILE[i]}{i}", suite, 16 * (i + 1), 1) for i in range(len(HOSTILE) - 1))
    failed = SystemRecord(name=HOSTILE[0], error=HOSTILE[1], notes=(HOSTILE[2],))
    made = result_of(suite, (*systems, failed), note=HOSTILE[2])
    wicked = made.suite.model_copy(update={"name": HOSTILE[0], "findings": HOSTILE, "version": HOSTILE[1]})
    return made.model_copy(update={"suite": wicked})


@cache
def whole_report() -> Report:
    """The whole result, judged."""
    return compose(whole_result(), origins=["zh-fakes.json"])


@cache
def hostile_report() -> Report:
    """The hostile result, judged."""
    return compose(hostile_result())
