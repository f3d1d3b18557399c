"""What runs next: the deciding half of the scheduler, without threads, clocks or engines.

Requests wait in two lanes. Inside a lane clients are served by weighted fair queueing: the client that has had the
fewest tokens goes next, one item at a time, so neither many requests nor long texts buy a larger share. Queries go
before bulk work, until a bulk request would wait more than ``SLACK`` times as long as first come, first served would
have made it; then bulk goes first. While both wait, neither runs for more than ``SHARE`` budgets before the other.
A batch holds items of one group (what one call of the engine can take) and stays within a budget of tokens.
"""

from __future__ import annotations

import heapq
import math
from collections import deque
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from enum import StrEnum

SHARE = 3
SLACK = 1.5


class Lane(StrEnum):
    """What waits behind what."""

    QUERY = "query"
    BULK = "bulk"


@dataclass(frozen=True, slots=True)
class Request:
    """One request of one client.

    Attributes:
        id: unique among those waiting.
        client: who is to be served fairly.
        lane: queries or bulk.
        group: what one call of the engine can take together.
        costs: estimated tokens of each item, at least 1.
        deadline: the time after which it is not worth running.
    """

    id: int
    client: str
    lane: Lane
    group: Hashable
    costs: tuple[int, ...]
    deadline: float = math.inf


@dataclass(frozen=True, slots=True)
class Slice:
    """Items ``start`` to ``stop`` (exclusive) of a request."""

    request: int
    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class Batch:
    """Items to run in one call."""

    group: Hashable
    lane: Lane
    slices: tuple[Slice, ...]
    cost: int


@dataclass(frozen=True, slots=True)
class QueueLimits:
    """How much may wait: requests, tokens, and the share of either that one client may hold."""

    requests: int
    tokens: int
    client_share: float = 0.5


class QueueFull(Exception):  # noqa: N818 - an everyday answer, not a fault
    """The queue takes no more; the message says which bound was met."""


@dataclass(slots=True)
class _Waiting:
    request: Request
    cursor: int = 0

    @property
    def cost(self) -> int:
        return self.request.costs[self.cursor]

    def left(self) -> int:
        return sum(self.request.costs[self.cursor :])


@dataclass(slots=True)
class _LaneQueue:
    """The clients of one lane in fair order.

    ``served`` is each client's virtual time in tokens. ``now`` moves on as a share of what all are served, so that
    a stream of newcomers, who start at ``now``, cannot keep an old client waiting for ever.
    """

    clients: dict[str, deque[_Waiting]] = field(default_factory=dict)
    served: dict[str, float] = field(default_factory=dict)
    now: float = 0.0

    def add(self, waiting: _Waiting) -> None:
        client = waiting.request.client
        if client not in self.clients:
            self.clients[client] = deque()
            self.served[client] = max(self.served.get(client, 0.0), self.now)
        self.clients[client].append(waiting)

    def remove(self, waiting: _Waiting) -> None:
        queue = self.clients[waiting.request.client]
        queue.remove(waiting)
        self._tidy(waiting.request.client)

    def head(self) -> _Waiting:
        """The request that is served next."""
        return self.clients[min(self.clients, key=lambda c: self.served[c])][0]

    def fill(self, budget_of: Callable[[Hashable], int]) -> list[tuple[_Waiting, int]]:
        """Takes items in fair order, all of the group of the first: (request, number of the item)."""
        active = len(self.clients)
        heap = [(self.served[c], i, c) for i, c in enumerate(self.clients)]
        heapq.heapify(heap)
        self.now = max(self.now, heap[0][0])
        group = self.clients[heap[0][2]][0].request.group
        room, taken = budget_of(group), list[tuple[_Waiting, int]]()
        while heap:
            _, order, client = heapq.heappop(heap)
            queue = self.clients[client]
            waiting = queue[0]
            if waiting.request.group != group or (taken and waiting.cost > room):
                continue
            room -= waiting.cost
            self.served[client] += waiting.cost
            self.now += waiting.cost / active
            taken.append((waiting, waiting.cursor))
            waiting.cursor += 1
            if waiting.cursor == len(waiting.request.costs):
                queue.popleft()
                self._tidy(client)
            if queue:
                heapq.heappush(heap, (self.served[client], order, client))
        return taken

    def _tidy(self, client: str) -> None:
        if not self.clients[client]:
            del self.clients[client]
        if not self.clients:
            self.served.clear()
            self.now = 0.0
        elif len(self.served) > 4 * len(self.clients) + 64:
            self.served = {c: t for c, t in self.served.items() if c in self.clients or t > self.now}


