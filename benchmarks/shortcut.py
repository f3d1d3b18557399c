"""How far zh-traps 1.0.0 can be answered without reading: from a stored result that holds e5-small and bm25.

    steelyard weigh e5-small bm25 --out results/shortcut.json
    python benchmarks/shortcut.py results/shortcut.json

The document of a group that shares most character pairs with the query is taken out of e5-small's ranking; of BM25 the
second hit is taken for the answer.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from steelyard.bench.evaluation.result import Result, SystemRecord, load
from steelyard.suites.registry import open_suite
from steelyard.suites.trapcheck import groups_of
from steelyard.suites.trapstats import overlap


def without_most_overlap(result: Result, system: SystemRecord) -> float:
    groups = {g.id: g for g in groups_of(open_suite("zh-traps"))}
    right = 0
    for query, hits in zip(result.queries, system.top, strict=True):
        group = groups[query.id]
        most = max(group.documents, key=lambda d: overlap(group.query, d.text)).id
        right += next((hit.id for hit in hits if hit.id != most), "") in query.relevant
    return right / len(result.queries)


def second_hit(result: Result, system: SystemRecord) -> float:
    pairs = zip(result.queries, system.top, strict=True)
    return sum(len(hits) > 1 and hits[1].id in q.relevant for q, hits in pairs) / len(result.queries)


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("result")
    result = load(parser.parse_args(arguments).result)
    for system in result.weighed:
        plain = sum(v or 0.0 for v in system.values["top1"]) / len(result.queries)
        first, second = without_most_overlap(result, system), second_hit(result, system)
        print(
            f"{system.name}: Top-1 {100 * plain:.1f}; without the document of most overlap {100 * first:.1f}; "
            f"second hit alone {100 * second:.1f}"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
