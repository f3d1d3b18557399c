"""Checkpoints read from mapped safetensors, checked name by name and shape by shape; never through pickle."""

from __future__ import annotations

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from steelyard.engines.checkpoint.layout import Layout
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
