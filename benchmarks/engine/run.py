"""Tokens a second of the packed engine beside its peers, by turns in one process, so that noise meets all alike.

    python benchmarks/engine/run.py e5-small qwen3-0.6b bge-m3 --rounds 5 --folder /tmp/engine

Prints for each model the medians, the ratio to ours as the median over rounds of paired ratios, the smallest cosine to
fp32, also with the mean taken out, the useful arithmetic as a share of the measured GEMM peak, and with ``--profile``
where our time goes.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import peers
import shapes
import torch
import workload

from steelyard.engines.torch.check import agreement
from steelyard.engines.torch.encoder import TorchEncoder
from steelyard.engines.torch.precision import Precision, processor_flags, this_machine
from steelyard.models.recipe import Recipe
from steelyard.types import Role

COUNTS = {"e5-small": 96, "bge-m3": 12, "qwen3-0.6b": 12}
PEERS: dict[str, Callable[[Recipe], peers.Encode]] = {
    "steelyard fp32": partial(peers.steelyard, precision=Precision.FP32),
    "steelyard bf16": partial(peers.steelyard, precision=Precision.BF16),
    "steelyard int8": partial(peers.steelyard, precision=Precision.INT8),
    "steelyard openvino int8": peers.steelyard_openvino,
    "sentence-transformers fp32": partial(peers.sentence_transformers, dtype=torch.float32),
    "sentence-transformers bf16": partial(peers.sentence_transformers, dtype=torch.bfloat16),
    "onnxruntime int8": peers.onnxruntime_int8,
    "openvino int8": peers.openvino_int8,
    "openvino w8a8": peers.openvino_w8a8,
}


def gemm_peak() -> float:
    """GFLOP/s of the largest fp32 product that the engine makes, prepacked."""
    x, weight = torch.randn(2048, 1024), torch.randn(4096, 1024)
    packed = torch.ops.mkldnn._reorder_linear_weight(weight)
    best = min(timed(lambda: torch.ops.mkldnn._linear_pointwise(x, packed, None, "none", [], "")) for _ in range(7))
    return 2 * 2048 * 1024 * 4096 / best / 1e9


def timed(function: Callable[[], object]) -> float:
    """Seconds; of the processor with one thread, so that what else the machine does counts less, else of the wall."""
    clock = time.process_time if torch.get_num_threads() == 1 else time.perf_counter
    start = clock()
    function()
    return clock() - start


def measure(name: str, wanted: list[str], rounds: int, folder: Path, count: int, profile: bool) -> None:
    recipe = shapes.write(name, folder / name)
    texts = workload.texts(count or COUNTS[name])
    counter = TorchEncoder(recipe)
    tokens = sum(counter.count_tokens(texts, Role.DOCUMENT))
    work = 2 * (recipe.parameters - (recipe.lookup_parameters or 0)) * tokens
    print(f"\n{name}: {len(texts)} texts, {tokens} tokens")
    running = {}
    for peer in wanted:
        try:
            running[peer] = PEERS[peer](recipe)
        except Exception as wrong:  # noqa: BLE001 - a peer that cannot be had is named, not fatal
            print(f"  {peer}: not measured ({type(wrong).__name__}: {str(wrong)[:120]})")
    exact = running["steelyard fp32"](texts)
    near = {p: agreement(exact, encode(texts)) for p, encode in running.items()}
    times: dict[str, list[float]] = {p: [] for p in running}
    peaks = []
    for round_ in range(rounds):
        peaks.append(gemm_peak())
        for peer, encode in sorted(running.items(), key=lambda _: (round_ * 7919 + 13) % len(running)):
            times[peer].append(timed(partial(encode, texts)))
    peak = statistics.median(peaks)
    print(f"  GEMM peak fp32 {peak:.0f} GFLOP/s ({min(peaks):.0f}-{max(peaks):.0f} over the rounds)")
    base = times["steelyard fp32"]
    for peer, took in times.items():
        ratio = statistics.median(t / b for t, b in zip(took, base, strict=True))
        middle = statistics.median(took)
        print(
            f"  {peer:28} {tokens / middle:8.0f} tokens/s  takes {ratio:5.2f} x our fp32  "
            f"cosine >= {near[peer].cosine:.5f} ({near[peer].centred:.5f} centred)  "
            f"{work / middle / 1e9 / peak:4.0%} of the peak"
        )
    if profile:
        with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profiler:
            running["steelyard fp32"](texts)
        print(profiler.key_averages().table(sort_by="self_cpu_time_total", row_limit=10, max_name_column_width=48))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("models", nargs="+", choices=list(COUNTS))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--count", type=int, default=0, help="texts; 0 for as many as suit the model")
    parser.add_argument("--folder", type=Path, default=Path("/tmp/steelyard-engine"))
    parser.add_argument("--peers", nargs="+", default=list(PEERS), choices=list(PEERS))
    parser.add_argument("--profile", action="store_true")
    asked = parser.parse_args()
    machine = this_machine()
    print(f"{torch.get_num_threads()} threads, torch {torch.__version__}, bf16 in hardware: {machine.fast_bf16}")
    print("vnni" if any("vnni" in f for f in processor_flags()) else "no vnni")
    for name in asked.models:
        measure(name, asked.peers, asked.rounds, asked.folder, asked.count, asked.profile)


if __name__ == "__main__":
    main()
