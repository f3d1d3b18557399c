"""Loops compiled at run time by llvmlite and run in torch's own OpenMP threads.

Torch and oneDNN have no products of 16 bits, and are far from what the processor can do where matrices are small; each
module of such loops is written with :class:`steelyard.engines.torch.kernels.ir.Code`.
"""

from __future__ import annotations

import ctypes
from array import array
from functools import cache
from pathlib import Path
from typing import Any

import torch

from steelyard.engines.packages import require
from steelyard.engines.torch.kernels.ir import THREAD, THREADS, Code
from steelyard.engines.torch.precision import KERNEL_FLAGS, OPENMP
from steelyard.errors import EngineError

_MAPS = Path("/proc/self/maps")
_FUNCTION = ctypes.CFUNCTYPE(None, ctypes.c_void_p)


class Compiled:
    """A module of loops, compiled for the processor at hand.

    Args:
        code: the module.

    Raises:
        MissingExtraError: llvmlite is not installed.
        EngineError: the system or torch's OpenMP is another one.
    """

    def __init__(self, code: Code) -> None:
        path = _expected_openmp()
        binding = require("llvmlite.binding", code.purpose, "int16")
        self._openmp = ctypes.CDLL(str(path))
        for name, asked in ((THREAD, "omp_get_thread_num"), (THREADS, "omp_get_num_threads")):
            binding.add_symbol(name, ctypes.cast(getattr(self._openmp, asked), ctypes.c_void_p).value)
        self._engine = _compiled(binding, str(code))
        self._function = cache(lambda name: _FUNCTION(self._engine.get_function_address(name)))
        self._parallel = self._openmp.GOMP_parallel
        self._parallel.argtypes = [_FUNCTION, ctypes.c_void_p, ctypes.c_uint, ctypes.c_uint]
        self._parallel.restype = None

    def run(self, name: str, *job: int) -> None:
        """A function of the module, in as many threads as torch uses, with the fields of its job."""
        function, fields = self._function(name), array("q", job)
        address, threads = fields.buffer_info()[0], torch.get_num_threads()
        if threads == 1:
            function(address)
        else:
            self._parallel(function, address, threads, 0)


def expect_kernels(flags: frozenset[str]) -> None:
    """Fails at once where they cannot be had on a processor with these flags; compiles nothing.

    Raises:
        MissingExtraError: llvmlite is not installed.
        EngineError: the processor or the system is another one.
    """
    require("llvmlite", "the int16 numbers of the torch engine", "int16")
    if not flags >= KERNEL_FLAGS:
        raise EngineError("torch-int16 needs a processor with AVX2 and FMA; use torch-fp32")
    _expected_openmp()


def openmp_is_loaded() -> bool:
    """Whether torch runs its threads with a library that compiled loops can run in."""
    return _openmp() is not None


def _expected_openmp() -> Path:
    openmp = _openmp()
    if openmp is None:
        raise EngineError("torch-int16 runs on Linux, in torch builds with GNU's or Intel's OpenMP; use torch-fp32")
    return openmp


def _openmp() -> Path | None:
    """The library that torch has loaded."""
    try:
        lines = _MAPS.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return None
    paths = (Path(line.split(maxsplit=5)[-1]) for line in lines if "/" in line)
    return next((p for p in paths if p.name.startswith(OPENMP)), None)


def _compiled(binding: Any, source: str) -> Any:
    """Without the passes that put sums in another order: they then no longer fit into the registers."""
    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    module = binding.parse_assembly(source)
    module.verify()
    target = binding.Target.from_default_triple().create_target_machine(
        cpu=binding.get_host_cpu_name(), features=binding.get_host_cpu_features().flatten(), opt=3
    )
    engine = binding.create_mcjit_compiler(module, target)
    engine.finalize_object()
    return engine
