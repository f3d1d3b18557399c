"""Texts laid end to end in one row of tokens, without padding.

Shapes: ``n`` texts, ``t`` tokens of all of them together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

import torch
from torch import Tensor

from steelyard.engines.plan import Run, runs


@dataclass(frozen=True, slots=True)
class Pack:
    """A batch as the trunks read it.

    Attributes:
        ids: int64[t], token ids.
        positions: int64[t], place of each token in its own text, counted from ``offset``.
        firsts: int64[n], where each text starts.
        lasts: int64[n], where the last token of each text stands.
        runs: neighbours of equal length.
    """

    ids: Tensor
    positions: Tensor
    firsts: Tensor
    lasts: Tensor
    runs: tuple[Run, ...]

    @property
    def lengths(self) -> list[int]:
        """Tokens of each text."""
        return [run.length for run in self.runs for _ in range(run.count)]


def pack(rows: Sequence[Sequence[int]], offset: int = 0, device: str = "cpu") -> Pack:
    """Lays token ids end to end.

    Args:
        rows: for each text its ids, one at least; equal lengths side by side run faster.
        offset: position of the first token of each, where a shared prefix stands before it.
        device: where the tensors go.
    """
    lengths = [len(row) for row in rows]
    ends = torch.tensor(list(accumulate(lengths)), dtype=torch.int64)
    firsts = ends - torch.tensor(lengths, dtype=torch.int64)
    ids = torch.tensor([i for row in rows for i in row], dtype=torch.int64)
    positions = torch.arange(len(ids)) - torch.repeat_interleave(firsts, torch.tensor(lengths)) + offset
    return Pack(ids.to(device), positions.to(device), firsts.to(device), (ends - 1).to(device), tuple(runs(lengths)))


def filler(rows: Sequence[Sequence[int]]) -> list[list[int]]:
    """Rows of nothing that bring the tokens of a pack to a round number, none longer than the longest of ``rows``.

    oneDNN makes and keeps a kernel for every number of rows that it meets (about 2 ms and 0.5 MB for each shape of
    weight), so a server that reads texts as they come would grow for hours. Round numbers are few: one in 16 of what
    they stand for, so 3 % is computed in vain on average.
    """
    tokens = sum(map(len, rows))
    step = max(4, 1 << max(tokens.bit_length() - 5, 0))
    missing, longest = -tokens % step, max(map(len, rows), default=1)
    token = next((row[0] for row in rows if row), 0)
    return [[token] * min(longest, missing - start) for start in range(0, missing, longest)]
