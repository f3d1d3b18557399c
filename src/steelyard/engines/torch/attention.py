"""Attention over packed texts: one call for every run of equal lengths, so that no token attends to padding.

Shapes: ``t`` tokens of a pack, ``q`` query heads, ``k`` key heads (q is a multiple of k), ``d`` size of a head,
``p`` tokens of a shared prefix, ``g`` texts of a run, ``l`` tokens of each of them, ``r`` query rows of each of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor
from torch.nn.functional import pad, scaled_dot_product_attention

from steelyard.engines.plan import Run

_LARGEST_MASK = 1 << 20


@dataclass(frozen=True, slots=True)
class KeyValue:
    """Keys and values of one layer for a prefix that all texts of a pack share: [p, k, d] each."""

    key: Tensor
    value: Tensor

    def __len__(self) -> int:
        return len(self.key)

    def cut(self, tokens: int) -> KeyValue:
        """Those of the first tokens; causal states do not depend on what follows them."""
        return KeyValue(self.key[:tokens], self.value[:tokens])


class Attend(Protocol):
    """A way of computing what :func:`attend` does."""

    def __call__(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        runs: Sequence[Run],
        *,
        causal: bool,
        prefix: KeyValue | None = None,
    ) -> Tensor:
        """[t, q * d] or [n, q * d], as ``query`` has it."""


def attend(
    query: Tensor, key: Tensor, value: Tensor, runs: Sequence[Run], *, causal: bool, prefix: KeyValue | None = None
) -> Tensor:
    """Each text attends to itself, and to the prefix where there is one.

    Args:
        query: [t, q, d], or [n, q, d] with the one row of each text that is wanted; that row then sees the whole
            text, so under ``causal`` it must be the last one.
        key: [t, k, d].
        value: [t, k, d].
        runs: how the pack is laid out.
        causal: whether a token sees only what stands before it.
        prefix: keys and values that stand before every text.

    Returns:
        [t, q * d] or [n, q * d], as ``query`` has it.
    """
    single = len(query) < len(key)
    done: list[Tensor] = []
    for run in runs:
        rows = slice(run.first, run.first + run.count) if single else slice(run.start, run.stop)
        heads = query[rows].unflatten(0, (run.count, -1)).transpose(1, 2)  # [g, q, r, d]
        keys = _with_prefix(key[run.start : run.stop], run, prefix.key if prefix else None)
        values = _with_prefix(value[run.start : run.stop], run, prefix.value if prefix else None)
        done.append(_attend_run(heads, keys, values, causal=causal).transpose(1, 2).flatten(0, 1).flatten(1))
    return done[0] if len(done) == 1 else torch.cat(done)


def _with_prefix(own: Tensor, run: Run, shared: Tensor | None) -> Tensor:
    """[g, k, p + l, d] from own [g * l, k, d] and shared [p, k, d]."""
    rows: Tensor = own.unflatten(0, (run.count, run.length))
    if shared is not None:
        rows = torch.cat([shared.expand(run.count, -1, -1, -1), rows], dim=1)
    return rows.transpose(1, 2)


def _attend_run(query: Tensor, key: Tensor, value: Tensor, *, causal: bool) -> Tensor:
    rows, columns = query.shape[2], key.shape[2]
    grouped = query.shape[1] != key.shape[1]
    if not causal or rows == 1:
        return scaled_dot_product_attention(query, key, value, enable_gqa=grouped)
    if rows == columns:
        return scaled_dot_product_attention(query, key, value, is_causal=True, enable_gqa=grouped)
    if rows * columns > _LARGEST_MASK:
        square = pad(query, (0, 0, columns - rows, 0))  # rows of zeros for the prefix: cheaper than a mask of that size
        return scaled_dot_product_attention(square, key, value, is_causal=True, enable_gqa=grouped)[:, :, -rows:]
    seen = torch.ones(rows, columns, dtype=torch.bool, device=query.device).tril(columns - rows)
    return scaled_dot_product_attention(query, key, value, attn_mask=seen, enable_gqa=grouped)
