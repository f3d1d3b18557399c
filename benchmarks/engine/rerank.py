"""Fifty documents of about 72 tokens under one query: ours against the way of the published reference sample.

    python benchmarks/engine/rerank.py --rounds 3 --minutes 6 --folder /tmp/steelyard-engine

The reference pads all fifty to one batch, runs the whole prompt of each, and takes the logits of the last position. No
round is begun later than ``--minutes`` after loading (about two minutes a round on two cores of AVX2); whole prompts
of ours, which say what sharing the prefix alone brings, are run in the first round only. Progress goes to stderr, a
Markdown table to stdout. With one thread times are of the processor, else of the wall.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import shapes
import torch
import workload

from steelyard.engines.plan import common_prefix
from steelyard.engines.torch.config import TorchConfig
from steelyard.engines.torch.precision import Precision
from steelyard.engines.torch.rerank import TorchReranker
from steelyard.models.recipe import Recipe
from steelyard.types import Scores

QUERY = "市集上用来称货的老式秤叫什么，怎样使用，又有哪些讲究？请说明秤杆、秤砣与秤星各自的作用，并举例说明称量的步骤。"

Score = Callable[[list[str]], Scores]


def reference(recipe: Recipe, ours: TorchReranker) -> Score:
    from transformers import AutoModelForCausalLM

    model: Any = AutoModelForCausalLM.from_pretrained(str(recipe.sources.folder), dtype=torch.float32)
    model.eval()

    def score(documents: list[str]) -> Scores:
        rows = ours.token_ids(QUERY, documents)
        longest = max(map(len, rows))
        ids = torch.tensor([[151643] * (longest - len(r)) + r for r in rows])
        mask = torch.tensor([[0] * (longest - len(r)) + [1] * len(r) for r in rows])
        with torch.inference_mode():
            logits = model(input_ids=ids, attention_mask=mask).logits[:, -1, :]
        pair = torch.stack([logits[:, recipe.no_id], logits[:, recipe.yes_id]], dim=1)
        found: Scores = torch.log_softmax(pair, dim=1)[:, 1].exp().numpy()
        return found

    return score


WAYS = {
    "steelyard int16": (Precision.INT16, True),
    "steelyard fp32": (Precision.FP32, True),
    "steelyard int16, whole prompts": (Precision.INT16, False),
}
"""Whether the prefix is shared."""
REFERENCE = "reference sample"


def loaded(recipe: Recipe, documents: list[str]) -> dict[str, Score]:
    found: dict[str, Score] = {}
    for way, (precision, share) in WAYS.items():
        say(f"loading {way}")
        ours = TorchReranker(recipe, TorchConfig(precision, share_prefixes=share))
        for start in (0, 2):  # twice, so that what is laid out at the second call is done before anything is timed
            ours.score(QUERY, documents[start : start + 2])
        found[way] = partial(ours.score, QUERY)
    rows = ours.token_ids(QUERY, documents)
    print(f"{len(rows)} prompts of {min(map(len, rows))}-{max(map(len, rows))} tokens, ", end="")
    print(f"the first {common_prefix(rows)} the same; {torch.get_num_threads()} threads\n")
    return found | {REFERENCE: reference(recipe, ours)}


def measure(ways: dict[str, Score], documents: list[str], rounds: int, minutes: float) -> None:
    clock = time.process_time if torch.get_num_threads() == 1 else time.perf_counter
    times: dict[str, list[float]] = {way: [] for way in ways}
    found: dict[str, Scores] = {}
    last = time.monotonic() + 60 * minutes
    for turn in range(rounds):
        if turn and time.monotonic() > last:
            break
        for way, score in ways.items():
            if turn and "whole" in way:
                continue
            start = clock()
            found[way] = score(documents)
            times[way].append(clock() - start)
            say(f"round {turn + 1}: {way} {times[way][-1]:.2f} s")
    print("| | seconds | reference sample takes | probabilities apart from it |\n|---|---|---|---|")
    for way, took in times.items():
        ratio = statistics.median(b / t for t, b in zip(took, times[REFERENCE], strict=False))
        apart = float(np.abs(found[way] - found[REFERENCE]).max())
        print(f"| {way} | {statistics.median(took):.2f} | {ratio:.2f} x | {apart:.1e} |")


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--minutes", type=float, default=6)
    parser.add_argument("--documents", type=int, default=50)
    parser.add_argument("--folder", type=Path, default=Path("/tmp/steelyard-engine"))
    asked = parser.parse_args()
    recipe = shapes.write("qwen3-reranker-0.6b", asked.folder / "qwen3-reranker-0.6b")
    documents = workload.documents(asked.documents)
    measure(loaded(recipe, documents), documents, asked.rounds, asked.minutes)


if __name__ == "__main__":
    main()
