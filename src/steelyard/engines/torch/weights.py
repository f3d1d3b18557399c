"""Checkpoints read from mapped safetensors, checked name by name and shape by shape; never through pickle."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from steelyard.errors import WeightsError

_SINGLE = "model.safetensors"
_INDEX = "model.safetensors.index.json"
_PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt")
_SAMPLES, _SAMPLE = 256, 4096


class Checkpoint:
    """The tensors of a folder, in one file or in shards.

    A tensor is mapped when it is asked for and unmapped when the last reference to it goes, so that only what is in
    use counts as memory.

    Args:
        folder: holds ``model.safetensors`` or its index.

    Raises:
        WeightsError: no safetensors there, a shard is missing, or a file is truncated or corrupt.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._shapes: dict[str, tuple[int, ...]] = {}
        self._files: dict[str, Path] = {}
        for path in weight_files(folder):
            for name, shape in _read_shapes(path):
                self._files[name], self._shapes[name] = path, shape

    def __contains__(self, name: object) -> bool:
        return name in self._files

    def root(self, anchor: str) -> str:
        """What stands before the names of the trunk, such as ``model.`` or ``bert.``; found by one tensor's name.

        Raises:
            WeightsError: no tensor ends with ``anchor``.
        """
        found = sorted((n for n in self._files if n == anchor or n.endswith(f".{anchor}")), key=len)
        if not found:
            some = ", ".join(sorted(self._files)[:3])
            raise WeightsError(
                f"{self._folder}: no tensor {anchor!r}, so this is another architecture than the recipe says; "
                f"it holds {some}, ..."
            )
        return found[0].removesuffix(anchor)

    def expect(self, shapes: Mapping[str, tuple[int, ...]]) -> None:
        """Refuses a checkpoint that lacks tensors or has them in other shapes, before anything is loaded.

        Raises:
            WeightsError: naming the first few.
        """
        missing = [name for name in shapes if name not in self._shapes]
        if missing:
            raise WeightsError(
                f"{self._folder}: {len(missing)} tensors are missing: {', '.join(missing[:3])}. Download it again; if "
                "that does not help, config.json belongs to another checkpoint"
            )
        wrong = [n for n, shape in shapes.items() if self._shapes[n] != shape]
        if wrong:
            faults = "; ".join(f"{n} is {self._shapes[n]}, expected {shapes[n]}" for n in wrong[:3])
            raise WeightsError(f"{self._folder}: config.json and weights disagree: {faults}")

    def tensor(self, name: str) -> Tensor:
        """A view into the mapped file.

        Raises:
            WeightsError: the file cannot be read any more.
        """
        path = self._files[name]
        try:
            with safe_open(path, framework="pt") as file:
                found: Tensor = file.get_tensor(name)
        except (SafetensorError, OSError) as wrong:
            raise WeightsError(f"{path}: tensor {name} cannot be read: {wrong}") from None
        return found

    def copy(self, name: str, device: str = "cpu") -> Tensor:
        """float32 in memory of its own; for what is small: norms and biases."""
        return self.tensor(name).to(device, torch.float32, copy=True)


def weight_files(folder: Path) -> list[Path]:
    """The safetensors files of a checkpoint, in order.

    Raises:
        WeightsError: there are none, or a shard that the index names is not there.
    """
    index = folder / _INDEX
    if index.is_file():
        files = [folder / name for name in sorted(set(_weight_map(index).values()))]
    else:
        files = [folder / _SINGLE]
    missing = [f.name for f in files if not f.is_file()]
    if missing:
        raise WeightsError(_nothing(folder) if not index.is_file() else f"{index}: shards are missing: {missing[:3]}")
    return files


def digest(files: Iterable[Path]) -> str:
    """Names a checkpoint without reading all of it: sizes and samples from all over each file, 16 hex digits.

    Two trainings of one model have the same sizes; a megabyte of samples tells them apart.
    """
    found = hashlib.sha256()
    for path in files:
        size = path.stat().st_size
        found.update(f"{path.name}:{size}".encode())
        with path.open("rb") as file:
            for place in range(0, size, max(size // _SAMPLES, _SAMPLE)):
                file.seek(place)
                found.update(file.read(_SAMPLE))
    return found.hexdigest()[:16]


def load_pickled(path: Path, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Tensor]:
    """Tensors of a small ``.pt`` file, such as BGE-M3's heads; only tensors are read, no code is run.

    Raises:
        WeightsError: not there, not such a file, or other tensors than expected.
    """
    try:
        state: Any = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise WeightsError(f"{path}: not there; download the model again") from None
    except Exception as wrong:  # noqa: BLE001 - torch.load fails in many ways on a broken or hostile file
        raise WeightsError(f"{path}: not a plain file of tensors: {wrong}") from None
    found = {k: tuple(v.shape) for k, v in state.items()} if isinstance(state, dict) else {}
    if found != dict(shapes):
        raise WeightsError(f"{path}: expected tensors {dict(shapes)}, found {found}")
    return {name: value.float() for name, value in state.items()}


def convert(folder: Path) -> Path:
    """Writes ``model.safetensors`` beside a ``pytorch_model.bin``, whose tensors alone are read (``weights_only``).

    For checkpoints such as BGE-M3 that are published as a pickle. The new file appears whole or not at all.

    Raises:
        WeightsError: there is no such file, or it holds more than tensors.
    """
    from safetensors.torch import save_file

    source, target = folder / "pytorch_model.bin", folder / _SINGLE
    try:
        state = torch.load(source, map_location="cpu", weights_only=True, mmap=True)
    except FileNotFoundError:
        raise WeightsError(f"{source}: not there, so there is nothing to convert") from None
    except Exception as wrong:  # noqa: BLE001 - torch.load fails in many ways on a broken or hostile file
        raise WeightsError(f"{source}: not a plain file of tensors: {wrong}") from None
    partial = target.with_suffix(".partial")
    save_file({k: v.contiguous().clone() for k, v in state.items()}, partial, metadata={"format": "pt"})
    return partial.replace(target)


def _nothing(folder: Path) -> str:
    pickles = [p.name for pattern in _PICKLES for p in folder.glob(pattern)]
    if "pytorch_model.bin" in pickles:
        return (
            f"{folder}: the weights are a pickle (pytorch_model.bin), which can run code and is not read. Convert it "
            f'once, tensors only: python -c "from pathlib import Path; from steelyard.engines.torch.weights import '
            f"convert; convert(Path('{folder}'))\""
        )
    return f"{folder}: no {_SINGLE} there; download the model again" + (f" (found {pickles[:3]})" if pickles else "")


def _weight_map(index: Path) -> dict[str, str]:
    try:
        names: Any = json.loads(index.read_text(encoding="utf-8"))["weight_map"]
        files = {str(k): str(v) for k, v in names.items()}
    except (ValueError, KeyError, TypeError, AttributeError) as wrong:
        raise WeightsError(f"{index}: not an index of shards ({wrong!r}); download the model again") from None
    outside = [v for v in files.values() if Path(v).name != v]
    if outside:
        raise WeightsError(f"{index}: names a file outside its folder: {outside[0]!r}")
    return files


def _read_shapes(path: Path) -> list[tuple[str, tuple[int, ...]]]:
    try:
        with safe_open(path, framework="pt") as file:
            return [(name, tuple(file.get_slice(name).get_shape())) for name in file.keys()]  # noqa: SIM118
    except (SafetensorError, OSError) as wrong:
        raise WeightsError(f"{path}: truncated or corrupt ({wrong}); delete it and download the model again") from None
