"""The files that other engines run, made once from a checkpoint: ONNX and OpenVINO, in 8 bits.

    python benchmarks/engine/exports.py e5-small qwen3-0.6b bge-m3 --folder /tmp/steelyard-engine

About 3 minutes for e5-small; for each of the large shapes 3 for onnxruntime, 2 for int8 weights, and half an hour or
more for static quantisation (``openvino-w8a8``), which is why benchmarks never start that one by themselves. 4 GB of
disk and at the most 10 GB of memory for a large one. A file that is there is not made again.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import shapes
import torch
import workload

from steelyard.engines.torch.precision import processor_flags
from steelyard.models.recipe import Recipe

CALIBRATION = 24
"""Texts that static quantisation sees."""


def onnx_int8(recipe: Recipe) -> Path:
    """Exported by torch, then weights in int8 by onnxruntime's own tool; activations are quantised as they pass.

    Without VNNI onnxruntime's kernels add two products in 16 bits, so its documentation asks for ``reduce_range``.
    """
    narrow = not any("vnni" in flag for flag in processor_flags())
    return _made(_folder(recipe) / f"onnx-int8{'-narrow' * narrow}" / "model.onnx", lambda at: _onnx_int8(recipe, at))


def openvino_int8(recipe: Recipe) -> Path:
    """Weights in int8 by NNCF, as ``optimum-cli export openvino --weight-format int8`` does."""
    return _made(_folder(recipe) / "openvino-int8" / "model.xml", lambda at: _openvino_int8(recipe, at))


def openvino_w8a8(recipe: Recipe, *, make: bool = True) -> Path:
    """Weights and activations in int8 by NNCF, statically, on texts like those that are measured.

    Raises:
        FileNotFoundError: ``make`` is false and it is not there; a large shape takes half an hour or more.
    """
    path = _folder(recipe) / "openvino-w8a8" / "model.xml"
    if not make and not path.exists():
        raise FileNotFoundError(f"first run benchmarks/engine/exports.py {recipe.name} --ways openvino-w8a8")
    return _made(path, lambda at: _openvino_w8a8(recipe, at))


def _folder(recipe: Recipe) -> Path:
    return Path(str(recipe.sources.folder)) / "peers"


def _made(path: Path, make: Callable[[Path], None]) -> Path:
    """Made in a folder beside and moved as a whole, so that a broken run leaves nothing to be taken for the file."""
    if not path.exists():
        partial = path.parent.with_name(path.parent.name + ".partial")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        make(partial / path.name)
        partial.replace(path.parent)
    return path


def _onnx_int8(recipe: Recipe, path: Path) -> None:
    from onnxruntime.quantization import QuantType, quantize_dynamic

    plain = path.parent / "plain"
    plain.mkdir()
    _export(recipe, plain / path.name)
    narrow = not any("vnni" in flag for flag in processor_flags())
    quantize_dynamic(
        plain / path.name,
        path,
        weight_type=QuantType.QInt8,
        per_channel=True,
        reduce_range=narrow,
        use_external_data_format=True,
    )
    shutil.rmtree(plain)


def _openvino_int8(recipe: Recipe, path: Path) -> None:
    import nncf
    import openvino as ov

    ov.save_model(nncf.compress_weights(_converted(recipe)), path, compress_to_fp16=False)


def _openvino_w8a8(recipe: Recipe, path: Path) -> None:
    import nncf
    import openvino as ov

    samples = nncf.Dataset(_samples(recipe))
    model = nncf.quantize(_converted(recipe), samples, model_type=nncf.ModelType.TRANSFORMER, subset_size=CALIBRATION)
    ov.save_model(model, path, compress_to_fp16=False)


def _converted(recipe: Recipe) -> Any:
    import openvino as ov

    sample = torch.ones(2, 9, dtype=torch.int64)
    return ov.convert_model(trunk(recipe), example_input={"input_ids": sample, "attention_mask": sample})


def _samples(recipe: Recipe) -> list[dict[str, Any]]:
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(f"{recipe.sources.folder}/tokenizer.json")
    tokenizer.no_padding()
    texts = [recipe.render_document(t) for t in workload.texts(CALIBRATION, seed=7)]
    ids = [torch.tensor([e.ids]).numpy() for e in tokenizer.encode_batch(texts)]
    return [{"input_ids": row, "attention_mask": row * 0 + 1} for row in ids]


class _Trunk(torch.nn.Module):
    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, input_ids: Any, attention_mask: Any) -> Any:
        return self.model(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state


def trunk(recipe: Recipe) -> torch.nn.Module:
    """The model of transformers in fp32; eager attention is the one that both exporters follow."""
    from transformers import AutoModel

    model = AutoModel.from_pretrained(str(recipe.sources.folder), dtype=torch.float32, attn_implementation="eager")
    model.config.use_cache = False
    return _Trunk(model).eval()


def _export(recipe: Recipe, path: Path) -> None:
    sample = torch.ones(2, 9, dtype=torch.int64)
    axes = {"input_ids": {0: "n", 1: "t"}, "attention_mask": {0: "n", 1: "t"}, "states": {0: "n", 1: "t"}}
    with torch.no_grad():
        torch.onnx.export(
            trunk(recipe),
            (sample, sample),
            str(path),
            input_names=["input_ids", "attention_mask"],
            output_names=["states"],
            dynamic_axes=axes,
            dynamo=False,
        )


WAYS: dict[str, Callable[[Recipe], Path]] = {
    "onnx-int8": onnx_int8,
    "openvino-int8": openvino_int8,
    "openvino-w8a8": openvino_w8a8,
}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("models", nargs="+")
    parser.add_argument("--ways", nargs="+", default=list(WAYS), choices=list(WAYS))
    parser.add_argument("--folder", type=Path, default=Path("/tmp/steelyard-engine"))
    asked = parser.parse_args()
    for name in asked.models:
        recipe = shapes.write(name, asked.folder / name)
        for way in asked.ways:
            start = time.perf_counter()
            path = WAYS[way](recipe)
            size = sum(f.stat().st_size for f in path.parent.iterdir()) / 1e9
            sys.stderr.write(f"{name} {way}: {path} ({size:.2f} GB, {time.perf_counter() - start:.0f} s)\n")


if __name__ == "__main__":
    main()
