"""GPU memory of one process, through NVML where there is a card and the package (extra ``gpu``)."""

from __future__ import annotations

import importlib
import os
from typing import Any


def gpu_memory(process: int | None = None) -> int | None:
    """Bytes of GPU memory that a process holds now, over all cards.

    Args:
        process: its id; this process when None.

    Returns:
        None where there is no card, no driver or no ``nvidia-ml-py``; 0 where there is a card that it does not use.
    """
    try:
        nvml = importlib.import_module("pynvml")
    except ImportError:
        return None
    return read_nvml(nvml, os.getpid() if process is None else process)


def read_nvml(nvml: Any, process: int) -> int | None:
    """The same through a given binding.

    Args:
        nvml: the module ``pynvml``, or what behaves like it.
        process: a process id.
    """
    try:
        nvml.nvmlInit()
    except nvml.NVMLError:
        return None
    try:
        cards = [nvml.nvmlDeviceGetHandleByIndex(i) for i in range(nvml.nvmlDeviceGetCount())]
        own = [p for card in cards for p in nvml.nvmlDeviceGetComputeRunningProcesses(card) if p.pid == process]
        return sum(p.usedGpuMemory or 0 for p in own)
    except nvml.NVMLError:
        return None
    finally:
        nvml.nvmlShutdown()
