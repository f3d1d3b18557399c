"""The doing half of the scheduler: one thread that runs what the planner picks, and tells those who wait.

One thread for all models, because an engine takes every core it is given: two at once would only be slower each.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import math
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol

from steelyard.errors import MissingExtraError, ModelError
from steelyard.serving.failures import HttpFailure, ItemFailure, place_of
from steelyard.serving.fair_queue import Batch, Lane, Planner, QueueFull, QueueLimits, Request
from steelyard.serving.memory_trimmer import MemoryTrimmer, give_back

_log = logging.getLogger("steelyard.serving")
_LEAST_BUDGET, _MOST_BUDGET = 256, 4096


@dataclass(frozen=True, slots=True)
class Group:
    """What items have in common that one call of an engine can take together; ``model`` is whose speed is measured."""

    model: str


Work = Callable[[Any, Sequence[str]], Sequence[object]]
"""``work(group, texts)`` gives one result a text, in order; an exception among them is that text's own failure."""


@dataclass(frozen=True, slots=True)
class Ask:
    """What is asked of the scheduler.

    Attributes:
        client: who is to be served fairly.
        lane: queries or bulk.
        group: what one call of the engine can take together.
        texts: one item each.
        costs: estimated tokens of each text.
        seconds: how long the answer may take.
    """

    client: str
    lane: Lane
    group: Group
    texts: Sequence[str]
    costs: tuple[int, ...]
    seconds: float = math.inf


class Observer(Protocol):
    """Told what the scheduler does; called from its thread."""

    def ran(self, batch: Batch, items: int, seconds: float) -> None:
        """A batch has run."""


@dataclass(slots=True)
class _Ticket:
    ask: Ask
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[list[Any]]
    results: list[Any]
    left: int
    over: bool = False

    def settle(self, failure: Exception | None) -> None:
        """Runs in the loop of the one who waits."""
        if self.future.done():
            return
        if failure is None:
            self.future.set_result(self.results)
        else:
            self.future.set_exception(failure)


@dataclass(slots=True)
class _Speed:
    """Tokens a second of each model, a moving mean."""

    target: float
    rates: dict[str, float] = field(default_factory=dict)

    def budget(self, group: Hashable) -> int:
        rate = self.rates.get(_model(group))
        return _LEAST_BUDGET if rate is None else int(min(max(rate * self.target, _LEAST_BUDGET), _MOST_BUDGET))

    def learn(self, model: str, tokens: int, seconds: float) -> None:
        rate = tokens / max(seconds, 1e-6)
        self.rates[model] = rate if model not in self.rates else 0.8 * self.rates[model] + 0.2 * rate

    def wait(self, tokens: int) -> int:
        """Seconds until so many waiting tokens have run, for Retry-After."""
        slowest = min(self.rates.values(), default=1000.0)
        return min(max(math.ceil(tokens / slowest), 1), 60)


