"""In which numbers a model is run: picked from what the processor and the memory allow, with the reason said aloud.

Torch is not imported here, so that an engine can say what it will do before it loads anything.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib import util
from pathlib import Path
from typing import Literal

from steelyard.engines.packages import installed

_CPUINFO = Path("/proc/cpuinfo")
_FAST_BF16 = frozenset({"avx512_bf16", "amx_bf16", "avxneconvert", "bf16"})
KERNEL_FLAGS = frozenset({"avx2", "fma"})
"""What :mod:`steelyard.engines.torch.kernels.compiled` is made of."""
OPENMP = ("libgomp", "libiomp5")
_BYTES = {"fp32": 4.0, "bf16": 2.0, "int16": 2.01, "int8": 1.05}
_HEADROOM = 1 << 30
"""Bytes left for states, tokenizer and the libraries themselves."""
_VECTORS = (
    "the processor has neither avx512_bf16 nor amx_bf16, and 16-bit whole numbers give the vectors of fp32 (cosine "
    "0.99999 and more) in less time; torch-fp32 gives the last digit"
)


class Precision(StrEnum):
    """Numbers that weights are kept and multiplied in.

    ``bf16`` multiplies in bf16 where the processor has instructions for it; elsewhere it keeps weights in bf16 and
    multiplies in fp32, which halves the memory and loses nothing on checkpoints that are published in bf16.
    ``int16`` keeps a step for each output channel, about 12 bits for normal values; see
    :mod:`steelyard.engines.torch.int16`. ``int8`` does the same in 8 bits and is opt-in: see
    :mod:`steelyard.engines.agreement`.
    """

    FP32 = "fp32"
    BF16 = "bf16"
    INT16 = "int16"
    INT8 = "int8"


@dataclass(frozen=True, slots=True)
class Choice:
    """What was chosen and why; prints as a sentence."""

    precision: Precision
    reason: str

    def __str__(self) -> str:
        return f"{self.precision}: {self.reason}"


@dataclass(frozen=True, slots=True)
class Machine:
    """What the choice depends on.

    Attributes:
        flags: processor flags as Linux names them; empty where they are unknown.
        memory: bytes that can be had without swapping; 0 where that is unknown.
        kernels: whether products of our own can be compiled for it; see :func:`kernels_are_there`.
    """

    flags: frozenset[str]
    memory: int
    kernels: bool = False

    @property
    def fast_bf16(self) -> bool:
        """Whether matrices are multiplied in bf16 by instructions made for it."""
        return bool(self.flags & _FAST_BF16)


def choose(
    parameters: int, machine: Machine, device: str = "cpu", kind: Literal["embedding", "reranker"] = "embedding"
) -> Choice:
    """The numbers for a model of so many parameters.

    bf16 where it is fast; else int16 for vectors, which it leaves as they are, and fp32 for a reranker, whose
    probabilities it changes by a thousandth; then whatever fits into memory. int8 changes rankings, so it is never
    chosen unasked: where not even bf16 fits, the reason says so.
    """
    if device != "cpu":
        return Choice(Precision.BF16, f"device {device} multiplies bf16 in hardware")
    if machine.fast_bf16:
        found = ", ".join(sorted(machine.flags & _FAST_BF16))
        return Choice(Precision.BF16, f"the processor has {found}")
    whole = machine.kernels and _fits(parameters, Precision.INT16, machine)
    if whole and kind == "embedding":
        return Choice(Precision.INT16, _VECTORS)
    if _fits(parameters, Precision.FP32, machine):
        return Choice(Precision.FP32, "the processor has neither avx512_bf16 nor amx_bf16")
    if whole:
        return Choice(Precision.INT16, "fp32 does not fit into memory; probabilities differ from its by about 0.001")
    if _fits(parameters, Precision.BF16, machine):
        return Choice(Precision.BF16, "fp32 does not fit into memory; weights in bf16, multiplied in fp32")
    return Choice(
        Precision.BF16, "not even bf16 fits into memory; weights are paged in from disk, backend=torch-int8 fits"
    )


def weight_bytes(parameters: int, precision: Precision) -> int:
    """Bytes that the weights take."""
    return int(parameters * _BYTES[precision])


def this_machine() -> Machine:
    """Flags and free memory of the machine this runs on."""
    flags = processor_flags()
    return Machine(flags, _free_memory(), kernels_are_there(flags))


@cache
def kernels_are_there(flags: frozenset[str]) -> bool:
    """Whether :mod:`steelyard.engines.torch.kernels.compiled` will run on a processor with these flags; loads nothing.

    The OpenMP library is looked for where torch's wheels bring theirs.
    """
    if sys.platform != "linux" or not flags >= KERNEL_FLAGS or not installed("llvmlite"):
        return False
    spec = util.find_spec("torch")
    folders = [Path(folder, "lib") for folder in (spec and spec.submodule_search_locations) or ()]
    return any(file for folder in folders for name in OPENMP for file in folder.glob(f"{name}*"))


@cache
def processor_flags() -> frozenset[str]:
    """The flags of the first processor; empty where ``/proc/cpuinfo`` is not to be read."""
    try:
        lines = _CPUINFO.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return frozenset()
    found = next((line for line in lines if line.lower().startswith(("flags", "features"))), "")
    return frozenset(found.partition(":")[2].split())


def _fits(parameters: int, precision: Precision, machine: Machine) -> bool:
    return not machine.memory or weight_bytes(parameters, precision) + _HEADROOM <= machine.memory


def _free_memory() -> int:
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))
    except (OSError, StopIteration):
        pass
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return 0
