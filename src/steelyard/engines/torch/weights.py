"""Checkpoints read from mapped safetensors, checked name by name and shape by shape; never through pickle."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from steelyard.engines.checkpoint import Layout
from steelyard.engines.torch.files import PICKLE, SINGLE
from steelyard.errors import WeightsError


class Checkpoint(Layout):
    """The tensors of a folder; see :class:`Layout` for what is checked and raised.

    A tensor is mapped when it is asked for and unmapped when the last reference to it goes, so that only what is in
    use counts as memory.
    """

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
