"""Attention over packed texts by one call of loops of our own.

Torch's is called for every run of equal lengths, and is far from what the processor can do where they are short.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache, lru_cache

import torch
from torch import Tensor

from steelyard.engines.plan import Run
from steelyard.engines.torch.attention import Attend, KeyValue, attend
from steelyard.engines.torch.kernels.attention import STEP, AttentionCode
from steelyard.engines.torch.kernels.compiled import Compiled, expect_kernels
from steelyard.engines.torch.kernels.ir import PANEL, TALL
from steelyard.engines.torch.precision import Machine
from steelyard.errors import SteelyardError

_LEAST = 48
"""Rows of a block at least, because every block packs its keys anew."""


def best_attention(machine: Machine, device: str = "cpu", *, narrow: bool = False) -> Attend:
    """Our own where it can be had, which then begins to be compiled beside whatever follows; else torch's.

    Args:
        machine: where it is to run.
        device: whose states are attended to.
        narrow: whether they are bfloat16.
    """
    if device != "cpu":
        return attend
    try:
        expect_kernels(machine.flags)
    except SteelyardError:
        return attend
    _compiled(narrow)
    return fused_attend


def fused_attend(
    query: Tensor, key: Tensor, value: Tensor, runs: Sequence[Run], *, causal: bool, prefix: KeyValue | None = None
) -> Tensor:
    """As :func:`steelyard.engines.torch.attention.attend`, to 1e-6; waits until it is compiled.

    A text gives the same bits whatever it is packed with. Scores and sums are float32, also where states are
    bfloat16. What is neither, or on another device, or has heads of another size than a multiple of eight, is left
    to torch.

    Raises:
        MissingExtraError: llvmlite is not installed.
        EngineError: the processor or the system is another one.
    """
    if not _covered(query, key, value):
        return attend(query, key, value, runs, causal=causal, prefix=prefix)
    (rows, heads, d), key_heads, threads = query.shape, key.shape[1], torch.get_num_threads()
    single = rows < len(key)
    blocks, longest = _blocks(tuple(runs), single=single, causal=causal, workers=-(-4 * threads // key_heads))
    before = len(prefix) if prefix else 0
    longest = -(-(before + longest) // PANEL) * PANEL
    scratch = torch.empty(threads * (longest * (d + -(-d // PANEL) * PANEL + TALL) + TALL * d))
    out = torch.empty(rows, heads * d, dtype=query.dtype)
    tensors = [_side_by_side(x) for x in (query, key, value)]
    tensors += [_side_by_side(x) for x in (prefix.key, prefix.value)] if prefix else tensors[1:]
    addresses = [x.data_ptr() for x in (*tensors, blocks, scratch, out)]
    strides = [x.stride(0) for x in (*tensors, out)]
    counts = (before, len(blocks) * key_heads, key_heads, heads // key_heads, d, int(causal and not single))
    _compiled(query.dtype == torch.bfloat16).result().run("attend", *addresses, *strides, *counts, longest, 0)
    return out


def _covered(query: Tensor, key: Tensor, value: Tensor) -> bool:
    kinds = query.dtype == key.dtype == value.dtype
    return kinds and query.dtype in (torch.float32, torch.bfloat16) and query.is_cpu and query.shape[2] % STEP == 0


def _side_by_side(x: Tensor) -> Tensor:
    """The same with the heads of a row one behind the other."""
    return x if x.stride(2) == 1 and x.stride(1) == x.shape[2] else x.contiguous()


@lru_cache(maxsize=32)
def _blocks(runs: tuple[Run, ...], *, single: bool, causal: bool, workers: int) -> tuple[Tensor, int]:
    """int64[blocks, 4]: rows of each text, cut so that none is much more than a worker's share; the longest text."""
    found = []
    total = sum(run.count * run.length**2 for run in runs)
    for run in runs:
        rows = 1 if single else run.length
        parts = -(-workers * run.length**2 // total) if workers > 1 else 1
        size = max(-(-rows // (parts * TALL)) * TALL, _LEAST)
        for i in range(run.count):
            start = run.start + i * run.length
            first = run.first + i if single else start
            for at in range(0, rows, size):
                seen = at + 1 if causal and not single else run.length
                found.append((first + at, min(size, rows - at), start, seen))
    return torch.tensor(found), max(run.length for run in runs)


@cache
def _compiled(narrow: bool) -> Future[Compiled]:
    """In a thread of its own: the 0.2 seconds that it takes pass while weights are read."""
    pool = ThreadPoolExecutor(1, "steelyard-compile")
    found = pool.submit(lambda: Compiled(AttentionCode(narrow=narrow)))
    pool.shutdown(wait=False)
    return found
