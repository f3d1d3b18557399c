"""Matrix products alone, in one process: ours in fp32 and int16, oneDNN's with weights laid out, OpenBLAS's.

    python benchmarks/engine/products.py --threads 1
    python benchmarks/engine/products.py --threads 2

Half a minute each. GFLOP/s of the fastest of many repeats, the layers of e5-small and BGE-M3 by how many tokens are
read at once; quantising of tokens is part of int16. With one thread its processor time is taken, which other work on
the machine disturbs less. OpenBLAS is numpy's, and gets as many threads.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # torch and numpy read how many threads they get when they are imported
    from torch import Tensor

SHAPES = ((1152, 384), (384, 384), (1536, 384), (384, 1536), (3072, 1024), (1024, 1024), (4096, 1024), (1024, 4096))
TOKENS = (12, 48, 128, 512, 2048)
WORK = 2e9
"""Operations for each cell of the table, three repeats at the least."""


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--threads", type=int, default=1)
    threads = parser.parse_args().threads
    os.environ["OPENBLAS_NUM_THREADS"] = str(threads)  # read when numpy is imported
    import torch

    torch.set_num_threads(threads)
    clock = time.thread_time if threads == 1 else time.perf_counter
    print("| outputs, inputs | tokens | fp32 | int16 | oneDNN | OpenBLAS |\n|---|---|---|---|---|---|")
    for outputs, inputs in SHAPES:
        weight, bias = torch.randn(outputs, inputs), torch.randn(outputs)
        for tokens in TOKENS:
            found = _fastest(_ways(weight, bias, torch.randn(tokens, inputs)), 2 * tokens * weight.numel(), clock)
            print(
                f"| {outputs}, {inputs} | {tokens} | " + " | ".join(f"{speed:.0f}" for speed in found) + " |",
                flush=True,
            )


def _ways(weight: Tensor, bias: Tensor, x: Tensor) -> list[Callable[[], object]]:
    import numpy as np
    import torch

    from steelyard.engines.torch.fp32 import Fp32Linear
    from steelyard.engines.torch.int16 import Int16Linear
    from steelyard.engines.torch.linear import PackedLinear

    layers = [Fp32Linear(weight, bias), Int16Linear(weight, bias), PackedLinear(weight, bias, torch.float32)]
    left, right = x.numpy(), weight.numpy().T
    out = np.empty((len(left), right.shape[1]), dtype=np.float32)
    return [*((lambda layer=layer: layer(x)) for layer in layers), lambda: np.matmul(left, right, out=out)]


def _fastest(ways: list[Callable[[], object]], work: int, clock: Callable[[], float]) -> list[float]:
    """GFLOP/s of each way, one after the other: the threads of one spin for a while when the next has begun."""
    least = []
    for way in ways:
        times = []
        for _ in range(max(6, min(100, int(WORK / work)))):
            begun = clock()
            way()
            times.append(clock() - begun)
        least.append(min(times[3:]))
    return [work / seconds / 1e9 for seconds in least]


if __name__ == "__main__":
    main()
