"""What measuring costs over ir-measures alone: 1,000 queries x 1,000 hits, paired, ratio of medians.

Run: python benchmarks/ranking_cost.py [pairs]
ir-measures is given dicts that were made beforehand; Steelyard starts from its own rankings.
"""

from __future__ import annotations

import argparse
import gc
import statistics
import sys
import time
from collections.abc import Callable

import ir_measures
import numpy as np
from ir_measures import AP, RR, R, Success, nDCG

from steelyard.measures.ranking import evaluate
from steelyard.types import Ranking, ranked_arrays

QUERIES, HITS, COLLECTION, JUDGED = 1_000, 1_000, 20_000, 40
NAMES = ("top1", "hit@3", "hit@5", "recall@10", "mrr", "ndcg@10", "map")
SAME = (Success @ 1, Success @ 3, Success @ 5, R @ 10, RR, nDCG @ 10, AP)


def make() -> tuple[dict[str, dict[str, int]], list[Ranking]]:
    """Seeded judgements and rankings; half of the judged documents are among the hits, anywhere in them."""
    rng = np.random.default_rng(7)
    ids = [f"doc-{i:05d}" for i in range(COLLECTION)]
    judgements, rankings = {}, []
    for q in range(QUERIES):
        hits = rng.choice(COLLECTION, HITS, replace=False)
        judged = np.concatenate([rng.choice(hits, JUDGED // 2, replace=False), rng.choice(COLLECTION, JUDGED // 2)])
        judgements[f"q{q}"] = {ids[i]: int(rng.integers(0, 3)) for i in judged}
        rankings.append(ranked_arrays(f"q{q}", [ids[i] for i in hits], rng.random(HITS, dtype=np.float32)))
    return judgements, rankings


def seconds(work: Callable[[], object]) -> float:
    """Wall time of one call, with the collector out of the way."""
    gc.collect()
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def main() -> None:
    """Prints the medians and their ratio; ends with 1 when the ratio is above 1.2."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pairs", type=int, nargs="?", default=15)
    pairs = parser.parse_args().pairs
    judgements, rankings = make()
    run = {r.query_id: dict(zip(r.document_ids, r.scores.tolist(), strict=True)) for r in rankings}
    reference = [lambda: ir_measures.pytrec_eval.calc(SAME, judgements, run)]
    ours = [lambda: evaluate(judgements, rankings, NAMES)]
    reference[0](), ours[0]()
    times = [(seconds(ours[0]), seconds(reference[0])) for _ in range(pairs)]
    mine, theirs = (statistics.median(column) for column in zip(*times, strict=True))
    ratio = mine / theirs
    print(f"steelyard {mine:.3f} s, ir-measures alone {theirs:.3f} s, ratio of medians {ratio:.3f} ({pairs} pairs)")
    sys.exit(ratio > 1.2)


if __name__ == "__main__":
    main()
