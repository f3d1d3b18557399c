"""Who is compared: each loads a folder and turns texts into vectors, in the best way its documentation names."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import exports
import numpy as np
import torch

from steelyard.engines.openvino.config import OpenVinoConfig, Weights
from steelyard.engines.openvino.encoder import OpenVinoEncoder
from steelyard.engines.torch.config import TorchConfig
from steelyard.engines.torch.encoder import TorchEncoder
from steelyard.engines.torch.precision import Precision
from steelyard.engines.vectors import normalised
from steelyard.models.recipe import Recipe
from steelyard.types import Role, Vectors

Encode = Callable[[list[str]], Vectors]
BATCH = 32


def steelyard(recipe: Recipe, precision: Precision) -> Encode:
    encoder = TorchEncoder(recipe, TorchConfig(precision))
    return lambda texts: encoder.encode(texts, Role.DOCUMENT)


def sentence_transformers(recipe: Recipe, dtype: torch.dtype) -> Encode:
    """Sorts by length itself; batches of 32 texts."""
    from sentence_transformers import SentenceTransformer

    folder = str(recipe.sources.folder)
    model = SentenceTransformer(folder, device="cpu", model_kwargs={"dtype": dtype})
    if recipe.pooling == "last":
        model.tokenizer.padding_side = "left"

    def encode(texts: list[str]) -> Vectors:
        rendered = [recipe.render_document(t) for t in texts]
        found: Vectors = model.encode(rendered, batch_size=BATCH, show_progress_bar=False).astype(np.float32)
        return found

    return encode


def steelyard_openvino(recipe: Recipe, weights: Weights = "int8") -> Encode:
    encoder = OpenVinoEncoder(recipe, OpenVinoConfig(weights, threads=torch.get_num_threads()))
    return lambda texts: encoder.encode(texts, Role.DOCUMENT)


def onnxruntime_int8(recipe: Recipe) -> Encode:
    """Exported by torch, dynamically quantised by onnxruntime's own tool; sorted by length, batches of 32."""
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    session = ort.InferenceSession(str(exports.onnx_int8(recipe)), options, providers=["CPUExecutionProvider"])

    def forward(ids: Any, mask: Any) -> Any:
        return torch.from_numpy(session.run(None, {"input_ids": ids.numpy(), "attention_mask": mask.numpy()})[0])

    return _padded(recipe, forward)


def openvino_int8(recipe: Recipe) -> Encode:
    """Weights compressed to int8 by NNCF; sorted by length, batches of 32."""
    return _openvino(recipe, exports.openvino_int8(recipe))


def openvino_w8a8(recipe: Recipe) -> Encode:
    """Weights and activations quantised by NNCF, made before; sorted by length, batches of 32."""
    return _openvino(recipe, exports.openvino_w8a8(recipe, make=False))


def _openvino(recipe: Recipe, path: Path) -> Encode:
    import openvino as ov

    asked = {"INFERENCE_NUM_THREADS": torch.get_num_threads(), "PERFORMANCE_HINT": "LATENCY"}
    compiled = ov.Core().compile_model(path, "CPU", asked)

    def forward(ids: Any, mask: Any) -> Any:
        return torch.from_numpy(compiled({"input_ids": ids.numpy(), "attention_mask": mask.numpy()})[0])

    return _padded(recipe, forward)


def _padded(recipe: Recipe, forward: Callable[[Any, Any], Any]) -> Encode:
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(f"{recipe.sources.folder}/tokenizer.json")
    tokenizer.no_truncation()
    last = recipe.pooling == "last"
    tokenizer.enable_padding(pad_id=151643 if last else 1, direction="right")

    def encode(texts: list[str]) -> Vectors:
        rendered = [recipe.render_document(t) for t in texts]
        order = sorted(range(len(texts)), key=lambda i: -len(rendered[i]))
        rows = np.empty((len(texts), recipe.dimension), dtype=np.float32)
        for at in range(0, len(order), BATCH):
            batch = order[at : at + BATCH]
            encoded = tokenizer.encode_batch([rendered[i] for i in batch])
            ids = torch.tensor([e.ids for e in encoded])
            mask = torch.tensor([e.attention_mask for e in encoded])
            states, lengths = forward(ids, mask), mask.sum(1)
            if last:
                pooled = states[torch.arange(len(batch)), lengths - 1]
            elif recipe.pooling == "cls":
                pooled = states[:, 0]
            else:
                pooled = (states * mask[..., None]).sum(1) / lengths[:, None]
            rows[batch] = pooled.float().numpy()
        return normalised(rows)

    return encode
