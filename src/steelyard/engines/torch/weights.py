"""Checkpoints read from mapped safetensors, checked name by name and shape by shape; never through pickle."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from steelyard.engines.torch.files import PICKLE, SINGLE, weight_files
from steelyard.errors import WeightsError


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

    source, target = folder / PICKLE, folder / SINGLE
    try:
        state = torch.load(source, map_location="cpu", weights_only=True, mmap=True)
    except FileNotFoundError:
        raise WeightsError(f"{source}: not there, so there is nothing to convert") from None
    except Exception as wrong:  # noqa: BLE001 - torch.load fails in many ways on a broken or hostile file
        raise WeightsError(f"{source}: not a plain file of tensors: {wrong}") from None
    partial = target.with_name(f"{SINGLE}.{os.getpid()}.partial")
    try:
        save_file({k: v.contiguous().clone() for k, v in state.items()}, partial, metadata={"format": "pt"})
        return partial.replace(target)
    except (OSError, SafetensorError) as wrong:
        partial.unlink(missing_ok=True)
        raise WeightsError(f"{partial}: cannot be written ({wrong}); make room and try again") from None


def _read_shapes(path: Path) -> list[tuple[str, tuple[int, ...]]]:
    try:
        with safe_open(path, framework="pt") as file:
            return [(name, tuple(file.get_slice(name).get_shape())) for name in file.keys()]  # noqa: SIM118
    except (SafetensorError, OSError) as wrong:
        raise WeightsError(f"{path}: truncated or corrupt ({wrong}); delete it and download the model again") from None
