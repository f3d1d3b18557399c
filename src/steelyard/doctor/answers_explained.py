"""What answers to the same text that are not the same say: order, padding, other clients, replicas, chance."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from steelyard.doctor.answers import Asked, Gathered, Seen, ask, gather
from steelyard.doctor.case import Case, Outcome
from steelyard.doctor.finding import Confidence, Fault, Finding
from steelyard.engines.vectors import centred, normalised
from steelyard.types import Vectors
from steelyard.wording import Said, say

_SAME = 0.005
"""1 - centred cosine up to which two answers are the same: 16-bit numbers in different batches stay within."""
_STEADY = 1e-3
"""The same for one text asked alone again, whose batch is always the same."""
_SHAKY = 1e-4
_ALONE = 10_000
"""Times that an answer to a text alone counts more than one in a batch, which other texts may spoil."""
_ALL_ONE = 1e-6
"""Spread of vectors, as a share of their largest number, up to which all texts have one."""
_CONFIRMED = 6
"""Requests with wrong answers that are asked again."""
_LIKE_A_REPLICA = 0.2


@dataclass(frozen=True, slots=True)
class _Sorted:
    """Answers with their vectors on unit length and less what all have in common.

    Attributes:
        seen: the answers.
        unit: float64[answers, d].
        own: float64[texts, d]: what most answers of a text are.
        group: for each answer, which of the different answers of its text it is; 0 is what most are.
    """

    seen: Sequence[Seen]
    unit: NDArray[np.float64]
    own: NDArray[np.float64]
    group: NDArray[np.int64]

    @property
    def wrong(self) -> NDArray[np.int64]:
        """Places of answers that are not what most of their text's are."""
        return np.flatnonzero(self.group)

    def distance(self, places: Sequence[int] | NDArray[np.int64]) -> NDArray[np.float64]:
        """1 - cosine to the text's own vector."""
        texts = [self.seen[i].text for i in places]
        found: NDArray[np.float64] = 1 - np.einsum("ij,ij->i", self.unit[places], self.own[texts])
        return found


def check_answers(case: Case) -> Outcome:
    """Whether a text has one vector, however often, beside whatever, and whoever else asks.

    Requests with wrong answers are asked again, alone: what is wrong again is a matter of the request, what is not a
    matter of chance or of other clients.
    """
    found = gather(case)
    notes = [] if found.listed else [_out_of_order()]
    if found.refused:
        size = min(found.refused)
        notes.append(
            Finding(Fault.BATCH, Confidence.NOTE, say("doctor_batch.refused", size=size), say("doctor_batch.many"))
        )
    sorted_ = _sort(found.seen, len(found.sent))
    resolution = say("doctor_resolution.answers", answers=len(found.seen), one_in=case.depth.one_in)
    if not len(sorted_.wrong):
        return Outcome((*notes, *_steady(sorted_)), resolution)
    return Outcome((*notes, _explained(case, found, sorted_)), resolution)


def _sort(seen: Sequence[Seen], count: int) -> _Sorted:
    rows = np.stack([s.vector for s in seen])
    first = np.stack([next(s.vector for s in seen if s.text == t) for t in range(count)])
    unit = _unit(rows, first)
    own, group = np.zeros((count, rows.shape[1])), np.zeros(len(seen), dtype=np.int64)
    texts = np.array([s.text for s in seen])
    for text in range(count):
        places = np.flatnonzero(texts == text)
        kinds = _kinds(unit[places], [_ALONE if seen[i].is_alone else 1 for i in places.tolist()])
        group[places] = kinds
        own[text] = unit[places[kinds == 0][0]]
    return _Sorted(seen, unit, own, group)


def _unit(rows: Vectors, first: Vectors) -> NDArray[np.float64]:
    """Without what all texts have in common, unless that is all there is."""
    if float(np.ptp(first, axis=0).max()) <= _ALL_ONE * float(np.abs(first).max()):
        return normalised(rows).astype(np.float64)
    return centred(rows, first)


def _against_alone(case: Case, gathered: Gathered, found: _Sorted) -> _Sorted:
    """The same, held against what every text gets alone: what stood in a request may be wrong in most answers."""
    alone = [ask(case, gathered, [Asked((i,))])[0] for i in range(len(gathered.sent))]
    truth = np.stack([s.vector for s in alone])
    rows = np.stack([s.vector for s in found.seen])
    held = _Sorted(found.seen, _unit(rows, truth), _unit(truth, truth), found.group)
    off = held.distance(np.arange(len(rows))) > _SAME
    return replace(held, group=off.astype(np.int64))


def _kinds(rows: NDArray[np.float64], weights: Sequence[int]) -> NDArray[np.int64]:
    """Which rows are the same, the most frequent 0, where answers to a text alone count first."""
    found, heads = np.zeros(len(rows), dtype=np.int64), [rows[0]]
    for i, row in enumerate(rows):
        near = [1 - float(row @ head) <= _SAME for head in heads]
        if not any(near):
            heads.append(row)
        found[i] = near.index(True) if any(near) else len(heads) - 1
    counts: Counter[int] = Counter()
    for kind, weight in zip(found.tolist(), weights, strict=True):
        counts[kind] += weight
    order = {kind: rank for rank, (kind, _) in enumerate(counts.most_common())}
    return np.array([order[k] for k in found.tolist()])


def _steady(found: _Sorted) -> list[Finding]:
    """Whether one text asked alone gives the same numbers, which even 16 bits do in batches of one."""
    alone = [i for i, s in enumerate(found.seen) if s.is_alone]
    if not alone:
        return []
    off = float(np.quantile(found.distance(alone), 0.9))
    if off <= _SHAKY:
        return []
    sure = Confidence.CERTAIN if off > _STEADY else Confidence.POSSIBLE
    seen = say("doctor_unstable.seen", off=f"{off:.1e}", count=len(alone))
    return [Finding(Fault.UNSTABLE, sure, say("doctor_unstable.what"), seen, say("doctor_unstable.mend"))]


