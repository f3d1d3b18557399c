"""A graph ready to run: built and kept at the first start, mapped from the cache at every later one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import openvino as ov
from numpy.typing import NDArray

from steelyard.engines.checkpoint.layout import BERT_ANCHOR, QWEN3_ANCHOR
from steelyard.engines.checkpoint.shape import Shape
from steelyard.engines.checkpoint.tokenizer import Ids
from steelyard.engines.openvino.config import OpenVinoConfig, cache_folder, graph_name
from steelyard.engines.openvino.feed import Embeddings, Packed, Wanted
from steelyard.engines.openvino.mapped import Floats, Mapped
from steelyard.engines.openvino.trunks import build
from steelyard.engines.plan import plan
from steelyard.errors import WeightsError
from steelyard.files import atomic_folder
from steelyard.models.recipe import Pooling
from steelyard.types import Vectors

GRAPH = "graph.xml"
_WANTED: Mapping[Pooling, Wanted] = {"cls": "first", "last": "last"}


class Compiled:
    """Rows of token ids in, pooled vectors or states of every token out; safe to call from several threads.

    Args:
        folder: the checkpoint.
        architecture: as the recipe says.
        shape: its sizes.
        config: how to run.

    Raises:
        WeightsError: weights or a kept graph cannot be read, or the cache cannot be written.
    """

    def __init__(self, folder: Path, architecture: str, shape: Shape, config: OpenVinoConfig) -> None:
        checkpoint = Mapped(folder)
        anchor = QWEN3_ANCHOR if architecture == "qwen3" else BERT_ANCHOR
        self._embeddings = Embeddings(checkpoint, shape, checkpoint.root(anchor), anchor)
        self._hidden, self._budget = shape.hidden, config.budget
        kept = cache_folder(config) / graph_name(folder, architecture, config)
        if not (kept / GRAPH).is_file():
            _keep(build(checkpoint, shape, architecture, whole=config.weights == "fp32"), kept)
        try:
            compiled = ov.Core().compile_model(kept / GRAPH, "CPU", config.properties())
        except RuntimeError as wrong:
            raise WeightsError(f"{kept}: the kept graph cannot be read; delete this folder ({wrong})") from None
        self._request = compiled.create_infer_request()
        self._lock = Lock()

    def pooled(self, rows: Sequence[Ids], pooling: Pooling) -> Vectors:
        """One state a text, float32[n, h], not normalised, in the order of ``rows``."""
        found = np.empty((len(rows), self._hidden), dtype=np.float32)
        wanted = _WANTED.get(pooling, "all")
        for batch in plan([len(row) for row in rows], self._budget):
            packed = Packed.of([rows[i] for i in batch])
            states: NDArray[Any] = self._run(packed, wanted)
            if wanted == "all":
                states = np.add.reduceat(states, packed.starts) / packed.lengths[:, None]
            found[batch] = states
        return found

    def states(self, rows: Sequence[Ids]) -> list[Vectors]:
        """The states of every token, float32[t, h] for each text."""
        found: list[Vectors] = [np.empty((0, 0), dtype=np.float32)] * len(rows)
        for batch in plan([len(row) for row in rows], self._budget):
            packed = Packed.of([rows[i] for i in batch])
            for i, part in zip(batch, np.split(self._run(packed, "all"), packed.starts[1:]), strict=True):
                found[i] = part
        return found

    def _run(self, packed: Packed, wanted: Wanted) -> Floats:
        fed = self._embeddings.feed(packed, wanted)
        with self._lock:
            self._request.infer(fed, share_inputs=True)
            return np.array(self._request.get_output_tensor(0).data)


def _keep(model: Any, kept: Path) -> None:
    """Writes a graph into a folder of its own and moves it into place whole, however many processes do so at once."""
    try:
        with atomic_folder(kept) as gathering:
            ov.save_model(model, gathering / GRAPH, compress_to_fp16=False)
        if not (kept / GRAPH).is_file():
            raise OSError("it did not appear")
    except (OSError, RuntimeError) as wrong:
        raise WeightsError(
            f"{kept}: the graph could not be written ({wrong}); make room, or set STEELYARD_CACHE to another folder"
        ) from None
