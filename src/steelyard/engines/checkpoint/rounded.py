"""A checkpoint with its weights rounded to few bits, to see how much that loses in this very model.

Torch is imported when a copy is written.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from steelyard.engines.checkpoint.files import weight_files

LARGEST = 4 << 30
"""Bytes of weights above which no rounded copy is written."""


def small_enough(folder: Path) -> bool:
    """Whether a rounded copy of a folder's weights may be written."""
    return sum(path.stat().st_size for path in weight_files(folder)) <= LARGEST


def write_rounded(folder: Path, bits: int, copy: Path) -> None:
    """Writes a checkpoint again whose matrices and tables are rounded row by row.

    Each row is divided into ``2^bits - 1`` steps around 0, as the plainest quantisers do. Numbers are kept in
    bfloat16, whose own rounding is small beside that of six bits or fewer.

    Args:
        folder: the checkpoint.
        bits: 2 to 8.
        copy: an existing folder.
    """
    import torch
    from safetensors.torch import load_file, save_file

    for path in folder.glob("*.json"):
        shutil.copyfile(path, copy / path.name)
    top = 2 ** (bits - 1) - 1
    for path in weight_files(folder):
        tensors = load_file(path)
        for name, tensor in tensors.items():
            rounded = tensor.float()
            if tensor.dim() > 1:
                step = (rounded.abs().amax(dim=-1, keepdim=True) / top).clamp(min=1e-12)
                rounded = (rounded / step).round() * step
            tensors[name] = rounded.to(torch.bfloat16).contiguous()
        save_file(tensors, copy / path.name)