def _explained(case: Case, gathered: Gathered, found: _Sorted) -> Finding:
    before_alone = found
    alone = [i for i in found.wrong if found.seen[i].is_alone]
    if alone:
        return _by_chance(found)
    found = _against_alone(case, gathered, found)
    if not len(found.wrong):
        return _by_chance(before_alone)
    requests = list({found.seen[i].asked: None for i in found.wrong})
    again = [s for r in requests[:_CONFIRMED] for s in ask(case, gathered, [Asked(r.texts)])]
    truth = np.stack([s.vector for s in gathered.seen[-len(gathered.sent) - len(again) : -len(again)]])
    unit = _unit(np.stack([s.vector for s in again]), truth)
    repeated = _Sorted(again, unit, found.own, np.zeros(len(again), dtype=np.int64))
    still = repeated.distance(range(len(again))) > _SAME
    before = {(found.seen[i].asked.texts, found.seen[i].place) for i in found.wrong}
    kept = [i for i in np.flatnonzero(still) if (again[i].asked.texts, again[i].place) in before]
    if 2 * len(kept) >= int(still.sum()) and kept:
        return _by_request(found, _Sorted(again, repeated.unit, found.own, still.astype(np.int64)))
    together = [i for i in found.wrong if found.seen[i].asked.clients > 1]
    if len(together) == len(found.wrong) >= 3 and not still.any():
        return _by_clients(found)
    return _by_chance(found)


def _by_request(first: _Sorted, found: _Sorted) -> Finding:
    """A request that is answered wrongly, and again wrongly: its order, its duplicates or its padding."""
    wrong = found.wrong
    sizes = sorted({len(found.seen[i].asked.texts) for i in wrong})
    good = sorted({len(s.asked.texts) for s in first.seen} - {len(first.seen[i].asked.texts) for i in first.wrong})
    where: Said = say("doctor_batch.sizes", wrong=min(sizes), right=max([g for g in good if g < min(sizes)], default=1))
    others = [_owner(found, i) for i in wrong]
    inside = [o in found.seen[i].asked.texts for o, i in zip(others, wrong, strict=True)]
    if all(found.seen[i].is_twice for i in wrong) and min(sizes) > 1:
        return Finding(
            Fault.DUPLICATES, Confidence.CERTAIN, say("doctor_duplicates.what"), where, say("doctor_duplicates.mend")
        )
    if np.mean(inside) >= 0.7:
        return Finding(Fault.ORDER, Confidence.CERTAIN, say("doctor_order.what"), where, say("doctor_order.mend"))
    if np.mean([o is not None for o in others]) >= 0.7:
        return Finding(Fault.CROSSED, Confidence.CERTAIN, say("doctor_crossed.what"), where, say("doctor_crossed.mend"))
    worst = float(found.distance(wrong).max())
    sure = Confidence.CERTAIN if worst > 0.02 else Confidence.POSSIBLE
    seen = say("doctor_batch.seen", off=f"{1 - worst:.3f}", where=where)
    return Finding(Fault.BATCH, sure, say("doctor_batch.what"), seen, say("doctor_batch.mend"))


def _by_clients(found: _Sorted) -> Finding:
    share = say("doctor_crossed.seen", wrong=len(found.wrong), clients=found.seen[found.wrong[0]].asked.clients)
    return Finding(Fault.CROSSED, Confidence.CERTAIN, say("doctor_crossed.together"), share, say("doctor_crossed.mend"))


def _by_chance(found: _Sorted) -> Finding:
    """Answers that are wrong now and then: noise in every one, a replica that differs, or rare accidents."""
    texts = np.array([s.text for s in found.seen])
    counts = Counter(texts[found.wrong].tolist())
    asked = np.array([np.sum(texts == t) for t in range(len(found.own))])
    often = [t for t in counts if asked[t] >= 4]
    kinds = {t: len(set(found.group[texts == t].tolist())) for t in often}
    fresh = float(np.mean([kinds[t] / asked[t] for t in often])) if often else 0.0
    share = len(found.wrong) / len(found.seen)
    seen = say("doctor_rare.seen", wrong=len(found.wrong), answers=len(found.seen))
    if fresh > 0.5:
        return Finding(
            Fault.UNSTABLE, Confidence.CERTAIN, say("doctor_unstable.every"), seen, say("doctor_unstable.mend")
        )
    again = Counter((found.seen[i].text, int(found.group[i])) for i in found.wrong)
    is_owned = np.mean([_owner(found, i) is not None for i in found.wrong]) >= 0.5
    if not is_owned and (max(again.values()) > 1 or share >= _LIKE_A_REPLICA):
        one_in = max(2, round(1 / share))
        what = say("doctor_replicas.what", one_in=one_in)
        return Finding(Fault.REPLICAS, Confidence.CERTAIN, what, seen, say("doctor_replicas.mend"))
    what = say("doctor_rare.owned") if is_owned else say("doctor_rare.what")
    return Finding(Fault.RARE, Confidence.CERTAIN, what, seen, say("doctor_rare.mend"))


def _owner(found: _Sorted, place: int) -> int | None:
    """The other text whose own vector an answer is; None where it is none's."""
    near = found.own @ found.unit[place]
    near[found.seen[place].text] = -1.0
    best = int(near.argmax())
    return best if 1 - near[best] <= _SAME else None


def _out_of_order() -> Finding:
    return Finding(Fault.ORDER, Confidence.LIKELY, say("doctor_order.listed"), "data[].index", say("doctor_order.list"))
