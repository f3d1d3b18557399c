"""What was found when a quantised backend was held against an exact one on this machine: one small file a fingerprint.

A fingerprint changes whenever the numbers may, so a check holds for the very weights, recipe and versions that it was
made with.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from steelyard.engines.protocol import EngineInfo
from steelyard.errors import StoreError
from steelyard.files import write_atomic
from steelyard.models.hub import default_cache_dir

_QUANTISED = re.compile(r"(^|-)(int|w)[48]")


@dataclass(frozen=True, slots=True)
class Checked:
    """One check.

    Attributes:
        fingerprint: of the engine that was checked.
        against: the backend that it was held against.
        suite: on which texts.
        accepted: whether it kept within the limits.
        summary: what was found, in a sentence.
    """

    fingerprint: str
    against: str
    suite: str
    accepted: bool
    summary: str


def is_quantised(backend: str) -> bool:
    """Whether a backend multiplies or keeps weights in 8 bits or less: ``torch-int8``, ``openvino-int8``."""
    return bool(_QUANTISED.search(backend))


def write_check(found: Checked, environment: Mapping[str, str] | None = None) -> Path:
    """Keeps a check under ``$STEELYARD_CACHE/checks``; it replaces an earlier one of the same fingerprint, whole.

    Raises:
        StoreError: it cannot be written.
    """
    path = _path(found.fingerprint, environment)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, json.dumps(asdict(found), indent=1, ensure_ascii=False))
    except OSError as wrong:
        raise StoreError(f"{path}: could not be written ({wrong}); set STEELYARD_CACHE to another folder") from wrong
    return path


def read_check(fingerprint: str, environment: Mapping[str, str] | None = None) -> Checked | None:
    """The check of an engine; None where there is none that can be read."""
    try:
        values = json.loads(_path(fingerprint, environment).read_text(encoding="utf-8"))
        found = Checked(**values)
    except (OSError, ValueError, TypeError):
        return None
    return found if found.fingerprint == fingerprint else None


def remark(info: EngineInfo, spelt: str, environment: Mapping[str, str] | None = None) -> str:
    """What a reader must know of an engine's numbers: empty unless it is quantised and no check accepted it.

    Args:
        info: what the engine says of itself.
        spelt: the model as it is typed.
        environment: names the cache; that of the process when None.
    """
    if not is_quantised(info.backend):
        return ""
    found = read_check(info.fingerprint, environment)
    if found is None:
        return f"not checked on this machine: steelyard models check {spelt} --backend {info.backend}"
    return "" if found.accepted else f"refused by its check on {found.suite} ({found.summary})"


def _path(fingerprint: str, environment: Mapping[str, str] | None) -> Path:
    name = hashlib.sha256(fingerprint.encode()).hexdigest()[:24]
    return default_cache_dir(environment).parent / "checks" / f"{name}.json"