class Planner:
    """The queue and the rule that picks from it; not safe for threads by itself."""

    def __init__(self, limits: QueueLimits) -> None:
        self._limits = limits
        self._lanes = {lane: _LaneQueue() for lane in Lane}
        self._waiting: dict[int, _Waiting] = {}
        self._held: dict[str, int] = {}
        self._asked: dict[str, int] = {}
        self._due: list[tuple[float, int]] = []
        self._done = 0
        self._streak: tuple[Lane, int] = (Lane.BULK, 0)
        self.tokens = 0

    def __len__(self) -> int:
        """Requests of which some item waits."""
        return len(self._waiting)

    def __contains__(self, request: int) -> bool:
        """Whether some item of the request waits."""
        return request in self._waiting

    def admit(self, request: Request) -> None:
        """Takes a request in.

        Raises:
            QueueFull: a bound is met; a request that is too large for the bounds comes in when nothing waits.
        """
        cost, held, asked = sum(request.costs), self._held.get(request.client, 0), self._asked.get(request.client, 0)
        if len(self._waiting) >= self._limits.requests:
            raise QueueFull(f"{len(self._waiting)} requests are waiting already")
        if asked and asked + 1 > self._limits.requests * self._limits.client_share:
            raise QueueFull(f"{asked} requests of yours are waiting already")
        if self.tokens and self.tokens + cost > self._limits.tokens:
            raise QueueFull(f"about {self.tokens:,} tokens are waiting already")
        if held and held + cost > self._limits.tokens * self._limits.client_share:
            raise QueueFull(f"about {held:,} tokens of yours are waiting already")
        waiting = _Waiting(request)
        self._waiting[request.id] = waiting
        self._asked[request.client] = asked + 1
        if request.lane is Lane.BULK:  # in tokens run, so that no clock is needed
            self._promise(self._done + SLACK * (self.tokens + cost), request.id)
        self._lanes[request.lane].add(waiting)
        self._count(request.client, cost)

    def drop(self, request: int) -> bool:
        """Forgets what has not run of a request; False when nothing of it waits."""
        if request not in self._waiting:
            return False
        waiting = self._leave(request)
        self._count(waiting.request.client, -waiting.left())
        self._lanes[waiting.request.lane].remove(waiting)
        return True

    def expire(self, now: float) -> list[int]:
        """Drops the requests whose deadline has passed and names them."""
        late = [i for i, w in self._waiting.items() if w.request.deadline <= now]
        for request in late:
            self.drop(request)
        return late

    def next_batch(self, budget_of: Callable[[Hashable], int]) -> Batch | None:
        """What to run now; None when nothing waits.

        Args:
            budget_of: tokens that one call may take of a group; an item that is longer goes alone.
        """
        lane = self._choose(budget_of)
        if lane is None:
            return None
        runs: dict[int, Slice] = {}
        cost = 0
        for waiting, item in (taken := self._lanes[lane].fill(budget_of)):
            request = waiting.request
            start = runs[request.id].start if request.id in runs else item
            runs[request.id] = Slice(request.id, start, item + 1)
            cost += request.costs[item]
            self._count(request.client, -request.costs[item])
            if item + 1 == len(request.costs):
                self._leave(request.id)
        batch = Batch(taken[0][0].request.group, lane, tuple(runs.values()), cost)
        self._done += cost
        others_wait = any(queue.clients for other, queue in self._lanes.items() if other is not lane)
        before = self._streak[1] if self._streak[0] is lane and others_wait else 0
        self._streak = (lane, before + cost)
        return batch

    def _choose(self, budget_of: Callable[[Hashable], int]) -> Lane | None:
        if not self._both_wait():
            return next((lane for lane, queue in self._lanes.items() if queue.clients), None)
        wanted = Lane.BULK if self._bulk_is_due() else Lane.QUERY
        first = self._lanes[wanted].head()
        if self._streak[0] is wanted and self._streak[1] > SHARE * budget_of(first.request.group):
            return Lane.QUERY if wanted is Lane.BULK else Lane.BULK
        return wanted

    def _both_wait(self) -> bool:
        return all(queue.clients for queue in self._lanes.values())

    def _bulk_is_due(self) -> bool:
        while self._due and self._due[0][1] not in self._waiting:
            heapq.heappop(self._due)
        if not self._due:
            return False
        due, request = self._due[0]
        return due - self._waiting[request].left() <= self._done

    def _promise(self, due: float, request: int) -> None:
        if len(self._due) > 4 * len(self._waiting) + 64:  # the heap is read only while both lanes wait
            self._due = [(d, i) for d, i in self._due if i in self._waiting]
            heapq.heapify(self._due)
        heapq.heappush(self._due, (due, request))

    def _leave(self, request: int) -> _Waiting:
        waiting = self._waiting.pop(request)
        client = waiting.request.client
        self._asked[client] -= 1
        if not self._asked[client]:
            del self._asked[client]
        return waiting

    def _count(self, client: str, tokens: int) -> None:
        self.tokens += tokens
        held = self._held.get(client, 0) + tokens
        if held:
            self._held[client] = held
        else:
            self._held.pop(client, None)
