"""Memory and file traffic of this process, as the kernel counts them.

``VmHWM`` is read rather than ``ru_maxrss``: the latter is inherited from whatever process started this one, so that the
small child of a large parent seems large.
"""

from __future__ import annotations

import resource
import sys
from pathlib import Path

_STATUS = Path("/proc/self/status")
_IO = Path("/proc/self/io")
_MAPS = Path("/proc/self/maps")


def peak_rss() -> int:
    """The most resident memory that this process has had, in bytes."""
    return _status("VmHWM") or _getrusage_peak()


def current_rss() -> int:
    """Resident memory now, in bytes; 0 where the system does not say."""
    return _status("VmRSS")


def bytes_read_from_disk() -> int | None:
    """Bytes that this process made the kernel fetch from storage; None where the system does not say."""
    return _field(_IO, "read_bytes")


def mapped_files() -> frozenset[Path]:
    """Regular files that are mapped into this process now."""
    try:
        lines = _MAPS.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return frozenset()
    names = (line.split(maxsplit=5)[5] for line in lines if line.count(" ") >= 5 and "/" in line)
    return frozenset(p for p in map(Path, names) if p.is_absolute() and p.is_file())


def _status(field: str) -> int:
    return (_field(_STATUS, field) or 0) * 1024


def _field(path: Path, name: str) -> int | None:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    value = next((line.partition(":")[2].split()[0] for line in lines if line.startswith(f"{name}:")), None)
    return None if value is None else int(value)


def _getrusage_peak() -> int:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
