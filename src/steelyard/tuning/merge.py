"""Checkpoints of one architecture merged into one, a tensor at a time, so that 8B parameters need 4 GB.

* ``linear``: the weighted mean.
* ``slerp``: along the arc between two tensors seen as vectors, which keeps their length where the mean shortens it
  (Shoemake, SIGGRAPH 1985; the Qwen3-Embedding report merges its checkpoints so). More than two are merged one after
  the other, each with its share of what is there by then, so their order matters a little.
* ``task``: base plus the weighted sum of what each checkpoint has changed (Ilharco et al., ICLR 2023).

Arithmetic is float32 with sums in float64; a tensor keeps the type it has in the first checkpoint. Weights are read
from safetensors alone, never unpickled.
"""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from steelyard.errors import UsageError, WeightsError
from steelyard.files import atomic_folder
from steelyard.tuning.tensors import CHUNK, Checkpoint, Tensor, rounded_bytes, write_header

Method = Literal["slerp", "linear", "task"]
Floats = NDArray[np.float32]
_NEARLY_PARALLEL = 1e-6  # sine of the angle below which the arc is a straight line in float32
RECORD = "steelyard-merge.json"
_LEFT = {".safetensors", ".bin", ".pt", ".onnx", ".gguf", ".h5", ".msgpack"}
_OWN = {"README.md", RECORD}


@dataclass(frozen=True)
class MergeConfig:
    """How to merge.

    Attributes:
        method: see the module's text.
        weights: one a checkpoint; equal ones where left out. For ``slerp`` and ``linear`` they are divided by their
            sum; for ``task`` they say how much of each change is taken.
        base: for ``task``, the checkpoint that the others were trained from.
    """

    method: Method = "slerp"
    weights: tuple[float, ...] = ()
    base: Path | None = None

    def shares(self, count: int) -> tuple[float, ...]:
        """The weights as they are applied.

        Raises:
            UsageError: they do not fit the checkpoints or the method.
        """
        if (self.method == "task") != (self.base is not None):
            raise UsageError("method task needs a base, and no other method takes one")
        given = self.weights or (1.0,) * count
        if len(given) != count or not all(math.isfinite(w) for w in given):
            raise UsageError(f"{len(given)} weights for {count} checkpoints: {given}")
        if self.method == "task":
            return given
        if min(given) < 0 or sum(given) <= 0:
            raise UsageError(f"weights must be at least 0 and their sum above 0, not {given}")
        return tuple(w / sum(given) for w in given)


