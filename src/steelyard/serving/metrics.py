"""What Prometheus is told; one registry a server."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from steelyard.serving.fair_queue import Batch

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)


class Metrics:
    """Counters of one server; its methods may be called from any thread."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        r = self.registry
        self._requests = Counter("steelyard_requests", "Requests answered", ["route", "status"], registry=r)
        self._seconds = Histogram(
            "steelyard_request_seconds", "Time to answer a request", ["route"], registry=r, buckets=_SECONDS
        )
        self._texts = Counter("steelyard_texts", "Texts embedded or reranked", ["model"], registry=r)
        self._tokens = Counter("steelyard_tokens", "Tokens read", ["model"], registry=r)
        self._cut = Counter("steelyard_texts_cut", "Texts longer than the model reads, cut", ["model"], registry=r)
        self._gone = Counter("steelyard_requests_abandoned", "Requests whose client went away", registry=r)
        self._batch_seconds = Histogram(
            "steelyard_batch_seconds", "Time of one call of an engine", ["lane"], registry=r, buckets=_SECONDS
        )
        self._batch_texts = Histogram(
            "steelyard_batch_texts",
            "Texts in one call of an engine",
            ["lane"],
            registry=r,
            buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256),
        )
        self._cache = Counter("steelyard_gateway_cache", "Texts looked up in the gateway's cache", ["hit"], registry=r)
        self._upstream = Counter("steelyard_upstream_calls", "Calls of upstreams", ["upstream", "result"], registry=r)

    def watch_queue(self, waiting: Callable[[], tuple[int, int]]) -> None:
        """Reads the queue's length whenever somebody asks."""
        requests = Gauge("steelyard_queue_requests", "Requests waiting", registry=self.registry)
        requests.set_function(lambda: waiting()[0])
        tokens = Gauge("steelyard_queue_tokens", "Tokens waiting, by estimate", registry=self.registry)
        tokens.set_function(lambda: waiting()[1])

    def answered(self, route: str, status: int, seconds: float) -> None:
        """A request was answered."""
        self._requests.labels(route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def read(self, model: str, texts: int, tokens: int, cut: int = 0) -> None:
        """A model has read texts."""
        self._texts.labels(model).inc(texts)
        self._tokens.labels(model).inc(tokens)
        if cut:
            self._cut.labels(model).inc(cut)

    def abandoned(self) -> None:
        """A client went away before its answer."""
        self._gone.inc()

    def ran(self, batch: Batch, items: int, seconds: float) -> None:
        """A batch has run (see :class:`~steelyard.serving.scheduler.Observer`)."""
        self._batch_seconds.labels(batch.lane.value).observe(seconds)
        self._batch_texts.labels(batch.lane.value).observe(items)

    def cached(self, hits: int, misses: int) -> None:
        """The gateway looked texts up."""
        self._cache.labels("yes").inc(hits)
        self._cache.labels("no").inc(misses)

    def called(self, upstream: str, result: str) -> None:
        """The gateway called an upstream: ``ok``, ``refused`` or ``failed``."""
        self._upstream.labels(upstream, result).inc()

    def text(self) -> bytes:
        """Everything in Prometheus' text format."""
        return generate_latest(self.registry)
