"""Fifty documents of about 72 tokens under one query: ours against the way of the published reference sample.

    python benchmarks/engine/rerank.py --rounds 3 --folder /tmp/steelyard-engine

The reference pads all fifty to one batch, runs the whole prompt of each, and takes the logits of the last position.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import shapes
import torch
import workload

from steelyard.engines.torch.config import TorchConfig
from steelyard.engines.torch.precision import Precision
from steelyard.engines.torch.rerank import TorchReranker
from steelyard.models.recipe import Recipe
from steelyard.types import Scores

QUERY = "市集上用来称货的老式秤叫什么，怎样使用，又有哪些讲究？请说明秤杆、秤砣与秤星各自的作用，并举例说明称量的步骤。"


def reference(recipe: Recipe, ours: TorchReranker) -> Callable[[list[str]], Scores]:
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(recipe.sources.folder, dtype=torch.float32).eval()

    def score(documents: list[str]) -> Scores:
        rows = ours.token_ids(QUERY, documents)
        longest = max(map(len, rows))
        ids = torch.tensor([[151643] * (longest - len(r)) + r for r in rows])
        mask = torch.tensor([[0] * (longest - len(r)) + [1] * len(r) for r in rows])
        with torch.no_grad():
            logits = model(input_ids=ids, attention_mask=mask).logits[:, -1, :]
        pair = torch.stack([logits[:, recipe.no_id], logits[:, recipe.yes_id]], dim=1)
        found: Scores = torch.log_softmax(pair, dim=1)[:, 1].exp().numpy()
        return found

    return score


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--documents", type=int, default=50)
    parser.add_argument("--folder", type=Path, default=Path("/tmp/steelyard-engine"))
    asked = parser.parse_args()
    recipe = shapes.write("qwen3-reranker-0.6b", asked.folder / "qwen3-reranker-0.6b")
    documents = workload.documents(asked.documents)
    ours = TorchReranker(recipe, TorchConfig(Precision.FP32))
    whole = TorchReranker(recipe, TorchConfig(Precision.FP32, share_prefixes=False))
    rows = ours.token_ids(QUERY, documents)
    print(f"{len(rows)} prompts of {min(map(len, rows))}-{max(map(len, rows))} tokens")
    ways = {
        "shared prefix": lambda: ours.score(QUERY, documents),
        "whole prompts": lambda: whole.score(QUERY, documents),
        "reference sample": lambda: theirs(documents),
    }
    theirs = reference(recipe, ours)
    times: dict[str, list[float]] = {w: [] for w in ways}
    found: dict[str, Scores] = {}
    ours.score(QUERY, documents[:2])
    whole.score(QUERY, documents[:2])
    clock = time.process_time if torch.get_num_threads() == 1 else time.perf_counter
    for _ in range(asked.rounds):
        for way, run in ways.items():
            start = clock()
            found[way] = run()
            times[way].append(clock() - start)
    for way, took in times.items():
        ratio = statistics.median(t / b for t, b in zip(took, times["shared prefix"], strict=True))
        apart = float(np.abs(found[way] - found["reference sample"]).max())
        print(f"  {way:18} {statistics.median(took):7.2f} s  {ratio:5.2f} x  at most {apart:.1e} from the reference")


if __name__ == "__main__":
    main()
