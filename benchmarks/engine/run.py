"""Tokens a second of the packed engine beside its peers, by turns in one process, so that noise meets all alike.

    python benchmarks/engine/run.py e5-small qwen3-0.6b bge-m3 --rounds 5 --folder /tmp/steelyard-engine

No round is begun later than ``--minutes`` (6) after a model's peers are loaded; what peers need once, such as an ONNX
export, comes before and is kept in the folder. A peer that takes over six times our fp32 is timed once. Progress goes
to stderr, a Markdown table to stdout: median tokens a second, the ratio to our fp32 as the median over rounds of paired
ratios, the smallest cosine and centred cosine to our fp32, and the useful arithmetic as a share of
what matrix products of that kind reach alone in the same run. ``--profile`` adds where the time of our fp32 and int16
goes. With one thread (``OMP_NUM_THREADS=1``) times are of the processor, else of the wall.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import peers
import shapes
import torch
import workload

from steelyard.bench.evaluation.environment import read_environment
from steelyard.engines.agreement import Agreement, agreement
from steelyard.engines.torch.encoder import TorchEncoder
from steelyard.engines.torch.linear import maker
from steelyard.engines.torch.precision import Precision, processor_flags, this_machine
from steelyard.models.recipe import Recipe
from steelyard.types import Role

COUNTS = {"e5-small": 96, "bge-m3": 12, "qwen3-0.6b": 12}
PEERS: dict[str, Callable[[Recipe], peers.Encode]] = {
    "steelyard fp32": partial(peers.steelyard, precision=Precision.FP32),
    "steelyard bf16": partial(peers.steelyard, precision=Precision.BF16),
    "steelyard int16": partial(peers.steelyard, precision=Precision.INT16),
    "steelyard int8": partial(peers.steelyard, precision=Precision.INT8),
    "steelyard openvino int8": peers.steelyard_openvino,
    "sentence-transformers fp32": partial(peers.sentence_transformers, dtype=torch.float32),
    "sentence-transformers bf16": partial(peers.sentence_transformers, dtype=torch.bfloat16),
    "onnxruntime int8": peers.onnxruntime_int8,
    "openvino int8": peers.openvino_int8,
    "openvino w8a8": peers.openvino_w8a8,
}


KINDS = {
    "steelyard bf16": Precision.BF16,
    "sentence-transformers bf16": Precision.BF16,
    "steelyard int16": Precision.INT16,
    "steelyard int8": Precision.INT8,
    "onnxruntime int8": Precision.INT8,
    "openvino w8a8": Precision.INT8,
}
"""In what products are made; fp32 where nothing is said."""
OURS = "steelyard fp32"
SLOW = 6
_APART = 0.2


@dataclass
class Measured:
    """What was found of one model: seconds of each peer and GFLOP/s of bare products, a number a round."""

    near: dict[str, Agreement]
    times: dict[str, list[float]] = field(default_factory=dict)
    peaks: dict[Precision, list[float]] = field(default_factory=dict)


def products(kind: Precision) -> Callable[[], float]:
    """Measures GFLOP/s of a large matrix product of the engine: 1,024 tokens, 1,024 inputs, 4,096 outputs."""
    make = maker(kind, this_machine())
    x, layer = torch.randn(1024, 1024).to(make.dtype), make(torch.randn(4096, 1024), None)
    layer(x)
    layer(x)
    return lambda: 2 * 1024 * 1024 * 4096 / min(timed(lambda: layer(x)) for _ in range(5)) / 1e9


def timed(function: Callable[[], object]) -> float:
    """Seconds; of the processor with one thread, so that what else the machine does counts less, else of the wall."""
    clock = time.process_time if torch.get_num_threads() == 1 else time.perf_counter
    start = clock()
    function()
    return clock() - start


def load(recipe: Recipe, wanted: list[str], texts: list[str]) -> tuple[dict[str, peers.Encode], Measured]:
    running, found = {}, {}
    for peer in dict.fromkeys([OURS, *wanted]):
        say(f"  {peer}")
        try:
            running[peer] = PEERS[peer](recipe)
            running[peer](
                texts[:1]
            )  # once, so that what is laid out at the second call is done before anything is timed
            found[peer] = running[peer](texts)
        except Exception as wrong:  # noqa: BLE001 - a peer that cannot be had is named, not fatal
            running.pop(peer, None)
            print(f"{peer}: not measured ({type(wrong).__name__}: {str(wrong)[:120]})")
    return running, Measured({peer: agreement(found[OURS], vectors) for peer, vectors in found.items()})


def measure(running: dict[str, peers.Encode], texts: list[str], into: Measured, rounds: int, minutes: float) -> None:
    kinds = {kind: products(kind) for kind in {KINDS.get(peer, Precision.FP32) for peer in running}}
    last, names = time.monotonic() + 60 * minutes, list(running)
    for turn in range(rounds):
        if turn and time.monotonic() > last:
            say(f"  stopped after {turn} rounds: {minutes} minutes are over")
            return
        for kind, reached in kinds.items():
            into.peaks.setdefault(kind, []).append(reached())
        for peer in names[turn % len(names) :] + names[: turn % len(names)]:
            before = into.times.setdefault(peer, [])
            if turn and before[0] > SLOW * into.times[OURS][0]:
                continue
            before.append(timed(partial(running[peer], texts)))
            say(f"  round {turn + 1} of {rounds}: {peer} {before[-1]:.2f} s")


def table(found: Measured, tokens: int, work: float) -> None:
    peaks = {kind: statistics.median(seen) for kind, seen in found.peaks.items()}
    print("bare products, GFLOP/s: " + ", ".join(f"{k} {v:.0f}" for k, v in peaks.items()) + "\n")
    print(
        "| | tokens/s | seconds, least-most | time, torch-fp32 = 1 | cosine | centred | share of its product |\n"
        "|---|---|---|---|---|---|---|"
    )
    for peer, took in found.times.items():
        kind, middle, near = KINDS.get(peer, Precision.FP32), statistics.median(took), found.near[peer]
        ratio = statistics.median(t / b for t, b in zip(took, found.times[OURS], strict=False))
        print(
            f"| {peer} | {tokens / middle:,.0f} | {min(took):.2f}-{max(took):.2f} | {ratio:.2f} "
            f"| {near.cosine:.5f} | {near.centred:.5f} "
            f"| {work / middle / 1e9 / peaks[kind]:.0%} of {kind} |"
        )
    odd = [peer for peer, took in found.times.items() if max(took) > (1 + _APART) * min(took)]
    if odd:
        print(f"\nRounds disagree by more than {_APART:.0%}: {', '.join(odd)}. Something else ran; measure again.")


def profile(encode: peers.Encode, texts: list[str]) -> None:
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profiler:
        seconds = timed(partial(encode, texts))
    print(f"\n{seconds:.2f} s; the int16 products are none of torch's operators and so not in the table:")
    print(profiler.key_averages().table(sort_by="self_cpu_time_total", row_limit=8, max_name_column_width=48))


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def run(name: str, asked: argparse.Namespace) -> None:
    recipe = shapes.write(name, asked.folder / name)
    texts = workload.texts(asked.count or COUNTS[name])
    tokens = sum(TorchEncoder(recipe).count_tokens(texts, Role.DOCUMENT))
    say(name)
    print(f"\n### {name}: {len(texts)} texts, {tokens} tokens\n")
    running, found = load(recipe, asked.peers, texts)
    measure(running, texts, found, asked.rounds, asked.minutes)
    table(found, tokens, 2 * (recipe.parameters - (recipe.lookup_parameters or 0)) * tokens)
    for peer in ("steelyard fp32", "steelyard int16") if asked.profile else ():
        if peer in running:
            profile(running[peer], texts)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("models", nargs="+", choices=list(COUNTS))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--minutes", type=float, default=6)
    parser.add_argument("--count", type=int, default=0, help="texts; 0 for as many as suit the model")
    parser.add_argument("--folder", type=Path, default=Path("/tmp/steelyard-engine"))
    parser.add_argument("--peers", nargs="+", default=list(PEERS), choices=list(PEERS))
    parser.add_argument("--profile", action="store_true")
    asked = parser.parse_args()
    machine = this_machine()
    vnni = "vnni" if any("vnni" in flag for flag in processor_flags()) else "no vnni"
    print(
        f"{read_environment().processor}, {torch.get_num_threads()} threads, torch {torch.__version__}, "
        f"bf16 in hardware: {machine.fast_bf16}, {vnni}"
    )
    for name in asked.models:
        run(name, asked)


if __name__ == "__main__":
    main()
