"""A loaded checkpoint: rows of token ids in, pooled vectors or states of every token out.

Shapes: ``n`` texts, ``t`` tokens of a text, ``h`` hidden.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from threading import Lock

import numpy as np
import torch
from torch import Tensor

from steelyard.engines.checkpoint.shape import read_shape
from steelyard.engines.checkpoint.tokenizer import Ids
from steelyard.engines.plan import plan
from steelyard.engines.torch.attention import KeyValue
from steelyard.engines.torch.bert import Bert
from steelyard.engines.torch.config import TorchConfig
from steelyard.engines.torch.fused_attention import best_attention
from steelyard.engines.torch.fused_rows import best_rows
from steelyard.engines.torch.gte import Gte
from steelyard.engines.torch.layer_factory import LayerFactory
from steelyard.engines.torch.layers import Trunk
from steelyard.engines.torch.linear import maker
from steelyard.engines.torch.pack import Pack, filler, pack
from steelyard.engines.torch.precision import Precision, this_machine
from steelyard.engines.torch.qwen3 import Qwen3
from steelyard.engines.torch.weights import Checkpoint
from steelyard.models.recipe import Pooling
from steelyard.types import Vectors

Prefix = list[KeyValue]
_PREFIXES = 8
_TRUNKS: dict[str, Callable[[LayerFactory], Trunk]] = {"bert": Bert, "xlm-roberta": Bert, "new": Gte, "qwen3": Qwen3}


class Runner:
    """Weights in memory, and what computes with them; safe to call from several threads.

    Args:
        folder: the checkpoint.
        architecture: as the recipe says.
        precision: numbers that it is run in.
        config: device and batch size.

    Raises:
        RecipeError: ``config.json`` does not fit.
        WeightsError: the weights do not fit or cannot be read.
    """

    def __init__(self, folder: Path, architecture: str, precision: Precision, config: TorchConfig) -> None:
        self.shape = read_shape(folder, architecture)
        self.checkpoint = Checkpoint(folder)
        self._config = config
        machine = this_machine()
        self._make = maker(precision, machine, config.device)
        narrow = self._make.dtype == torch.bfloat16
        attention = best_attention(machine, config.device, narrow=narrow)
        rows = best_rows(machine, config.device, narrow=narrow)
        parts = LayerFactory(self.checkpoint, self.shape, self._make, config.device, attention, rows)
        self._trunk = _TRUNKS[architecture](parts)
        self._prefixes: OrderedDict[tuple[int, ...], Prefix] = OrderedDict()
        self._lock = Lock()

    @torch.inference_mode()
    def pooled(self, rows: Sequence[Ids], pooling: Pooling, shared: int = 0, *, keep: bool = False) -> Tensor:
        """One state a text, not normalised.

        Args:
            rows: ids of each text.
            pooling: ``cls``, ``last`` or ``mean``.
            shared: so many leading ids are the same in every row, and are run once; causal trunks alone.
            keep: whether to remember the shared part for later calls.

        Returns:
            float32[n, h] on the CPU, in the order of ``rows``.
        """
        prefix = self._prefix(rows[0][:shared], keep=keep) if shared else None
        found = torch.empty(len(rows), self.shape.hidden)
        for batch, packed in self._batches([row[shared:] for row in rows], shared):
            found[batch] = _pool(self._trunk, packed, pooling, prefix)[: len(batch)].cpu()
        return found

    @torch.inference_mode()
    def states(self, rows: Sequence[Ids], head: Callable[[Tensor], Tensor]) -> list[Vectors]:
        """For each text ``head`` of its states: float32[t, anything]."""
        found: list[Vectors] = [np.empty((0, 0), dtype=np.float32)] * len(rows)
        for batch, packed in self._batches(rows, 0):
            done = head(self._trunk(packed)).float().cpu()
            for i, part in zip(batch, done.split(packed.lengths), strict=False):  # the filler stands behind
                found[i] = part.numpy()
        return found

    def _batches(self, rows: Sequence[Ids], offset: int) -> Iterator[tuple[list[int], Pack]]:
        for batch in plan([len(row) for row in rows], self._config.budget):
            texts = [rows[i] for i in batch]
            full = [*texts, *filler(texts)] if self._make.rounds else texts
            yield batch, pack(full, offset, self._config.device)

    def _prefix(self, ids: Ids, *, keep: bool) -> Prefix:
        key = tuple(ids)
        with self._lock:
            if key in self._prefixes:
                self._prefixes.move_to_end(key)
                return self._prefixes[key]
        if not isinstance(self._trunk, Qwen3):
            raise TypeError("only a causal trunk shares a prefix")
        found = self._trunk.prefix(ids)
        if keep:
            with self._lock:
                self._prefixes[key] = found
                while len(self._prefixes) > _PREFIXES:
                    self._prefixes.popitem(last=False)
        return found


def _pool(trunk: Trunk, packed: Pack, pooling: Pooling, prefix: Prefix | None) -> Tensor:
    if pooling == "last" or (pooling == "cls" and not trunk.causal):
        return trunk(packed, packed.lasts if pooling == "last" else packed.firsts, prefix)
    states = trunk(packed, None, prefix)
    if pooling == "cls":
        return states[packed.firsts]
    means = [states[r.start : r.stop].unflatten(0, (r.count, r.length)).mean(dim=1) for r in packed.runs]
    return torch.cat(means)
