"""An endpoint measured by real processes: the clients that it serves at once are found."""

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from steelyard.bench.costing.costs import CostConfig, measure_costs
from steelyard.bench.costing.worker import Plan
from steelyard.retrieval.resolve import read_system
from steelyard.suites.suite import Suite
from steelyard.types import Document, Query

SUITE = Suite(
    "x",
    tuple(Query(f"q{i}", f"第{i}个问题") for i in range(3)),
    tuple(Document(f"d{i}", f"第{i}个回答，说来话长。") for i in range(9)),
    {"q0": {"d0": 1}},
)
SECONDS = 0.15
PLAN = Plan(seconds=0.1, queries=5, batches=(1, 4), lengths=(20,), levels=(1, 2, 4, 8), load_seconds=1.0)


class Endpoint(ThreadingHTTPServer):
    """Answers ``room`` requests at once, each in so many seconds; the rest wait."""

    daemon_threads = True

    def __init__(self, room: int = 2) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.room = threading.Semaphore(room)

    @property
    def system(self) -> Any:
        return read_system(f"openai:m@http://127.0.0.1:{self.server_port}/v1")


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        texts = [asked["input"]] if isinstance(asked["input"], str) else asked["input"]
        with self.server.room:  # type: ignore[attr-defined]
            time.sleep(SECONDS)
        data = [{"index": i, "embedding": [float(len(t)), 1.0, 2.0, 3.0]} for i, t in enumerate(texts)]
        body = json.dumps({"object": "list", "model": "m", "data": data}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: Any) -> None:
        pass


@pytest.fixture
def endpoint() -> Iterator[Any]:
    with Endpoint() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.mark.slow  # real processes, real seconds
def test_an_endpoint_is_loaded_until_more_clients_bring_nothing(endpoint: Any) -> None:
    found: Any = measure_costs([endpoint.system], SUITE, CostConfig(rounds=1, plan=PLAN, cold=False))
    (costed,) = found
    assert costed.error == ""
    record = costed.record
    assert record.dimension == 4
    assert record.query.p50.value >= 1000 * SECONDS
    assert record.load[0].texts_per_second.value <= 1 / SECONDS
    assert record.load[1].texts_per_second.value > 1.3 * record.load[0].texts_per_second.value
    assert record.saturation in (2, 4)  # 2, but for the noise of a busy machine
    assert record.load[-1].p95_ms.value > record.load[0].p50_ms.value
    assert any("endpoint" in note for note in record.notes)
