"""A model of transformers, run plainly, one text at a time, and wrongly where a fault asks for it.

Nothing of steelyard is used here, so that the doctor is not examined by its own code. Vectors are kept by the trunk's
change, the pooling and the ids, so that most faults cost no arithmetic.
"""

from __future__ import annotations

import copy
import hashlib
import sqlite3
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

Rows = NDArray[np.float32]
Ids = tuple[int, ...]


class PlainModel:
    """A folder that ``AutoModel`` loads.

    Args:
        folder: the checkpoint.
        pooling: the right one.
        cache: a file that keeps vectors between runs.
    """

    def __init__(self, folder: Path, pooling: str, cache: Path) -> None:
        from tokenizers import Tokenizer
        from transformers import AutoModel

        self.pooling, self.name = pooling, folder.name
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.tokenizer.no_truncation()
        self.tokenizer.no_padding()
        self.limit = 512
        self._right = AutoModel.from_pretrained(folder, dtype=torch.float32).eval()
        self._changed: tuple[str, Any] = "", self._right
        self._lock = threading.Lock()
        self._kept = sqlite3.connect(cache, check_same_thread=False)
        self._kept.execute("create table if not exists kept (key text primary key, vector blob)")
        self._memory: dict[str, Rows] = {}

    def ids(self, text: str) -> list[int]:
        """What the tokenizer makes of a text, not cut."""
        return list(self.tokenizer.encode(text).ids)

    def vectors(self, rows: Sequence[Sequence[int]], trunk: str = "", pooling: str = "") -> Rows:
        """float32[n, h], not normalised, of rows of ids under a change of the trunk and a pooling."""
        pooling = pooling or self.pooling
        with self._lock:
            return np.stack([self._one(tuple(ids), trunk, pooling) for ids in rows])

    def _one(self, ids: Ids, trunk: str, pooling: str) -> Rows:
        raw = f"{self.name}|{trunk}|{pooling}|{','.join(map(str, ids))}"
        key = hashlib.sha256(raw.encode()).hexdigest()
        if key in self._memory:
            return self._memory[key]
        found = self._kept.execute("select vector from kept where key = ?", (key,)).fetchone()
        if found is None:
            vector = self._run(ids, trunk, pooling)
            self._kept.execute("insert into kept values (?, ?)", (key, vector.tobytes()))
            self._kept.commit()
        else:
            vector = np.frombuffer(found[0], dtype=np.float32)
        self._memory[key] = vector
        return vector

    def _run(self, ids: Ids, trunk: str, pooling: str) -> Rows:
        model = self._under(trunk)
        options: dict[str, Any] = {}
        if trunk.startswith("shift"):
            options["position_ids"] = (torch.arange(len(ids)) + int(trunk[5:])).clamp(max=511)[None]
        if trunk == "no-positions":
            options["position_ids"] = torch.zeros((1, len(ids)), dtype=torch.long)
        if trunk == "type-1":
            options["token_type_ids"] = torch.ones((1, len(ids)), dtype=torch.long)
        with torch.inference_mode():
            out = model(input_ids=torch.tensor([ids]), output_hidden_states=True, **options)
        layers = [s[0].float() for s in out.hidden_states]
        layers[-1] = out.last_hidden_state[0].float()
        return np.asarray(pooled(layers, pooling).numpy(), dtype=np.float32)

    def _under(self, trunk: str) -> Any:
        if not trunk or trunk.startswith(("shift", "no-positions", "type-1")):
            return self._right
        if self._changed[0] != trunk:
            self._changed = "", self._right
            self._changed = trunk, changed(copy.deepcopy(self._right), trunk)
        return self._changed[1]


def pooled(layers: Sequence[torch.Tensor], pooling: str) -> torch.Tensor:
    """float32[h] of the states behind every layer."""
    last = layers[-1]
    weights = torch.arange(1, len(last) + 1)[:, None].float()
    ways = {
        "mean": lambda: last.mean(0),
        "cls": lambda: last[0],
        "last": lambda: last[-1],
        "max": lambda: last.max(0).values,
        "min": lambda: last.min(0).values,
        "weighted": lambda: (last * weights).sum(0) / weights.sum(),
        "inner": lambda: last[1:-1].mean(0) if len(last) > 2 else last.mean(0),
        "before-last": lambda: last[-2] if len(last) > 1 else last[-1],
        "second": lambda: last[1] if len(last) > 1 else last[0],
        "first-last": lambda: (layers[1] + last).mean(0),
        "penultimate": lambda: layers[-2].mean(0),
        "cls-penultimate": lambda: layers[-2][0],
        "embeddings": lambda: layers[0].mean(0),
        "mean+max": lambda: last.mean(0) + last.max(0).values,
        "median": lambda: last.median(0).values,
    }
    return ways[pooling]()


def changed(model: Any, trunk: str) -> Any:
    """A copy of the model under a change: layers, activation, norms, biases, attention, numbers, weights."""
    kind, _, value = trunk.partition(":")
    layers = model.encoder.layer if hasattr(model, "encoder") else model.layers
    with torch.no_grad():
        if kind == "layers":
            del layers[len(layers) - int(value) :]
        elif kind == "skip":
            del layers[int(value)]
        elif kind == "swap":
            one, other = map(int, value.split(","))
            layers[one], layers[other] = layers[other], layers[one]
        elif kind == "activation":
            for layer in layers:
                layer.intermediate.intermediate_act_fn = {
                    "relu": torch.nn.functional.relu,
                    "silu": torch.nn.functional.silu,
                    "tanh": torch.tanh,
                }[value]
        elif kind == "weights":
            _weights(model, value)
        elif kind == "dtype":
            return model.to(getattr(torch, value))
        else:
            raise KeyError(trunk)
    return model


def _weights(model: Any, value: str) -> None:  # noqa: C901 - a list of changes
    generator = torch.Generator().manual_seed(5)
    for name, tensor in model.named_parameters():
        if value.startswith("bits") and tensor.dim() > 1:
            top = 2 ** (int(value[4:]) - 1) - 1
            step = (tensor.abs().amax(dim=1, keepdim=True) / top).clamp(min=1e-12)
            tensor.copy_((tensor / step).round() * step)
        elif value == "shuffled" and "layer" in name and tensor.dim() > 1:
            tensor.copy_(tensor[torch.randperm(len(tensor), generator=generator)])
        elif (value == "no-bias" and name.endswith("bias") and "LayerNorm" not in name) or (
            value == "no-norm-bias" and name.endswith("LayerNorm.bias")
        ):
            tensor.zero_()
        elif value == "no-norm-weight" and name.endswith("embeddings.LayerNorm.weight"):
            tensor.fill_(1.0)
        elif value == "no-type" and "token_type" in name:
            tensor.zero_()
        elif value == "rolled" and name.endswith("word_embeddings.weight"):
            tensor.copy_(tensor.roll(1, 0))
        elif value == "noise" and tensor.dim() > 1:
            tensor.add_(torch.randn(tensor.shape, generator=generator) * tensor.std() * 0.1)
        elif value == "transposed" and name.endswith("layer.5.attention.output.dense.weight"):
            tensor.copy_(tensor.T.clone())
        elif value == "last-zero" and "layer.11." in name and tensor.dim() > 1:
            tensor.zero_()
        elif value == "norm-eps":
            break
    if value == "norm-eps":
        for module in model.modules():
            if isinstance(module, torch.nn.LayerNorm):
                module.eps = 0.1
