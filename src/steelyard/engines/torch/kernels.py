"""Products of 16-bit whole numbers on x86-64 with AVX2: compiled once a process, run in torch's own OpenMP threads.

A pair of 16-bit products is one instruction there, so that as many are made in a second as of bytes without VNNI, twice
as many as of fp32; torch and oneDNN have no such product.

Shapes: ``m`` tokens, ``n`` outputs (a multiple of 16), ``k`` inputs (a multiple of 8).
"""

from __future__ import annotations

import ctypes
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from steelyard.engines.packages import installed, require
from steelyard.engines.torch import kernels_ir
from steelyard.errors import EngineError

_MAPS = Path("/proc/self/maps")
_FUNCTION = ctypes.CFUNCTYPE(None, ctypes.c_void_p)


class Kernels:
    """The compiled functions; use :func:`kernels`, which compiles once.

    Args:
        openmp: the OpenMP library that torch runs its threads with.

    Raises:
        MissingExtraError: llvmlite is not installed.
    """

    def __init__(self, openmp: Path) -> None:
        binding = require("llvmlite.binding", "the int16 numbers of the torch engine", "int16")
        self._openmp = ctypes.CDLL(str(openmp))
        for name, asked in ((kernels_ir.THREAD, "omp_get_thread_num"), (kernels_ir.THREADS, "omp_get_num_threads")):
            binding.add_symbol(name, ctypes.cast(getattr(self._openmp, asked), ctypes.c_void_p).value)
        self._engine = _compiled(binding, kernels_ir.source())
        self._multiply, self._quantise = map(self._engine.get_function_address, ("multiply", "quantise"))

    def quantise(self, x: Tensor, limit: int) -> tuple[Tensor, Tensor]:
        """Numbers of each row in steps of its own, the largest possible within 16 bits and a norm.

        Args:
            x: float32[m, k].
            limit: what the norm of no row of steps exceeds, rounding left out.

        Returns:
            int16[m, k] and float32[m]; a row that holds a value that is not a number has such a step.
        """
        m, k = x.shape
        rows, steps = torch.empty(m, k, dtype=torch.int16), torch.empty(m)
        self._run(self._quantise, x.data_ptr(), rows.data_ptr(), steps.data_ptr(), limit, m, k)
        return rows, steps

    def multiply(
        self, rows: tuple[Tensor, Tensor], panels: tuple[Tensor, Tensor], bias: Tensor, *, gelu: bool = False
    ) -> Tensor:
        """float32[m, n]: rows by outputs, plus the bias; and GELU of that where it is asked for.

        Args:
            rows: int16[m, k] and their steps float32[m].
            panels: int16[n / 16, k / 2, 16, 2], pairs of inputs side by side, and the outputs' steps float32[n].
            bias: float32[n].
        """
        (steps, row_scale), (weights, scale) = rows, panels
        (m, k), n = steps.shape, len(bias)
        out = torch.empty(m, n)
        tensors = (steps, row_scale, weights, scale, bias, out)
        self._run(self._multiply, *(tensor.data_ptr() for tensor in tensors), int(gelu), m, n, k)
        return out

    def _run(self, function: int, *job: int) -> None:
        fields = (ctypes.c_int64 * len(job))(*job)
        threads = torch.get_num_threads()
        if threads == 1:
            _FUNCTION(function)(ctypes.addressof(fields))
        else:
            self._openmp.GOMP_parallel(ctypes.c_void_p(function), fields, ctypes.c_uint(threads), ctypes.c_uint(0))


@cache
def kernels() -> Kernels:
    """The functions, compiled at the first call in about a third of a second.

    Raises:
        MissingExtraError: llvmlite is not installed.
        EngineError: the processor or the system is another one.
    """
    openmp = _openmp()
    if openmp is None:
        raise EngineError("torch-int16 runs on Linux, in torch builds with GNU's or Intel's OpenMP; use torch-fp32")
    return Kernels(openmp)


def kernels_are_there(flags: frozenset[str]) -> bool:
    """Whether they can be had on a processor with these flags; compiles nothing."""
    return "avx2" in flags and installed("llvmlite") and _openmp() is not None


def _openmp() -> Path | None:
    """The library that torch has loaded."""
    try:
        lines = _MAPS.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return None
    paths = (Path(line.split(maxsplit=5)[-1]) for line in lines if "/" in line)
    return next((p for p in paths if p.name.startswith(("libgomp", "libiomp5"))), None)


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
