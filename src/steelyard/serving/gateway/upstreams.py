"""Several servers behind the gateway as one."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from steelyard.errors import EndpointError
from steelyard.serving.failures import HttpFailure
from steelyard.serving.gateway.upstream import ABOUT_TEXTS, Passing, Refusal, Upstream, UpstreamClient

T = TypeVar("T")
_LONGEST_PAUSE = 30.0
_OF_A_MODEL = frozenset({404, 405})
_TICK = 0.05


@dataclass(frozen=True, slots=True)
class Retries:
    """How long to keep trying; times in seconds.

    Attributes:
        rounds: how often each upstream is asked.
        wait: before the second round; it doubles each time.
        hang: after so long without an answer, and again each time, an upstream is asked whether it lives, where
            another could be asked instead.
        hedge: after this share of the time that is left without an answer, an idle upstream is asked too.
    """

    rounds: int = 4
    wait: float = 0.2
    hang: float = 10.0
    hedge: float = 0.25


Ask = Callable[[Upstream], Coroutine[Any, Any, T]]
"""One question that any upstream may answer."""


class Upstreams:
    """Several servers as one: the least busy is asked first, the others when it fails.

    Args:
        members: at least one.
        client: how they are called.
        retries: how long to keep trying.
        places: requests of clients at once; more are answered with 429.
    """

    def __init__(
        self, members: Sequence[Upstream], client: UpstreamClient, retries: Retries | None = None, places: int = 1024
    ) -> None:
        self.members = tuple(members)
        self.client = client
        self._retries = retries or Retries()
        self._places = places
        self.inside = 0

    @contextmanager
    def place(self) -> Iterator[None]:
        """Holds one of the places while a client's request is served.

        Raises:
            HttpFailure: 429, all are taken.
        """
        if self.inside >= self._places:
            message = f"{self.inside} requests are under way already; try again in 1 s"
            raise HttpFailure(429, message, None, "queue_full", 1)
        self.inside += 1
        try:
            yield
        finally:
            self.inside -= 1

    async def ask(self, one: Ask[T], ends: float = math.inf) -> T:
        """The first good answer of any member.

        What refuses the texts is believed. What refuses for a reason of its own, or answers what cannot be right, is
        not asked again, but the others are.

        Args:
            one: the question.
            ends: by ``time.monotonic()``, when nobody waits for the answer any more.

        Raises:
            Refusal: the request itself was refused, or every member refused it.
            EndpointError: every member answered what cannot be right.
            HttpFailure: 502, when nobody answered after all attempts; 429, when all ask to wait.
        """
        said: dict[Upstream, Passing] = {}
        out: dict[Upstream, Refusal | EndpointError] = {}
        for attempt in range(self._retries.rounds):
            for upstream in self._by_ease(out):
                try:
                    return await self._hedged(upstream, one, ends, out)
                except Passing as passing:
                    said[upstream] = passing
                except (Refusal, EndpointError) as final:
                    if isinstance(final, Refusal) and final.status in ABOUT_TEXTS:
                        raise
                    out[upstream] = final
            pause = self._pause(attempt, out)
            if attempt + 1 == self._retries.rounds or pause > min(ends - time.monotonic(), _LONGEST_PAUSE):
                break
            await asyncio.sleep(pause)
        raise self._given_up(said, out)

    async def _hedged(self, upstream: Upstream, one: Ask[T], ends: float, out: Mapping[Upstream, object]) -> T:
        """One answer; where none comes for long, the first good one of this upstream and an idle one.

        Some servers list their models and never answer a request. What was asked of the slower one is given up.
        """
        alone = len(self.members) - len(out) == 1
        first = self._begun(upstream, one, ends, alone=alone)
        asked = {first}
        try:
            if not alone and ends != math.inf:
                share = max(ends - time.monotonic(), 0.0) * self._retries.hedge
                if not (await asyncio.wait(asked, timeout=share))[0]:
                    idle = (u for u in self._by_ease(out) if u is not upstream and _is_idle(u))
                    asked |= {self._begun(u, one, ends, alone=False) for u in list(idle)[:1]}
            fastest = await _first_good(asked) or first
            if not first.done():
                upstream.failed()  # it rests, so that the next request goes elsewhere at once
            return await fastest
        finally:
            for task in asked:
                task.cancel()

    async def alive(self) -> bool:
        """Whether any member would take a request: it answers, without a fault of its own, and takes the key."""
        statuses = await asyncio.gather(*(self.client.status(u) for u in self.members))
        return any(s is not None and s < 500 and s not in (401, 403) for s in statuses)

    def _begun(self, upstream: Upstream, one: Ask[T], ends: float, *, alone: bool) -> asyncio.Future[T]:
        """One question under way, counted from this moment: the next one is asked of whoever is less busy."""

        def ended(_: asyncio.Future[T]) -> None:
            upstream.under_way -= 1

        upstream.under_way += 1
        task = asyncio.ensure_future(self._once(upstream, one, ends, alone=alone))
        task.add_done_callback(ended)
        return task

    async def _once(self, upstream: Upstream, one: Ask[T], ends: float, *, alone: bool) -> T:
        began = time.monotonic()
        try:
            answer = await (one(upstream) if alone else self._watched(upstream, one))
        except Passing as passing:
            upstream.failed(passing.wait)
            raise
        except EndpointError:
            upstream.failed()
            raise
        except Refusal as refusal:
            if refusal.status not in ABOUT_TEXTS | _OF_A_MODEL:
                upstream.failed()
            raise
        except asyncio.CancelledError:
            now = time.monotonic()
            if now >= ends - _TICK and now - began >= self._retries.hang:
                upstream.failed()
            raise
        upstream.worked()
        return answer

    async def _watched(self, upstream: Upstream, one: Ask[T]) -> T:
        """One answer, given up when the upstream no longer answers anything: one that is busy does."""
        if upstream.failures and await self.client.status(upstream) is None:
            raise Passing("it does not answer yet")
        task = asyncio.ensure_future(one(upstream))
        try:
            while not (await asyncio.wait((task,), timeout=self._retries.hang))[0]:
                if await self.client.status(upstream) is None and not task.done():
                    self.client.count(upstream, "failed")
                    raise Passing("it hangs")
            return task.result()
        finally:
            task.cancel()

    def _by_ease(self, out: Mapping[Upstream, object]) -> list[Upstream]:
        """Whom to ask, in this order: not what asked to be left alone, and what has failed by one request at a time."""
        now = time.monotonic()
        left = [u for u in self.members if u not in out and u.held_until <= now]
        awake = [u for u in left if u.rests_until <= now and not (u.failures and u.under_way)]
        return sorted(awake or left, key=lambda u: u.under_way)

    def _pause(self, attempt: int, out: Mapping[Upstream, object]) -> float:
        """Seconds until the next round; infinite when nobody is left to be asked."""
        now = time.monotonic()
        soonest = min((max(u.rests_until, u.held_until) for u in self.members if u not in out), default=math.inf)
        return max(self._retries.wait * 2.0**attempt, soonest - now)

    def _given_up(self, said: Mapping[Upstream, Passing], out: Mapping[Upstream, Refusal | EndpointError]) -> Exception:
        if len(out) == len(self.members):
            return next(iter(out.values()))
        held = max(0.0, min(u.held_until for u in self.members if u not in out) - time.monotonic())
        words = {u: p.said for u, p in said.items()} | {u: str(w).removeprefix(u.shown).strip() for u, w in out.items()}
        reasons = "; ".join(f"{u.shown}: {reason}" for u, reason in words.items() if reason)
        seconds = max(1, math.ceil(held)) if held else 5
        if not out and (held or said) and all(p.busy for p in said.values()):
            why = f" ({reasons})" if reasons else ""
            return HttpFailure(429, f"the upstreams ask to wait{why}", None, "upstream_busy", seconds)
        return HttpFailure(502, f"no upstream answered ({reasons})", code="upstream_failed", retry_after=seconds)


def _is_idle(upstream: Upstream) -> bool:
    """Whether nothing is under way there and nothing has failed."""
    return not upstream.under_way and not upstream.failures


async def _first_good(asked: Set[asyncio.Future[T]]) -> asyncio.Future[T] | None:
    """The first that answers, or refuses the texts, which another would refuse too; None when all have failed."""
    left = set(asked)
    while left:
        done, left = await asyncio.wait(left, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            wrong = task.exception()
            if wrong is None or (isinstance(wrong, Refusal) and wrong.status in ABOUT_TEXTS):
                return task
    return None
