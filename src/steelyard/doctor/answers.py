"""The same texts again and again: alone, in requests of every size, twice in one request, and from many clients."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np

from steelyard.doctor.case import Case
from steelyard.doctor.probes import DOCUMENTS, QUERIES
from steelyard.doctor.small_suite import small_suite
from steelyard.doctor.target import RefusedError
from steelyard.types import Role, Vectors

_A_REQUEST = 16
_LONGER = 6
"""Longer texts in the pool, so that short ones are padded beside them."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One request.

    Attributes:
        texts: places in the pool, in the order of the request; a text may stand twice.
        clients: how many asked at the same time.
    """

    texts: tuple[int, ...]
    clients: int = 1


@dataclass(frozen=True, slots=True)
class Seen:
    """One answer of one request.

    Attributes:
        text: its place in the pool.
        asked: the request.
        place: in the request.
        vector: float32[d].
    """

    text: int
    asked: Asked
    place: int
    vector: Vectors

    @property
    def is_alone(self) -> bool:
        """Whether nothing stood beside it and nobody else asked."""
        return len(self.asked.texts) == self.asked.clients == 1

    @property
    def is_twice(self) -> bool:
        """Whether the text stood more than once in the request."""
        return self.asked.texts.count(self.text) > 1


@dataclass(slots=True)
class Gathered:
    """All answers, and what was refused.

    Attributes:
        sent: the pool as it was sent.
        seen: answers in the order in which they were asked for.
        listed: whether every list of items was in order.
        refused: sizes of requests that the target refused.
    """

    sent: tuple[str, ...]
    seen: list[Seen] = field(default_factory=list)
    listed: bool = True
    refused: list[int] = field(default_factory=list)

    @property
    def first(self) -> Vectors:
        """float32[n, d]: the first answer of every text."""
        found: dict[int, Vectors] = {}
        for one in self.seen:
            found.setdefault(one.text, one.vector)
        return np.stack([found[i] for i in range(len(self.sent))])


def pool(count: int) -> tuple[str, ...]:
    """So many different texts, most of them short, the first 16 of both kinds."""
    longer = sorted(DOCUMENTS, key=len)[-_LONGER:]
    short = [*QUERIES, *small_suite().queries]
    texts = [*longer, *(t for t in dict.fromkeys(short) if t not in longer)]
    return tuple(texts[:count])


def gather(case: Case) -> Gathered:
    """Asks for the pool as the depth of the case says.

    Raises:
        EndpointError: the target cannot be asked.
    """
    depth = case.depth
    found = Gathered(tuple(case.sent(pool(depth.pool), Role.QUERY)))
    count = len(found.sent)
    draw = np.random.default_rng(11)
    everything = [Asked(tuple(range(i, min(i + _A_REQUEST, count)))) for i in range(0, count, _A_REQUEST)]
    alone = [Asked((i,)) for _ in range(depth.repeats) for i in range(depth.alone)]
    sizes = [Asked(_drawn(draw, count, size)) for size in depth.sizes]
    for one in (*everything, *alone, *sizes):
        ask(case, found, [one])
    for at_once in _rounds(draw, count, depth.clients, depth.together):
        ask(case, found, at_once)
    return found


def ask(case: Case, found: Gathered, requests: Sequence[Asked]) -> list[Seen]:
    """Requests at the same time; their answers, which are added to ``found`` too."""
    with ThreadPoolExecutor(len(requests)) as threads:
        answers = list(threads.map(lambda r: _ask(case, found, r), requests))
    new = [one for some in answers for one in some]
    found.seen += new
    return new


def _ask(case: Case, found: Gathered, asked: Asked) -> list[Seen]:
    try:
        answer = case.target.embed([found.sent[i] for i in asked.texts], Role.QUERY)
    except RefusedError:
        if len(asked.texts) <= _A_REQUEST:
            raise
        found.refused.append(len(asked.texts))
        return []
    if answer.listed != tuple(range(len(asked.texts))):
        found.listed = False
    return [Seen(t, asked, i, v) for i, (t, v) in enumerate(zip(asked.texts, answer.vectors, strict=True))]


def _drawn(draw: np.random.Generator, count: int, size: int) -> tuple[int, ...]:
    """Texts in any order, of which some stand twice where there are eight or more."""
    twice = size // 8
    some = draw.permutation(count)[: size - twice] if size - twice <= count else draw.integers(0, count, size - twice)
    rows = np.concatenate([some, some[:twice]])
    return tuple(int(i) for i in draw.permutation(rows))


def _rounds(draw: np.random.Generator, count: int, clients: int, total: int) -> Iterator[list[Asked]]:
    """Rounds of one request a client, of one to eight texts."""
    left = total
    while left > 0:
        sizes = draw.integers(1, 9, clients)
        yield [Asked(_drawn(draw, count, int(size)), clients) for size in sizes]
        left -= int(sizes.sum())