class Scheduler:
    """Runs texts through ``work`` in batches.

    Args:
        work: computes one batch; called from one thread only.
        limits: how much may wait.
        batch_seconds: how long one call should take; the budget of tokens follows the measured speed.
        observer: told of every batch.
        spare: gives memory back between batches; malloc_trim every half a minute when None.
    """

    def __init__(
        self,
        work: Work,
        limits: QueueLimits,
        batch_seconds: float = 0.1,
        observer: Observer | None = None,
        spare: MemoryTrimmer | None = None,
    ) -> None:
        self._work = work
        self._planner = Planner(limits)
        self._speed = _Speed(batch_seconds)
        self._observer = observer
        self._tickets: dict[int, _Ticket] = {}
        self._ids = itertools.count()
        self._changed = threading.Condition()
        self._closing = False
        self._loads: list[Callable[[], None]] = []
        self._spare = spare or MemoryTrimmer(give_back)
        self._thread: threading.Thread | None = None
        self._began: float | None = None

    @property
    def waiting(self) -> tuple[int, int]:
        """(requests, estimated tokens) in the queue."""
        return len(self._planner), self._planner.tokens

    @property
    def alive(self) -> bool:
        """False when the thread has died, which it never should."""
        return self._thread is None or self._thread.is_alive() or self._closing

    @property
    def busy_for(self) -> float:
        """Seconds that the call of the engine under way has taken; 0 when there is none."""
        began = self._began
        return 0.0 if began is None else time.perf_counter() - began

    async def run(self, ask: Ask) -> list[Any]:
        """One result a text, in order. Cancelling this drops what has not run.

        Raises:
            HttpFailure: the queue is full (429), the deadline passed (503), or the server is stopping (503).
            ItemFailure: a text failed, the first of them.
        """
        loop = asyncio.get_running_loop()
        ticket = _Ticket(ask, loop, loop.create_future(), [None] * len(ask.texts), len(ask.texts))
        number = self._enter(ticket)
        try:
            async with asyncio.timeout(None if math.isinf(ask.seconds) else ask.seconds):
                return await ticket.future
        except TimeoutError:
            raise self._late() from None
        finally:
            if not ticket.over:
                self._forget(number)

    def open(self, load: Callable[[], None]) -> None:
        """Runs ``load`` in the thread that will run the work, and takes requests once it is done.

        Loading anywhere else would leave a second team of OpenMP threads behind. With more of them than cores libgomp
        stops spinning between the parts of a call, and a call of a few short texts takes twice as long.
        """
        loaded: Future[None] = Future()
        with self._changed:
            self._closing = False
            self._loads.append(partial(_fulfil, loaded, load))
            self._start()
            self._changed.notify()
        loaded.result()

    def close(self) -> None:
        """Finishes what waits, then ends the thread; later requests are refused."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def _enter(self, ticket: _Ticket) -> int:
        ask, number = ticket.ask, next(self._ids)
        request = Request(number, ask.client, ask.lane, ask.group, ask.costs, time.monotonic() + ask.seconds)
        with self._changed:
            if self._closing:
                raise HttpFailure(503, "the server is stopping; try again", code="stopping", retry_after=1)
            try:
                self._planner.admit(request)
            except QueueFull as full:
                wait = self._speed.wait(self._planner.tokens)
                raise HttpFailure(429, f"{full}; try again in {wait} s", None, "queue_full", wait) from None
            self._tickets[number] = ticket
            self._start()
            self._changed.notify()
        return number

    def _start(self) -> None:
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._run, name="steelyard-scheduler", daemon=True)
            self._thread.start()

    def _forget(self, number: int) -> None:
        with self._changed:
            self._tickets.pop(number, None)
            self._planner.drop(number)

    def _run(self) -> None:
        while (batch := self._next()) is not None:
            if batch.slices:
                self._perform(batch)
                self._spare.used()
            self._spare.tidy()

    def _next(self) -> Batch | None:
        """Waits for work, or until memory can be given back; None when the scheduler is closed and nothing waits."""
        with self._changed:
            while not len(self._planner) and not self._loads:
                if self._closing:
                    return None
                if not self._changed.wait(self._spare.due_in()):
                    break
            loads, self._loads = self._loads, []
        for load in loads:
            load()
        with self._changed:
            late = self._planner.expire(time.monotonic())
            batch = self._planner.next_batch(self._speed.budget) or Batch(None, Lane.BULK, (), 0)
        self._settle({number: self._late() for number in late})
        return batch

    def _late(self) -> HttpFailure:
        wait = self._speed.wait(self._planner.tokens)
        message = "no answer within the deadline: the server is busy; try again, or ask for less at once"
        return HttpFailure(503, message, None, "deadline", wait)

    def _perform(self, batch: Batch) -> None:
        with self._changed:
            pieces = [(p, self._tickets[p.request]) for p in batch.slices if p.request in self._tickets]
        texts = [t for piece, ticket in pieces for t in ticket.ask.texts[piece.start : piece.stop]]
        if not texts:
            return
        began = self._began = time.perf_counter()
        results = iter(attempt(self._work, batch.group, texts))
        self._began = None
        seconds = time.perf_counter() - began
        self._speed.learn(_model(batch.group), batch.cost, seconds)
        done: dict[int, Exception | None] = {}
        for piece, ticket in pieces:
            for index in range(piece.start, piece.stop):
                result = ticket.results[index] = next(results)
                ticket.left -= 1
                if isinstance(result, BaseException):
                    done.setdefault(piece.request, ItemFailure(index, result))
            if ticket.left == 0:
                done.setdefault(piece.request, None)
        self._settle(done)
        if self._observer is not None:
            self._observer.ran(batch, len(texts), seconds)

    def _settle(self, done: dict[int, Exception | None]) -> None:
        by_loop: dict[asyncio.AbstractEventLoop, list[tuple[_Ticket, Exception | None]]] = defaultdict(list)
        with self._changed:
            for number, failure in done.items():
                self._planner.drop(number)
                ticket = self._tickets.pop(number, None)
                if ticket is not None:
                    ticket.over = True
                    by_loop[ticket.loop].append((ticket, failure))
        for loop, settled in by_loop.items():
            try:
                loop.call_soon_threadsafe(_tell, settled)
            except RuntimeError:  # the loop is closed: nobody waits any more
                _log.debug("an answer came after its event loop had closed")


def _fulfil(loaded: Future[None], load: Callable[[], None]) -> None:
    try:
        load()
    except BaseException as wrong:  # noqa: BLE001 - raised again where it is waited for
        loaded.set_exception(wrong)
    else:
        loaded.set_result(None)


def _model(group: Hashable) -> str:
    return group.model if isinstance(group, Group) else ""


def _tell(settled: list[tuple[_Ticket, Exception | None]]) -> None:
    for ticket, failure in settled:
        ticket.settle(failure)


def attempt(work: Work, group: Hashable, texts: Sequence[str]) -> list[object]:
    """One result or exception a text: when a batch fails its halves are tried, so a bad text fails alone."""
    try:
        results = list(work(group, texts))
        if len(results) != len(texts):
            raise RuntimeError(f"{len(results)} results for {len(texts)} texts")
    except (ModelError, MissingExtraError) as wrong:
        _report(wrong)
        return [wrong] * len(texts)
    except BaseException as wrong:  # noqa: BLE001 - a panic in Rust, as in tokenizers, is no Exception; all are answered
        if len(texts) == 1:
            _report(wrong)
            return [wrong]
        half = len(texts) // 2
        return attempt(work, group, texts[:half]) + attempt(work, group, texts[half:])
    return results


def _report(wrong: BaseException) -> None:
    _log.error("an engine failed: %s at %s", type(wrong).__name__, place_of(wrong))