def merge(
    folders: Sequence[Path],
    out: Path,
    config: MergeConfig | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Path:
    """Merges checkpoints into a new folder that every engine loads like the first.

    Args:
        folders: two or more (one or more for ``task``), of the same architecture and tokenizer.
        out: must not exist; it appears when it is whole.
        config: how.
        progress: called with tensors done and tensors in all.

    Raises:
        UsageError: the weights do not fit, or ``out`` is there.
        WeightsError: the checkpoints differ in more than their values, or one cannot be read.
    """
    asked = config or MergeConfig()
    shares = asked.shares(len(folders))
    if len(folders) + (asked.base is not None) < 2:
        raise UsageError("a merge needs two checkpoints at least")
    if out.exists():
        raise UsageError(f"{out} is there already; name a new folder")
    models = [Checkpoint(f) for f in folders]
    base = Checkpoint(asked.base) if asked.base else None
    for other in [*models[1:], *([base] if base else [])]:
        _expect_same(models[0], other)
    with atomic_folder(out) as part:
        _copy_rest(folders[0], part)
        _write_weights(models, base, shares, asked.method, part, progress)
        record = {
            "method": asked.method,
            "checkpoints": [{"folder": f.name, "weight": w} for f, w in zip(folders, shares, strict=True)],
            "base": asked.base.name if asked.base else None,
        }
        (part / RECORD).write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return out


def slerp(one: Floats, other: Floats, share: float) -> Floats:
    """The tensor ``share`` of the way from one to another along their arc; a straight line where they are parallel.

    Args:
        one: float32, any shape.
        other: of the same shape.
        share: 0 gives ``one``, 1 gives ``other``.
    """
    first, second = _arc(one, [other], share)
    out: Floats = np.float32(first) * one + np.float32(second) * other
    return out


def _arc(one: Floats, others: Iterable[Floats], share: float) -> tuple[float, float]:
    """What the two ends are multiplied by; ``others`` are the second end in pieces."""
    dot = square = 0.0
    at = 0
    flat = one.reshape(-1)
    for piece in others:
        values = piece.reshape(-1).astype(np.float64)
        dot += float(flat[at : at + len(values)] @ values)
        square += float(values @ values)
        at += len(values)
    lengths = math.sqrt(_square(flat) * square)
    cosine = min(1.0, max(-1.0, dot / lengths)) if lengths > 0 else 1.0
    angle = math.acos(cosine)
    if math.sin(angle) < _NEARLY_PARALLEL:
        return 1 - share, share
    return math.sin((1 - share) * angle) / math.sin(angle), math.sin(share * angle) / math.sin(angle)


def _square(flat: Floats) -> float:
    parts = (flat[a : a + CHUNK].astype(np.float64) for a in range(0, len(flat), CHUNK))
    return float(sum(float(p @ p) for p in parts))


def _write_weights(
    models: Sequence[Checkpoint],
    base: Checkpoint | None,
    shares: Sequence[float],
    method: Method,
    out: Path,
    progress: Callable[[int, int], None],
) -> None:
    done, total = 0, sum(len(names) for names in models[0].files.values())
    for path, names in models[0].files.items():
        with (out / path.name).open("wb") as file:
            write_header(file, [(name, models[0].tensors[name]) for name in names])
            for name in names:
                tensors = [m.tensors[name] for m in models]
                for block in _merged(tensors, base.tensors[name] if base else None, shares, method):
                    file.write(block)
                done += 1
                progress(done, total)


def _merged(tensors: Sequence[Tensor], base: Tensor | None, shares: Sequence[float], method: Method) -> Iterator[bytes]:
    """The bytes of one merged tensor."""
    first = tensors[0]
    if not first.floating:  # positions and the like: the same in all, or there is nothing to merge
        raw = first.raw()
        if any(t.raw() != raw for t in tensors):
            raise WeightsError(f"{first.path}: {first.name} holds whole numbers that differ between the checkpoints")
        yield raw
        return
    whole = _task(tensors, base, shares) if base else _between(tensors, shares, method)
    for start in range(0, len(whole), CHUNK):
        yield rounded_bytes(whole[start : start + CHUNK], first.kind)


def _between(tensors: Sequence[Tensor], shares: Sequence[float], method: Method) -> Floats:
    """float32[values]: one checkpoint after the other taken in, each by its share of what is there by then."""
    whole, held = tensors[0].values(), shares[0]
    for tensor, share in zip(tensors[1:], shares[1:], strict=True):
        held += share
        part = share / held if held else 0.0
        keep, take = _arc(whole, tensor.chunks(), part) if method == "slerp" else (1 - part, part)
        _take_in(whole, tensor, keep, take)
    return whole


def _task(tensors: Sequence[Tensor], base: Tensor, shares: Sequence[float]) -> Floats:
    whole = base.values()
    whole *= np.float32(1 - sum(shares))
    for tensor, share in zip(tensors, shares, strict=True):
        _take_in(whole, tensor, 1.0, share)
    return whole


def _take_in(whole: Floats, tensor: Tensor, keep: float, take: float) -> None:
    at = 0
    for piece in tensor.chunks():
        part = whole[at : at + len(piece)]
        part *= np.float32(keep)
        part += np.float32(take) * piece
        at += len(piece)


def _expect_same(one: Checkpoint, other: Checkpoint) -> None:
    odd = sorted(one.tensors.keys() ^ other.tensors.keys())
    if odd:
        raise WeightsError(
            f"{one.folder} and {other.folder} have other tensors, such as {odd[0]}; merge one architecture"
        )
    for name, tensor in one.tensors.items():
        if tensor.shape != other.tensors[name].shape:
            its = other.tensors[name].shape
            raise WeightsError(f"{name} is {tensor.shape} in {one.folder} and {its} in {other.folder}")
    mine, theirs = one.folder / "tokenizer.json", other.folder / "tokenizer.json"
    if mine.is_file() and theirs.is_file() and mine.read_bytes() != theirs.read_bytes():
        raise WeightsError(f"{one.folder} and {other.folder} have other tokenizers; a token would mean two things")


def _copy_rest(folder: Path, out: Path) -> None:
    """Configuration, tokenizer and modules of the first checkpoint; not its weights and not its model card."""

    def ignored(place: str, names: list[str]) -> list[str]:
        odd = (n for n in names if not (Path(place) / n).is_file() and not (Path(place) / n).is_dir())
        return [*odd, *(n for n in names if Path(n).suffix in _LEFT or n in _OWN or n.startswith("."))]

    shutil.copytree(folder, out, ignore=ignored, dirs_exist_ok=True)
