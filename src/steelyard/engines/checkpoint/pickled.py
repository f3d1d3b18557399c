"""Published pickles, of which the tensors alone are read (``weights_only``); code in them is never run.

Torch is imported at the top.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from torch import Tensor

from steelyard.engines.checkpoint.files import PICKLE, SINGLE
from steelyard.errors import WeightsError
from steelyard.files import atomic_path


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
    try:
        with atomic_path(target) as part:
            save_file({k: v.contiguous().clone() for k, v in state.items()}, part, metadata={"format": "pt"})
    except (OSError, SafetensorError) as wrong:
        raise WeightsError(f"{target}: cannot be written ({wrong}); make room and try again") from None
    return target
